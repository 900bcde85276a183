// The main job on the embedded digits: gradient-matching few-shot search on NAS-Bench-201 with
// second-order DARTS, beside one-shot and exhaustive few-shot search under the same number of
// supernet training steps, and beside ten random architectures retrained alike.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/engine/retrain.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/cell_svg.hpp>
#include <cleave/split/exhaustive.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/version.hpp>
#include <cmath>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "support/any_data.hpp"
#include "support/command_line.hpp"
#include "support/program.hpp"
#include "support/report.hpp"
#include "support/resumable.hpp"

namespace {

using Space = cleave::space::NasBench201;
using Net = cleave::network::NasBench201;
using Strategy = cleave::strategy::Darts<cleave::strategy::SecondOrder>;
using Result = cleave::SearchResult<Space>;

struct Options {
  std::string out = "cleave-demo";
  std::uint64_t seed = 0;
  double scale = 1.0;  ///< of all epochs; the tests run a tiny demo
  std::size_t random = 10;
  std::size_t threads = 2;
  bool quiet = false;
  example::ResumeOptions resume{};
};

/// One architecture on its way: searched for or drawn, then retrained and tested.
struct Entry {
  std::string name;
  cleave::Architecture<Space> architecture{};
  Result result{};
  cleave::RetrainRecord retrained{};
  std::map<std::string, std::string> settings{};

  [[nodiscard]] double search_seconds() const {
    double sum = 0;
    for (const auto& stage : result.stages)
      if (stage.stage != cleave::Stage::Retraining) sum += stage.seconds;
    return sum;
  }
};

class Demo {
 public:
  explicit Demo(Options options)
      : options_(std::move(options)),
        data_(example::load("digits")),
        directory_(options_.out),
        progress_(options_.quiet) {
    sizes_ = {.channels = 16, .cells = 1, .image_channels = 1, .classes = 10};
    recipe_.optimiser.rate = {0.1, 0.0};
    recipe_.epochs = scaled(40);
    recipe_.batch = 96;
    example::check_resume(directory_, options_.resume);
  }

  void run() {
    const auto began = std::chrono::steady_clock::now();
    entries_.resize(3 + options_.random);
    entries_[0].name = "GM";
    entries_[1].name = "one-shot";
    entries_[2].name = "few-shot";
    for (std::size_t i = 0; i < options_.random; ++i)
      entries_[3 + i].name = fmt::format("random {}", i);
    const auto finish = [&](const std::string& trouble) {
      seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
      write(trouble);
    };
    try {
      in_parallel(entries_.size(), [&](std::size_t i) { job(i); });
    } catch (const std::exception& error) {
      finish(error.what());  // what was found before the trouble is not lost
      throw;
    }
    finish("");
    example::forget_checkpoints(directory_);
    table();
  }

 private:
  [[nodiscard]] std::size_t scaled(std::size_t epochs) const {
    return std::max<std::size_t>(
        1, static_cast<std::size_t>(std::lround(static_cast<double>(epochs) * options_.scale)));
  }

  /// Small networks keep one core busy each: jobs side by side, one thread each.
  void in_parallel(std::size_t jobs, const std::function<void(std::size_t)>& job) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::exception_ptr error;
    std::mutex guard;
    std::vector<std::thread> workers;
    for (std::size_t t = 0; t < options_.threads; ++t)
      workers.emplace_back([&] {
        at::set_num_threads(1);
        for (auto i = next++; i < jobs && !failed; i = next++) try {
            job(i);
          } catch (...) {
            const std::lock_guard lock(guard);
            if (!failed.exchange(true)) error = std::current_exception();
          }
      });
    for (auto& worker : workers) worker.join();
    if (error) std::rethrow_exception(error);
  }

  void job(std::size_t i) {
    auto& entry = entries_[i];
    const auto warm_up = scaled(4);
    const auto leaf = scaled(8);
    // Supernet epochs of GM: root, two halves, four leaves. The others get the same total.
    const auto total = 3 * warm_up + 4 * leaf;
    cleave::Schedule schedule;
    if (i == 0) {
      schedule = {.splits = {{warm_up, 2}, {2 * warm_up, 2}}, .final_epochs = leaf};
      search(entry, schedule,
             cleave::split::GradientMatching<>{.repeats = {.limit = scaled(60)}});
    } else if (i == 1) {
      schedule = {.final_epochs = total};
      search(entry, schedule, cleave::split::Exhaustive{});
    } else if (i == 2) {
      const auto each = (total - warm_up) / Space::option_count({});
      schedule = {.splits = {{total - Space::option_count({}) * each, 5}}, .final_epochs = each};
      search(entry, schedule, cleave::split::Exhaustive{});
    } else {
      auto stream = cleave::Stream(options_.seed).fork("random architecture").fork(i);
      entry.architecture = cleave::sample<Space>({}, stream);
      retrain(entry);
    }
  }

