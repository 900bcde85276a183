#pragma once

#include <cleave/data/concept.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/graph/exact_balanced.hpp>
#include <cleave/network/file.hpp>
#include <cleave/network/latency_table_json.hpp>
#include <cleave/network/mobile_network.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/split/tree_text.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "any_data.hpp"
#include "device_argument.hpp"
#include "mobile_shape.hpp"
#include "presets.hpp"
#include "program.hpp"
#include "report.hpp"
#include "resumable.hpp"

// What ofa_search and proxyless_search have in common.

namespace example {

struct MobileOptions {
  std::string settings;  ///< of the command line, as JSON
  std::string preset = "small";
  std::string data = "digits";
  std::size_t take = 0;
  std::int64_t size = 0;
  double width = 0.25;
  std::vector<std::size_t> split_epochs{3, 4};
  std::vector<std::size_t> groups{2, 2};
  std::size_t epochs = 4;
  std::size_t repeats = 4;
  std::size_t batch = 64;
  double rate_scale = 1.0;
  double most_macs = 0;     ///< millions; 0: no limit
  double most_latency = 0;  ///< milliseconds; 0: no limit
  std::string latency_table;
  double network_rate = 0.1;
  std::vector<std::size_t> rungs{2, 4};
  std::size_t retrain_epochs = 12;
  std::uint64_t seed = 0;
  std::string device = "cpu";
  int threads = 0;
  std::string out = "cleave-run";
  bool quiet = false;
  ResumeOptions resume;
};

template <class Options>
void declare(CommandLine& line, Options& o, const Presets<Options>& presets) {
  line.setting("--preset", o.preset, "starting point; what else is given goes before it",
               one_of(names_of(presets)));
  line.setting("--data", o.data, data_help);
  line.setting("--take", o.take, "use only so many train images (a stratified part); 0 = all",
               at_least(0));
  line.setting("--size", o.size, "shrink the images to so many pixels a side; 0 = as they are",
               at_least(0));
  line.setting("--width", o.width, "multiplier of every channel count", between(0.05, 4.0));
  line.setting("--split-epochs", o.split_epochs, "epochs at which to split, increasing",
               at_least(0));
  line.setting("--groups", o.groups, "children of each split", at_least(2));
  line.setting("--epochs", o.epochs, "epochs of every leaf after the last split", at_least(1));
  line.setting("--repeats", o.repeats, "batches and contexts that gradient matching averages over",
               at_least(1));
  line.setting("--batch", o.batch, "images per step", between(2, 65536));
  line.setting("--rate-scale", o.rate_scale, "multiplies every learning rate of the supernet",
               between(1e-6, 1e6));
  line.setting("--most-macs", o.most_macs,
               "limit (OFA) or reference (Proxyless) in millions; 0 = none", between(0.0, 1e9));
  line.setting("--most-latency", o.most_latency,
               "limit (OFA) or reference (Proxyless, instead of multiply-adds) in milliseconds, as "
               "--latency-table predicts them; 0 = none", between(0.0, 1e9));
  line.setting("--latency-table", o.latency_table, "file made by the program latency_table");
  line.setting("--network-rate", o.network_rate, "learning rate of networks trained alone",
               between(1e-6, 1e6));
  line.setting("--rungs", o.rungs, "epochs of the leaves' trials, increasing: successive halving",
               at_least(1));
  line.setting("--retrain-epochs", o.retrain_epochs, "epochs of the chosen network alone",
               at_least(1));
  declare_run(line, o, "run folder");
}

/// A search, its files and its last lines; `Space` is Ofa or Proxyless.
template <class Space, class Strategy>
class MobileProgram {
 public:
  using Net = typename cleave::NetworkFor<Space>::type;
  using Matching =
      cleave::split::GradientMatching<cleave::score::Cosine, cleave::graph::ExactBalanced,
                                      cleave::split::Among<>, cleave::split::FixedRepeats>;
  using Search = cleave::FewShotSearch<Space, Strategy, Matching>;

