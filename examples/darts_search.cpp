// Few-shot architecture search on the DARTS space, from supernet to retrained network, with every
// part chosen on the command line. `darts_search --help` explains the options; docs/method.md the
// method; `darts_retrain` trains the genotype it finds again, for longer.

#include <cleave/engine/few_shot_search.hpp>
#include <cleave/engine/retrain.hpp>
#include <cleave/network/darts.hpp>
#include <cleave/report/darts_cell_svg.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/strategy/snas.hpp>
#include <exception>
#include <map>
#include <optional>
#include <vector>

#include "support/any_data.hpp"
#include "support/chosen_parts.hpp"
#include "support/device_argument.hpp"
#include "support/presets.hpp"
#include "support/program.hpp"
#include "support/report.hpp"
#include "support/resumable.hpp"
#include "support/trouble_argument.hpp"

namespace {

using Space = cleave::space::Darts;
using Net = cleave::network::Darts;

struct Options {
  std::string settings;  ///< of the command line, as JSON
  std::string preset = "digits";
  std::string strategy = "darts1";
  std::string split = "gm";
  std::vector<std::string> edges{"normal"};
  std::string probe = "soft";
  std::string derive = "fair";
  std::string data = "digits";
  std::vector<std::size_t> split_epochs{2, 4};
  std::size_t groups = 2;
  std::size_t epochs = 6;
  std::string restart = "last";
  bool freeze = true;
  std::size_t repeats = 4;
  std::int64_t channels = 4;
  std::int64_t cells = 3;
  std::size_t batch = 64;
  double alpha_rate = 0.02;
  std::size_t take = 0;
  std::vector<std::size_t> rungs{2, 4};
  std::int64_t network_channels = 8;
  std::int64_t network_cells = 6;
  std::size_t retrain_epochs = 30;
  double drop_path = 0.2;
  double auxiliary = 0.4;
  int cutout = 0;
  std::size_t sharpness = 0;
  std::uint64_t seed = 0;
  std::string device = "cpu";
  bool capture_steps = false;
  int threads = 0;
  std::string out = "cleave-run";
  std::string trouble = "stop";
  bool quiet = false;
  example::ResumeOptions resume{};
};

/// What the papers' recipes on CIFAR-10 have in common.
void papers(Options& o) {
  o.alpha_rate = 3e-4;
  o.channels = 16;
  o.cells = 8;
  o.repeats = 100;
  o.rungs = {10, 20, 40};
  o.network_channels = 36;
  o.network_cells = 20;
  o.retrain_epochs = 600;
  o.cutout = 16;
}
void gm(Options& o) {
  papers(o);
  o.split_epochs = {2, 4, 6};
  o.epochs = 15;
}

/// The recipes and a small one. What the command line says goes before the preset.
const example::Presets<Options> presets{
    {"digits", [](Options&) {}},
    {"gm-darts", gm},
    {"gm-snas",
     [](Options& o) {
       gm(o);
       o.strategy = "snas";
     }},
    {"few-shot-darts",
     [](Options& o) {
       papers(o);
       o.split = "exhaustive";
       o.split_epochs = {0};
       o.epochs = 20;
       o.freeze = false;
     }},
    {"one-shot",
     [](Options& o) {
       papers(o);
       o.split = "none";
       o.epochs = 50;
     }},
};

/// The whole command line.
void declare(example::CommandLine& line, Options& o) {
  const auto one_of = [&](const char* name, std::string& value, std::vector<std::string> allowed,
                          const char* help) {
    line.setting(name, value, help, example::one_of(allowed));
  };
  const auto size = [&](const char* name, auto& value, std::int64_t least, const char* help) {
    line.setting(name, value, help, example::between(least, std::int64_t{1} << 20));
  };
  one_of("--preset", o.preset, example::names_of(presets),
         "starting point: digits (minutes), or a recipe of the papers for CIFAR-10: gm-darts, "
         "gm-snas, few-shot-darts, one-shot (weeks on two cores)");
  one_of("--strategy", o.strategy, {"darts1", "darts2", "snas", "rsps"},
         "darts1 (first order), darts2 (second order), snas, rsps");
  one_of("--split", o.split, {"none", "exhaustive", "random", "gm"},
         "none (one-shot), exhaustive (few-shot NAS), random, gm (gradient matching)");
  line.setting("--edges", o.edges,
               "gradient matching: which edges may be split: normal, reduction, all, or numbers 0 "
               "(normal 2<-0) to 27 (reduction 5<-4)");
  one_of("--probe", o.probe, {"soft", "hard"},
         "gradient matching: a probed operation keeps its own weight, or takes weight 1");
  one_of("--derive", o.derive, {"fair", "literal"},
         "how edges are ranked: fair between split and unsplit ones, or by the largest weight");
  line.setting("--split-epochs", o.split_epochs, "epochs at which to split, increasing",
               example::at_least(0));
  size("--groups", o.groups, 2, "children per split (exhaustive takes one per operation)");
  size("--epochs", o.epochs, 1, "epochs of every leaf after the last split");
  one_of("--restart", o.restart, {"none", "every", "last"},
         "which splits start from fresh weights");
  line.setting("--freeze,!--no-freeze", o.freeze, "alphas stay uniform until the last split");
  size("--repeats", o.repeats, 0,
       "gradient matching: fixed number of repeats; 0 stops when certain");
  line.setting("--data", o.data, example::data_help);
  size("--take", o.take, 0, "use only so many train images (a stratified part); 0 = all");
  size("--channels", o.channels, 1, "channels of the supernet's first cells");
  size("--cells", o.cells, 1, "cells of the supernet");
  size("--batch", o.batch, 2, "images per search step");
  line.setting("--alpha-rate", o.alpha_rate, "learning rate of the alphas (Adam)",
               example::between(0.0, 10.0));
  line.setting("--rungs", o.rungs, "epochs of the leaves' trials, increasing: successive halving",
               example::at_least(1));
  size("--network-channels", o.network_channels, 1, "channels of the stand-alone network");
  size("--network-cells", o.network_cells, 1, "cells of the stand-alone network");
  size("--retrain-epochs", o.retrain_epochs, 1, "epochs of the chosen network");
  line.setting("--drop-path", o.drop_path, "drop-path probability at the end of training");
  line.setting("--auxiliary", o.auxiliary, "weight of the auxiliary head; 0: none");
  size("--cutout", o.cutout, 0, "side of the cutout while retraining; 0: none");
  size("--sharpness", o.sharpness, 0,
       "validation images on which the largest eigenvalue of the Hessian in alpha is measured at "
       "the end of every leaf; 0 = not measured");
  line.setting("--capture-steps", o.capture_steps,
               "on a CUDA device: steps of DARTS and SNAS as one CUDA graph");
  example::declare_run(line, o, "run folder: result.json, genotype.txt, events.jsonl, pictures");
  example::declare_trouble(line, o.trouble);
}

class Program {
 public:
  explicit Program(const Options& options)
      : o_(options),
        data_(example::load(options.data, options.take)),
        directory_(options.out),
        progress_(options.quiet) {
    if (o_.threads > 0) at::set_num_threads(o_.threads);
    const auto device = example::device_of(o_.device, o_.capture_steps);
    data_ = data_.to(device);
    supernet_ = {.channels = o_.channels,
                 .cells = o_.cells,
                 .image_channels = data_.shape().channels,
                 .classes = data_.classes(),
                 .device = device};
    network_ = {.sizes = supernet_, .drop_path = o_.drop_path, .auxiliary_weight = o_.auxiliary};
    network_.sizes.channels = o_.network_channels;
    network_.sizes.cells = o_.network_cells;
    recipe_.epochs = o_.retrain_epochs;
    recipe_.trouble = example::trouble_of(o_.trouble);
  }

