// How well do supernets rank architectures? Trains one supernet, few-shot supernets and the
// supernets of gradient matching with the same number of steps on random paths, judges a fixed
// sample of NAS-Bench-201 inside them, and compares with the benchmark's true accuracies, beside
// counting parameters and beside training a few of the networks alone.
//
//     rank_supernet --table nasbench201.csv --data cifar10:DIR --channels 8 --cells 1

#include <algorithm>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/scatter_svg.hpp>
#include <cleave/select/best_validation.hpp>
#include <cleave/space/nasbench201_cost.hpp>
#include <cleave/split/exhaustive.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/tabular/rank_correlation.hpp>
#include <cleave/tabular/top_k.hpp>
#include <cleave/version.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "support/any_data.hpp"
#include "support/command_line.hpp"
#include "support/device_argument.hpp"
#include "support/program.hpp"
#include "support/table_argument.hpp"

namespace {

using Space = cleave::space::NasBench201;
using Network = cleave::network::NasBench201;
using Networks = std::vector<cleave::Architecture<Space>>;

struct Options {
  std::string settings;  ///< of the command line, as JSON
  std::string table;
  std::string data = "digits";
  std::size_t take = 0;
  std::int64_t size = 0;
  std::size_t sample = 300;
  std::size_t alone = 30;
  std::size_t alone_epochs = 12;
  std::size_t warm_up = 5;
  std::size_t leaf_epochs = 5;
  std::size_t repeats = 0;
  std::size_t judged = 0;
  double rate = cleave::strategy::Rsps<>{}.weights.rate.first;
  std::int64_t channels = 8;
  std::int64_t cells = 1;
  std::size_t batch = 64;
  std::uint64_t seed = 0;
  std::string device = "cpu";
  int threads = 0;
  std::string out = "cleave-ranking";
  bool quiet = false;
};

void declare(example::CommandLine& line, Options& o) {
  line.required("--table", o.table, "the NAS-Bench-201 table, CSV or binary");
  line.setting("--data", o.data, example::data_help);
  line.setting("--take", o.take, "use only so many train images; 0 = all");
  line.setting("--size", o.size, "shrink the images to so many pixels a side; 0 = as they are",
               example::between(0, 512));
  line.setting("--sample", o.sample, "architectures to rank, connected and different",
               example::between(20, 15000));
  line.setting("--alone", o.alone, "how many of them to train alone as well; 0 = none");
  line.setting("--alone-epochs", o.alone_epochs, "epochs of each of those", example::at_least(1));
  line.setting("--warm-up", o.warm_up,
               "epochs before each of gradient matching's two splits; the others train as many "
               "steps in all", example::at_least(1));
  line.setting("--leaf-epochs", o.leaf_epochs, "epochs of each of its four leaves",
               example::at_least(1));
  line.setting("--repeats", o.repeats, "fixed number of matching repeats; 0 stops when certain");
  line.setting("--judged", o.judged,
               "images of the search half that architectures are judged on; 0 = all");
  line.setting("--rate", o.rate, "learning rate that the supernets begin with",
               example::between(1e-6, 10.0));
  line.setting("--channels", o.channels, "channels of the first stage",
               example::between(1, 1024));
  line.setting("--cells", o.cells, "searched cells per stage", example::between(1, 64));
  line.setting("--batch", o.batch, "images per step", example::between(2, 65536));
  line.setting("--seed", o.seed, "seed of everything random");
  line.setting("--device", o.device, "cpu, cuda or cuda:N");
  line.option("--threads", o.threads, "of the tensor operations; 0 = one per core");
  line.option("--out", o.out, "folder for result.json and ranking.svg");
  line.option("--quiet", o.quiet, "no progress");
}

/// What one leaf's supernet says about the architectures of the sample that lie in it.
struct LeafOpinion {
  std::vector<std::size_t> members;
  std::vector<double> accuracies;
};

/// RSPS, but a leaf is asked for its opinion on the sample instead of for its best path.
struct Asked : cleave::strategy::Rsps<> {
  const Networks* sample = nullptr;
  std::size_t images = 0;  ///< to judge on, rounded up to whole batches; 0: all
  std::vector<LeafOpinion>* opinions = nullptr;