  MobileProgram(std::string name, const MobileOptions& options)
      : o(options),
        data(load(options.data, options.take)
                 .at_size(options.size)
                 .to(device_of(options.device))),
        directory(options.out),
        name_(std::move(name)),
        progress_(options.quiet) {
    if (o.threads > 0) at::set_num_threads(o.threads);
    if (o.groups.size() != o.split_epochs.size())
      throw cleave::ValueError(fmt::format("--groups has {} numbers, --split-epochs {}",
                                           o.groups.size(), o.split_epochs.size()));
    auto& shape = sizes.shape;
    shape.width = o.width;
    fit_strides(shape, static_cast<std::size_t>(data.shape().height));
    shape.image_channels = static_cast<std::size_t>(data.shape().channels);
    shape.classes = static_cast<std::size_t>(data.classes());
    sizes.device = device_of(o.device);
    if (o.latency_table.empty() != (o.most_latency == 0))
      throw cleave::ValueError("--most-latency and --latency-table go together: one says how many "
                               "milliseconds, the other what blocks take");
    if (!o.latency_table.empty()) {
      const auto table = cleave::network::read_latency_table(o.latency_table);
      latency = [table](const cleave::space::MobileNetwork& network) {
        return table.predict(network);
      };
      for (const auto& network : cleave::network::covering(shape)) (void)latency(network);  // it fits
    }
  }

  /// Runs everything that can be resumed; `decisions` are those that may be split.
  void run(const Strategy& strategy, const std::vector<cleave::DecisionId>& decisions,
           cleave::Restart restart) {
    typename Search::Settings settings;
    for (std::size_t i = 0; i < o.split_epochs.size(); ++i)
      settings.schedule.splits.push_back({o.split_epochs[i], o.groups[i]});
    settings.schedule.final_epochs = o.epochs;
    settings.schedule.restart = restart;
    settings.schedule.freeze_architecture = false;
    settings.supernet = sizes;
    settings.network.sizes = sizes;
    settings.trial = {.optimiser = {.rate = {o.network_rate, 0.0}, .weight_decay = 4e-5, .clip = 0},
                      .batch = o.batch};
    settings.retraining = settings.trial;
    settings.retraining.epochs = o.retrain_epochs;
    settings.batch = o.batch;
    settings.seed = o.seed;
    const Search search(
        settings, strategy,
        {.edges = {.decisions = decisions}, .repeats = {.count = o.repeats}}, {.rungs = o.rungs});
    run_and_write(search, cleave::settings_of(search, data), directory, o.resume, data, data,
                  watched(directory, progress_, "search"),
                  [this](const auto& found, const auto& known, const auto& trouble) {
                    result = found;
                    write(known, trouble);
                  });
  }

  void print() const {
    fmt::print("{:<8} {:>9} {:>10} {:>12} {}  architecture\n", "leaf", "valid. %", "MACs, M",
               "parameters", latency ? "      ms " : "");
    for (std::size_t i = 0; i < result.leaves.size(); ++i) {
      const auto& leaf = result.leaves[i];
      const auto& path = result.tree[leaf.node].path;
      const auto cost = cleave::space::cost(leaf.genotype, sizes.shape);
      const auto milliseconds =
          latency ? fmt::format("{:>8.3f} ",
                                latency(cleave::space::network(leaf.genotype, sizes.shape)))
                  : std::string();
      fmt::print("{:<8} {:>9.2f} {:>10.2f} {:>12} {}{} {}\n", path.empty() ? "root" : path,
                 100 * leaf.supernet_accuracy, static_cast<double>(cost.macs) / 1e6, cost.params,
                 milliseconds, i == result.chosen ? '*' : ' ',
                 cleave::to_text<Space>(leaf.genotype));
    }
    fmt::print("\nchosen (*) by validation, retrained alone: test accuracy {:.2f} % on {} images, {} "
               "parameters\nresults: {}\n",
               100 * result.retrained->test_accuracy, result.retrained->test_images,
               result.retrained->parameters,
               std::filesystem::absolute(directory.path()).string());
  }

  [[nodiscard]] typename Net::Config network_config() const { return {.sizes = sizes}; }

  MobileOptions o;
  AnyData data;
  RunDirectory directory;
  cleave::supernet::MobileConfig<std::decay_t<decltype(typename Net::Config{}.sizes.shape)>> sizes{};
  cleave::SearchResult<Space> result{};
  /// Milliseconds by `--latency-table`; empty without one.
  std::function<double(const cleave::space::MobileNetwork&)> latency{};
  /// What a program adds to result.json.
  std::function<void(nlohmann::json&)> amend{};

 private:
  void write(const std::map<std::string, std::string>& settings, const std::string& trouble) {
    write_result(directory, {name_, o.settings, settings}, result, trouble, amend);
    // The leaves' restrictions, for people and programs.
    const auto tree = cleave::to_text(result.tree);
    directory.write("tree.txt", tree);
    if (!(cleave::tree_from_text<Space>(tree) == result.tree))
      throw cleave::DataError("tree.txt does not read back as the tree that was written");
    if (result.chosen)
      directory.write("network.txt", cleave::to_text<Space>(result.genotype()) + "\n");
  }

  std::string name_;
  ProgressLine progress_;
};

}  // namespace example