  /// `GM` keeps its state in `checkpoint-GM` until the whole demo is complete.
  static std::string checkpoint_of(const Entry& entry) {
    auto name = "checkpoint-" + entry.name;
    std::replace(name.begin(), name.end(), ' ', '-');
    return name;
  }

  [[nodiscard]] cleave::RunControl watched(const Entry& entry) {
    return example::watched(directory_, progress_, entry.name);
  }

  void retrain(Entry& entry) {
    const auto settings =
        cleave::settings_of<Net>(entry.architecture, sizes_, recipe_, options_.seed, data_);
    example::ResumableRetraining<Net> retraining(
        {cleave::start_retraining<Net>(entry.architecture, sizes_, recipe_,
                                       cleave::Stream(options_.seed).fork("retrain"), "network")},
        settings, directory_, options_.resume, checkpoint_of(entry));
    retraining.run(data_, watched(entry));
    entry.settings = settings.values();
    entry.retrained = *retraining.state().record;
    entry.result.stages = retraining.state().stages;
  }

  template <class Criterion>
  void search(Entry& entry, const cleave::Schedule& schedule, const Criterion& criterion) {
    using Search = cleave::FewShotSearch<Space, Strategy, Criterion>;
    typename Search::Settings settings;
    settings.schedule = schedule;
    settings.supernet = sizes_;
    settings.network = sizes_;
    settings.trial = settings.retraining = recipe_;
    settings.seed = options_.seed;
    std::vector<std::size_t> rungs{scaled(3), scaled(6), scaled(12)};
    rungs.erase(std::unique(rungs.begin(), rungs.end()), rungs.end());  // of a tiny demo
    const Search host(settings, {}, criterion, {.rungs = rungs});
    const auto known = cleave::settings_of(host, data_);
    entry.settings = known.values();
    example::Resumable<Search> resumable(host, known, directory_, options_.resume,
                                         checkpoint_of(entry));
    try {
      resumable.run(data_, data_, watched(entry));
    } catch (...) {
      entry.result = resumable.result();  // what was found before the trouble is not lost
      throw;
    }
    entry.result = resumable.result();
    entry.architecture = entry.result.genotype();
    entry.retrained = *entry.result.retrained;
  }

  void write(const std::string& trouble) {
    nlohmann::json methods = nlohmann::json::array();
    for (const auto& entry : entries_) {
      nlohmann::json method = {{"name", entry.name},
                               {"search_seconds", entry.search_seconds()},
                               {"all_settings", entry.settings},
                               {"search", example::json_of(entry.result)}};
      if (entry.retrained.test_images > 0) {
        method["architecture"] = Space::to_text(entry.architecture);
        method["test_accuracy"] = entry.retrained.test_accuracy;
        method["parameters"] = entry.retrained.parameters;
      }
      methods.push_back(std::move(method));
    }
    nlohmann::json report = {
        {"program", "demo"},
        {"cleave", cleave::version_text},
        {"libtorch", TORCH_VERSION},
        {"data", std::string(data_.name())},
        {"settings",
         {{"seed", options_.seed},
          {"scale", options_.scale},
          {"channels", sizes_.channels},
          {"cells", sizes_.cells},
          {"retrain_epochs", recipe_.epochs},
          {"retrain_batch", recipe_.batch},
          {"threads", options_.threads}}},
        {"seconds", seconds_},
        {"complete", trouble.empty()},
        {"methods", std::move(methods)}};
    if (!trouble.empty()) report["stopped_by"] = trouble;
    directory_.write("result.json", report.dump(1) + "\n");
    if (entries_[0].result.chosen)
      directory_.write("cell.svg",
                       cleave::report::cell_svg(entries_[0].architecture, "The cell GM chose"));
    example::write_heat_maps(directory_, "gm", entries_[0].result);
  }