  template <cleave::Supernet Net>
  [[nodiscard]] cleave::Architecture<Space> derive(const Net& net, const State<Net>&,
                                                   const cleave::Judge<Net>& judge,
                                                   cleave::Stream stream) const {
    LeafOpinion opinion;
    std::vector<typename Net::Context> contexts;
    for (std::size_t i = 0; i < sample->size(); ++i) {
      if (!net.restriction().contains((*sample)[i])) continue;
      opinion.members.push_back(i);
      contexts.push_back(net.context_of((*sample)[i]));
    }
    std::vector<std::size_t> right(contexts.size());
    std::size_t seen = 0;
    for (std::size_t k = 0; k < judge.batches && !contexts.empty(); ++k) {
      if (images > 0 && seen >= images) break;
      const auto rows = judge.hits(contexts, k);
      seen += rows.front().size();
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (const auto hit : rows[i]) right[i] += hit;
    }
    for (const auto count : right)
      opinion.accuracies.push_back(static_cast<double>(count) / static_cast<double>(seen));
    opinions->push_back(opinion);
    if (contexts.empty()) return cleave::sample<Space>(net.restriction(), stream);
    const auto best = std::max_element(right.begin(), right.end()) - right.begin();
    return (*sample)[opinion.members[static_cast<std::size_t>(best)]];
  }
};

/// How well an estimate orders architectures: over all, in the top tenth of the truth, of the
/// estimated top tenth, and what taking its favourite costs, in points of accuracy.
struct Scores {
  double tau = std::numeric_limits<double>::quiet_NaN();
  double rho = tau;
  double tau_top = tau;
  double precision = tau;
  double regret = tau;

  static Scores of(const std::vector<double>& estimate, const std::vector<double>& truth) {
    namespace tabular = cleave::tabular;
    const auto tenth = std::max<std::size_t>(2, truth.size() / 10);
    return {tabular::kendall_tau_b(estimate, truth), tabular::spearman_rho(estimate, truth),
            tabular::kendall_tau_b_top(estimate, truth, tenth, tabular::TopBy::Truth),
            tabular::precision_at_k(estimate, truth, tenth), tabular::regret(estimate, truth)};
  }
  [[nodiscard]] nlohmann::json json() const {
    return {{"tau_b", tau},
            {"spearman", rho},
            {"tau_b_top_tenth", tau_top},
            {"precision_top_tenth", precision},
            {"regret_points", regret}};
  }
};

/// The mean of the leaves' scores, each weighed by its architectures; leaves that are too small to
/// have a ranking, or rank all alike, are left out of it.
Scores inside(const std::vector<LeafOpinion>& leaves, const std::vector<double>& truth) {
  Scores mean{0, 0, 0, 0, 0};
  Scores weight{0, 0, 0, 0, 0};
  for (const auto& leaf : leaves) {
    if (leaf.members.size() < 5) continue;
    const auto scores = Scores::of(leaf.accuracies, cleave::tabular::gather(truth, leaf.members));
    for (const auto member :
         {&Scores::tau, &Scores::rho, &Scores::tau_top, &Scores::precision, &Scores::regret}) {
      if (std::isnan(scores.*member)) continue;
      mean.*member += scores.*member * static_cast<double>(leaf.members.size());
      weight.*member += static_cast<double>(leaf.members.size());
    }
  }
  for (const auto member :
       {&Scores::tau, &Scores::rho, &Scores::tau_top, &Scores::precision, &Scores::regret})
    mean.*member /= weight.*member;  // NaN where no leaf has one
  return mean;
}

/// One way to estimate, and what came of it.
struct Method {
  std::string name;
  std::vector<double> estimate{};  ///< by sample number
  std::vector<LeafOpinion> leaves{};
  std::size_t steps = 0;
  Scores across{};
  Scores in_leaves{};
  Scores on_trained{};  ///< on the architectures that were trained alone as well
};

class Study {
 public:
  explicit Study(const Options& options)
      : o_(options),
        data_(example::load(options.data, options.take).at_size(options.size)),
        directory_(options.out),
        progress_(options.quiet) {
    if (o_.threads > 0) at::set_num_threads(o_.threads);
    const auto device = example::device_of(o_.device);
    data_ = data_.to(device);
    sizes_ = {.channels = o_.channels,
              .cells = o_.cells,
              .image_channels = data_.shape().channels,
              .classes = data_.classes(),
              .device = device};
    auto stream = cleave::Stream(o_.seed).fork("sample");
    sample_ = cleave::distinct_samples<Space>({}, o_.sample, stream);
    o_.alone = std::min(o_.alone, sample_.size());
    const auto table = example::load_table(o_.table);
    for (const auto& architecture : sample_)
      truth_.push_back(table.value(architecture, {cleave::tabular::DataSetName::Cifar10,
                                                  cleave::tabular::Metric::TestAccuracy}));
  }