  void run() {
    namespace strategy = cleave::strategy;
    // Search on this space: SGD without Nesterov, weight decay 3e-4 (method.md section 3).
    const strategy::Sgd weights{.weight_decay = 3e-4, .nesterov = false};
    const auto derived = [&](auto strategy) {
      strategy.weights = weights;
      strategy.rule = {.literal = o_.derive == "literal"};
      return strategy;
    };
    const auto darts = [&](auto strategy) {
      strategy.alpha.rate = o_.alpha_rate;
      if (o_.freeze) strategy.alpha_deviation = 0;  // exactly uniform while frozen
      return derived(strategy);
    };
    using example::ChosenRule;
    using strategy::DerivedBy;
    if (o_.strategy == "darts1") {
      search(darts(DerivedBy<strategy::Darts<strategy::FirstOrder>, ChosenRule>{}));
    } else if (o_.strategy == "darts2") {
      search(darts(DerivedBy<strategy::Darts<strategy::SecondOrder>, ChosenRule>{}));
    } else if (o_.strategy == "snas") {
      DerivedBy<strategy::Snas, ChosenRule> snas{};
      snas.temperature.last = 0.03;
      snas.alpha.rate = o_.alpha_rate;
      search(derived(snas));
    } else {
      strategy::Rsps<> rsps{};
      rsps.weights = weights;
      search(rsps);
    }
    print();
  }

 private:
  /// The decisions that --edges names. Throws `ValueError` for a word that names none.
  [[nodiscard]] std::vector<cleave::DecisionId> edges() const {
    std::vector<cleave::DecisionId> named;
    for (const auto& word : o_.edges) {
      const auto before = named.size();
      for (const bool reduction : {false, true})
        for (const auto decision : Space::cell_decisions(reduction))
          if (word == "all" || word == (reduction ? "reduction" : "normal") ||
              word == std::to_string(decision.index()))
            named.push_back(decision);
      if (named.size() == before)
        throw cleave::ValueError(
            fmt::format("--edges {}: allowed are normal, reduction, all and 0 to {}", word,
                        Space::decision_count - 1));
    }
    return named;
  }