  void table() const {
    fmt::print("\n{:<14} {:>6} {:>6} {:>8} {:>9} {:>9}   {}\n", "method", "leaves", "steps",
               "search s", "params", "test %", "architecture");
    for (std::size_t i = 0; i < 3; ++i) {
      const auto& e = entries_[i];
      fmt::print("{:<14} {:>6} {:>6} {:>8.1f} {:>9} {:>9.2f}   {}\n", e.name,
                 e.result.leaves.size(), e.result.search_steps(), e.search_seconds(),
                 e.retrained.parameters, 100 * e.retrained.test_accuracy,
                 Space::to_text(e.architecture));
    }
    if (options_.random > 0) random_rows();
    verdict();
    fmt::print("\nResults, pictures and settings: {}\nThe whole demo took {:.0f} s.\n",
               std::filesystem::absolute(directory_.path()).string(), seconds_);
  }

  void random_rows() const {
    double sum = 0;
    const Entry* best = &entries_[3];
    for (std::size_t i = 3; i < entries_.size(); ++i) {
      sum += entries_[i].retrained.test_accuracy;
      if (entries_[i].retrained.test_accuracy > best->retrained.test_accuracy) best = &entries_[i];
    }
    fmt::print("{:<14} {:>6} {:>6} {:>8} {:>9} {:>9.2f}   mean of {}\n", "random", "", "", "", "",
               100 * sum / static_cast<double>(options_.random), options_.random);
    fmt::print("{:<14} {:>6} {:>6} {:>8} {:>9} {:>9.2f}   {}\n", "best random", "", "", "",
               best->retrained.parameters, 100 * best->retrained.test_accuracy,
               Space::to_text(best->architecture));
  }

  /// Says who won, and whether the test part is large enough to say so.
  void verdict() const {
    std::vector<const Entry*> order;
    for (std::size_t i = 0; i < 3; ++i) order.push_back(&entries_[i]);
    std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
      return a->retrained.test_accuracy > b->retrained.test_accuracy;
    });
    const double p = order[0]->retrained.test_accuracy;
    const double images = static_cast<double>(order[0]->retrained.test_images);
    // Standard error of the difference of two accuracies on `images` images.
    const double noise = 100 * std::sqrt(2 * std::max(p * (1 - p), 1 / images) / images);
    const double lead = 100 * (p - order[1]->retrained.test_accuracy);
    if (lead > 0)
      fmt::print("\n{} is first of the three searches, {:.2f} points before {}; one standard error "
                 "of such a\ndifference on {} test images is {:.2f} points, so this run {}.\n",
                 order[0]->name, lead, order[1]->name, images, noise,
                 lead > 2 * noise ? "tells them apart" : "does not tell them apart");
    else
      fmt::print("\n{} and {} share the first place of the three searches; one standard error of a "
                 "difference on\n{} test images is {:.2f} points.\n",
                 order[0]->name, order[1]->name, images, noise);
    std::size_t better = 0;
    for (std::size_t i = 3; i < entries_.size(); ++i)
      better += entries_[i].retrained.test_accuracy > entries_[0].retrained.test_accuracy;
    if (options_.random > 0)
      fmt::print("Of {} random architectures {} tested better than GM's choice.\n",
                 options_.random, better);
  }

  Options options_;
  example::AnyData data_;
  example::RunDirectory directory_;
  example::ProgressLine progress_;
  cleave::supernet::NasBench201Config sizes_{};
  cleave::network::Recipe recipe_{};
  std::vector<Entry> entries_;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  example::CommandLine line(
      "Gradient-matching few-shot search on NAS-Bench-201 with second-order DARTS, on the embedded "
      "digits, beside one-shot, exhaustive few-shot and random architectures");
  line.option("--out", options.out, "folder for results and pictures");
  line.setting("--seed", options.seed, "seed of everything random", example::at_least(0));
  line.setting("--scale", options.scale, "factor on all epochs; 0.1 is a quick look",
               example::between(0.01, 100.0));
  line.setting("--random", options.random, "random architectures to compare with",
               example::between(0, 1000));
  line.option("--threads", options.threads, "searches and trainings side by side",
              example::between(1, 256));
  example::declare(line, options.resume);
  line.option("--quiet", options.quiet, "no progress");
  line.parse(argc, argv);
  return example::exit_code_of("demo", options.out, [&] { Demo(options).run(); });
}