  void run() {
    Method parameters{.name = "parameters"};
    for (const auto& architecture : sample_)
      parameters.estimate.push_back(static_cast<double>(cleave::space::cost(architecture).params));
    methods_.push_back(std::move(parameters));
    using cleave::Restart;
    using cleave::split::Exhaustive;
    const std::size_t total = 3 * o_.warm_up + 4 * o_.leaf_epochs;
    supernet("one-shot", {.final_epochs = total}, Exhaustive{});
    const auto options = Space::option_count({});
    const auto each = std::max<std::size_t>(1, (total - 1) / options);
    for (const auto restart : {Restart::LastSplit, Restart::None}) {
      const std::string how = restart == Restart::None ? ", inherit" : ", restart";
      supernet(
          "few-shot" + how,
          {.splits = {{total - options * each, options}}, .final_epochs = each, .restart = restart},
          Exhaustive{});
      const cleave::Schedule matching{.splits = {{o_.warm_up, 2}, {2 * o_.warm_up, 2}},
                                      .final_epochs = o_.leaf_epochs,
                                      .restart = restart};
      if (o_.repeats > 0) {
        using Fixed = cleave::split::FixedRepeats;
        using namespace cleave::split;
        supernet("GM" + how, matching,
                 GradientMatching<cleave::score::Cosine, cleave::graph::ExactBalanced,
                                  LowestNormalisedCut, Fixed>{.repeats = {o_.repeats}});
      } else {
        supernet("GM" + how, matching, cleave::split::GradientMatching<>{});
      }
    }
    if (o_.alone >= 5) alone();
    for (auto& method : methods_) score(method);
    write();
    print();
  }

 private:
  template <class Criterion>
  void supernet(const std::string& name, const cleave::Schedule& schedule,
                const Criterion& criterion) {
    using Search = cleave::FewShotSearch<Space, Asked, Criterion, cleave::select::BestValidation>;
    typename Search::Settings settings;
    settings.schedule = schedule;
    settings.supernet = sizes_;
    settings.network = sizes_;
    settings.batch = o_.batch;
    settings.seed = o_.seed;
    Method method{.name = name, .estimate = std::vector<double>(sample_.size())};
    Asked strategy{{}, &sample_, o_.judged, &method.leaves};
    strategy.weights.rate.first = o_.rate;
    const Search search(settings, strategy, criterion);
    const auto result = search.run(data_, example::watched(directory_, progress_, name));
    method.steps = result.search_steps();
    for (const auto& leaf : method.leaves)
      for (std::size_t i = 0; i < leaf.members.size(); ++i)
        method.estimate[leaf.members[i]] = leaf.accuracies[i];
    methods_.push_back(std::move(method));
  }

  /// The first of the sample, each trained alone from fresh weights: what a supernet of this size
  /// stands in for.
  void alone() {
    const auto stream = cleave::Stream(o_.seed);
    const auto holdout = cleave::data::split_train(data_.labels(cleave::data::Part::Train), {},
                                                   stream.fork("holdout"));
    auto images = holdout.weights;
    images.insert(images.end(), holdout.search.begin(), holdout.search.end());
    cleave::network::Recipe recipe;
    recipe.epochs = o_.alone_epochs;
    recipe.batch = o_.batch;
    const auto per_epoch = cleave::data::EpochOrder::batches_in(images.size(), recipe.batch);
    const auto control = example::watched(directory_, progress_, "alone");
    std::vector<cleave::StageRecord> stages;
    Method method{.name = "trained alone"};
    cleave::StageClock clock(control, stages, cleave::Stage::Retraining, "networks",
                             o_.alone * recipe.epochs * per_epoch);
    for (std::size_t i = 0; i < o_.alone; ++i) {
      cleave::network::Training<Network> training(Network(sample_[i], sizes_, stream.fork("alone")),
                                                  recipe, stream.fork("training"),
                                                  "a network alone");
      training.train_until(recipe.epochs, data_, images,
                           [&](std::size_t count) { clock.tick(count); });
      method.estimate.push_back(
          training.accuracy(data_, cleave::data::Part::Train, holdout.validation));
      method.steps += recipe.epochs * per_epoch;
    }
    methods_.push_back(std::move(method));
  }