  [[nodiscard]] example::ChosenCriterion criterion() const {
    if (o_.split == "random") return {cleave::split::Random{}};
    if (o_.split != "gm") return {cleave::split::Exhaustive{}};
    return {example::Matching{.edges = {.decisions = edges()},
                              .repeats = {.count = o_.repeats},
                              .probe = o_.probe == "soft" ? cleave::Probe::Soft
                                                          : cleave::Probe::Hard}};
  }

  template <class Strategy>
  void search(const Strategy& strategy) {
    using Search = cleave::FewShotSearch<Space, Strategy, example::ChosenCriterion>;
    typename Search::Settings settings;
    if (o_.split != "none")
      for (const auto epoch : o_.split_epochs)
        settings.schedule.splits.push_back({epoch, o_.groups});
    settings.schedule.final_epochs = o_.epochs;
    settings.schedule.freeze_architecture = o_.freeze;
    settings.schedule.restart = example::restart_of(o_.restart);
    settings.supernet = supernet_;
    settings.network = network_;
    settings.trial = settings.retraining = recipe_;
    settings.batch = o_.batch;
    settings.seed = o_.seed;
    settings.sharpness_images = o_.sharpness;
    settings.trouble = recipe_.trouble;
    const Search host(settings, strategy, criterion(), {.rungs = o_.rungs});
    auto control = example::watched(directory_, progress_, "search");
    control.capture_steps = o_.capture_steps;
    auto all_settings = cleave::settings_of(host, data_);
    all_settings("cutout", o_.cutout);
    example::run_and_write(host, all_settings, directory_, o_.resume, data_,
                           data_.with_cutout(o_.cutout), control,
                           [this](const auto& result, const auto& known, const auto& trouble) {
                             result_ = result;
                             write(known, trouble);
                           });
  }

  void write(const std::map<std::string, std::string>& settings, const std::string& trouble) const {
    example::write_result(directory_, {"darts_search", o_.settings, settings}, result_, trouble);
    example::write_heat_maps(directory_, "gm", result_);
    if (!result_.chosen) return;
    const auto& genotype = result_.genotype();
    directory_.write("genotype.txt", Space::to_text(genotype) + "\n");
    for (const bool reduction : {false, true})
      directory_.write(reduction ? "cell_reduction.svg" : "cell_normal.svg",
                       cleave::report::darts_cell_svg(genotype, reduction, "The chosen genotype"));
  }

  /// The last validation accuracy of a leaf's network alone, in percent; nothing if never tried.
  [[nodiscard]] std::string alone(std::size_t leaf) const {
    std::string text = "-";
    for (const auto& trial : result_.trials)
      if (trial.candidate == leaf)
        text = fmt::format("{:.2f} after {}", 100 * trial.accuracy, trial.epochs);
    return text;
  }

  void print() const {
    fmt::print("{:<10} {:>14} {:>8} {:>7}   {}\n", "leaf", "in supernet %", "entropy", "skip",
               "alone, % after epochs");
    for (std::size_t i = 0; i < result_.leaves.size(); ++i) {
      const auto& leaf = result_.leaves[i];
      const auto& path = result_.tree[leaf.node].path;
      fmt::print("{:<10} {:>14.2f} {:>8} {:>7} {} {}\n", path.empty() ? "root" : path,
                 100 * leaf.supernet_accuracy,
                 leaf.alpha ? fmt::format("{:.3f}", leaf.alpha->entropy) : "-",
                 leaf.alpha ? fmt::format("{:.3f}", leaf.alpha->skip_share) : "-",
                 i == result_.chosen ? '*' : ' ', alone(i));
    }
    fmt::print("\nchosen (*) by validation: {}\nretrained {} epochs: test accuracy {:.2f} % on {} "
               "images, {} parameters\nresults: {}\n",
               Space::to_text(result_.genotype()), o_.retrain_epochs,
               100 * result_.retrained->test_accuracy, result_.retrained->test_images, result_.retrained->parameters,
               std::filesystem::absolute(directory_.path()).string());
  }

  Options o_;
  example::AnyData data_;
  example::RunDirectory directory_;
  example::ProgressLine progress_;
  cleave::supernet::DartsConfig supernet_{};
  cleave::network::DartsConfig network_{};
  cleave::network::Recipe recipe_ = cleave::network::Recipe::darts();
  cleave::SearchResult<Space> result_{};
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = example::read_options(
      argc, argv,
      "Few-shot architecture search on the DARTS space: train a supernet, split it, search "
      "inside the parts, choose one genotype by validation, retrain and test it",
      presets, declare);
  return example::exit_code_of("darts_search", options.out, [&] { Program(options).run(); });
}