  void score(Method& method) const {
    const auto first = [](const std::vector<double>& values, std::size_t count) {
      return std::vector<double>(values.begin(),
                                 values.begin() + static_cast<std::ptrdiff_t>(count));
    };
    if (method.estimate.size() == truth_.size()) {
      method.across = Scores::of(method.estimate, truth_);
      if (!method.leaves.empty()) method.in_leaves = inside(method.leaves, truth_);
    }
    if (o_.alone >= 5)
      method.on_trained = Scores::of(first(method.estimate, o_.alone), first(truth_, o_.alone));
  }

  void write() const {
    nlohmann::json methods = nlohmann::json::array();
    std::vector<cleave::report::Scatter> plots;
    for (const auto& method : methods_) {
      methods.push_back({{"name", method.name},
                         {"leaves", method.leaves.size()},
                         {"steps", method.steps},
                         {"estimates", method.estimate},
                         {"across_leaves", method.across.json()},
                         {"inside_leaves", method.in_leaves.json()},
                         {"on_trained_alone", method.on_trained.json()}});
      plots.push_back(plot_of(method));
    }
    nlohmann::json architectures = nlohmann::json::array();
    for (std::size_t i = 0; i < sample_.size(); ++i)
      architectures.push_back(
          {{"architecture", Space::to_text(sample_[i])}, {"cifar10_test_accuracy", truth_[i]}});
    const nlohmann::json report = {{"program", "rank_supernet"},
                                   {"cleave", cleave::version_text},
                                   {"libtorch", TORCH_VERSION},
                                   {"settings", nlohmann::json::parse(o_.settings)},
                                   {"methods", std::move(methods)},
                                   {"architectures", std::move(architectures)}};
    directory_.write("result.json", report.dump(1) + "\n");
    directory_.write("ranking.svg", cleave::report::scatter_svg(plots));
  }

  [[nodiscard]] cleave::report::Scatter plot_of(const Method& method) const {
    const bool whole = method.estimate.size() == truth_.size();
    cleave::report::Scatter plot{
        .title = method.name,
        .note = fmt::format("tau-b {:.3f}", whole ? method.across.tau : method.on_trained.tau),
        .x_title = "true test accuracy on CIFAR-10, %",
        .y_title = method.steps > 0 ? "estimate: accuracy, %" : "estimate: million parameters"};
    const double unit = method.steps > 0 ? 100 : 1e-6;
    if (method.leaves.size() < 2) {
      plot.series.emplace_back();
      for (std::size_t i = 0; i < method.estimate.size(); ++i)
        plot.series.back().points.push_back({truth_[i], unit * method.estimate[i]});
    }
    for (std::size_t k = 0; k < method.leaves.size() && method.leaves.size() > 1; ++k) {
      plot.series.push_back({.name = fmt::format("leaf {}", k)});
      for (const auto i : method.leaves[k].members)
        plot.series.back().points.push_back({truth_[i], unit * method.estimate[i]});
    }
    return plot;
  }

  void print() const {
    fmt::print(
        "{} architectures; tau-b, Spearman, tau-b in the true top tenth, precision of the "
        "top tenth, regret in points\n\n",
        sample_.size());
    fmt::print("{:<18} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>13} {:>13}\n", "estimate",
               "leaves", "steps", "tau", "rho", "top", "prec.", "regret", "tau in leaves",
               o_.alone >= 5 ? fmt::format("tau on {}", o_.alone) : "");
    for (const auto& m : methods_) {
      fmt::print("{:<18} {:>6} {:>7}", m.name, m.leaves.size(), m.steps);
      for (const double value :
           {m.across.tau, m.across.rho, m.across.tau_top, m.across.precision, m.across.regret})
        fmt::print(" {:>7}", figure(value));
      fmt::print(" {:>13} {:>13}\n", figure(m.in_leaves.tau), figure(m.on_trained.tau));
    }
    fmt::print("\nresults: {}\n", std::filesystem::absolute(directory_.path()).string());
  }
  static std::string figure(double value) {
    return std::isnan(value) ? "-" : fmt::format("{:.3f}", value);
  }

  Options o_;
  example::AnyData data_;
  example::RunDirectory directory_;
  example::ProgressLine progress_;
  cleave::supernet::NasBench201Config sizes_{};
  Networks sample_;
  std::vector<double> truth_;
  std::vector<Method> methods_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  example::CommandLine line(
      "How well supernets rank NAS-Bench-201: one-shot, few-shot and gradient matching "
      "under one budget, beside parameter count and training alone");
  declare(line, options);
  line.parse(argc, argv);
  options.settings = line.json();
  return example::exit_code_of("rank_supernet", options.out, [&] { Study(options).run(); }, "");
}
