// Few-shot architecture search on NAS-Bench-201 with every part chosen on the command line.
// `nasbench201_search --help` explains the options; docs/method.md the method.

#include <algorithm>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/cell_svg.hpp>
#include <cleave/select/best_validation.hpp>
#include <cleave/select/oracle.hpp>
#include <cleave/select/successive_halving.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/strategy/snas.hpp>
#include <exception>
#include <map>
#include <optional>
#include <vector>

#include "support/any_data.hpp"
#include "support/chosen_mixer.hpp"
#include "support/chosen_parts.hpp"
#include "support/device_argument.hpp"
#include "support/presets.hpp"
#include "support/program.hpp"
#include "support/report.hpp"
#include "support/resumable.hpp"
#include "support/table_argument.hpp"
#include "support/trouble_argument.hpp"

namespace {

using Space = cleave::space::NasBench201;

struct Options {
  std::string settings;  ///< of the command line, as JSON
  std::string preset = "digits";
  std::string strategy = "darts2";
  std::string split = "gm";
  std::string data = "digits";
  std::vector<std::size_t> split_epochs{4, 8};
  std::size_t groups = 2;
  std::size_t epochs = 8;
  std::string restart = "last";
  std::size_t repeats = 0;
  std::size_t paths = 200;
  std::int64_t channels = 16;
  std::int64_t cells = 1;
  std::size_t batch = 48;
  double alpha_rate = 3e-4;
  std::size_t take = 0;
  std::int64_t size = 0;
  std::vector<std::size_t> rungs{3, 6, 12};
  std::size_t retrain_epochs = 40;
  std::size_t sharpness = 0;
  std::uint64_t seed = 0;
  std::string precision = "float32";
  std::string device = "cpu";
  bool capture_steps = false;
  int threads = 0;
  std::string out = "cleave-run";
  std::string table;
  std::string trouble = "stop";
  bool quiet = false;
  example::ResumeOptions resume{};
};

using Preset = std::function<void(Options&)>;

/// A recipe at the benchmark's size: a strategy, how it splits and when, epochs after that.
Preset recipe(const std::string& strategy, const std::string& split,
              const std::vector<std::size_t>& split_epochs, std::size_t epochs) {
  return [=](Options& o) {
    o.strategy = strategy;
    o.split = split;
    if (!split_epochs.empty()) o.split_epochs = split_epochs;
    o.epochs = epochs;
    o.cells = 5;
    o.retrain_epochs = 200;
    if (split == "gm") o.repeats = 100;
  };
}

/// The recipes of the paper and a small one. What the command line says goes before the preset.
const example::Presets<Options> presets{
    {"digits", [](Options&) {}},
    {"gm-darts", recipe("darts2", "gm", {15, 30}, 30)},
    {"few-shot-darts", recipe("darts2", "exhaustive", {15}, 30)},
    {"one-shot-darts", recipe("darts2", "none", {}, 50)},
    {"gm-snas", recipe("snas", "gm", {15, 30}, 30)},
    {"few-shot-snas", recipe("snas", "exhaustive", {15}, 30)},
    {"one-shot-snas", recipe("snas", "none", {}, 50)},
    {"gm-rsps", recipe("rsps", "gm", {20, 40}, 50)},
    {"few-shot-rsps", recipe("rsps", "exhaustive", {20}, 50)},
    {"one-shot-rsps", recipe("rsps", "none", {}, 90)},
};

/// The whole command line.
void declare(example::CommandLine& line, Options& o) {
  line.setting("--preset", o.preset,
               "starting point: digits (minutes), or a recipe at the paper's size (days on two "
               "cores)", example::one_of(example::names_of(presets)));
  line.setting("--strategy", o.strategy,
               "darts1 (first order), darts2 (second order), snas, rsps (random paths)",
               example::one_of({"darts1", "darts2", "snas", "rsps"}));
  line.setting("--split", o.split,
               "none (one-shot), exhaustive (few-shot NAS), random, gm (gradient matching)",
               example::one_of({"none", "exhaustive", "random", "gm"}));
  line.setting("--split-epochs", o.split_epochs, "epochs at which to split, increasing",
               example::at_least(0));
  line.setting("--groups", o.groups, "children per split (exhaustive takes one per operation)",
               example::between(2, 5));
  line.setting("--epochs", o.epochs, "epochs of every leaf after the last split",
               example::at_least(1));
  line.setting("--restart", o.restart, "which splits start from fresh weights: none, every, last",
               example::one_of({"none", "every", "last"}));
  line.setting("--repeats", o.repeats,
               "gradient matching: fixed number of repeats; 0 stops when certain",
               example::at_least(0));
  line.setting("--paths", o.paths, "rsps: paths that each leaf's architecture is chosen among",
               example::at_least(1));
  line.setting("--data", o.data, example::data_help);
  line.setting("--take", o.take, "use only so many train images (a stratified part); 0 = all",
               example::at_least(0));
  line.setting("--size", o.size, "shrink the images to so many pixels a side; 0 = as they are",
               example::between(0, 4096));
  line.setting("--channels", o.channels, "channels of the first stage", example::between(1, 1024));
  line.setting("--cells", o.cells, "searched cells per stage", example::between(1, 64));
  line.setting("--batch", o.batch, "images per search step", example::between(2, 65536));
  line.setting("--alpha-rate", o.alpha_rate, "learning rate of the alphas (Adam)",
               example::between(0.0, 10.0));
  line.setting("--rungs", o.rungs, "epochs of the leaves' trials, increasing: successive halving",
               example::at_least(1));
  line.setting("--retrain-epochs", o.retrain_epochs, "epochs of the chosen network",
               example::at_least(1));
  line.setting("--sharpness", o.sharpness,
               "validation images on which the largest eigenvalue of the Hessian in alpha is "
               "measured at the end of every leaf; 0 = not measured", example::at_least(0));
  line.setting("--precision", o.precision,
               "how the supernet's edges keep their numbers on the CPU: float32, or bfloat16, "
               "which is faster where the processor has AVX512_BF16",
               example::one_of({"float32", "bfloat16"}));
  line.setting("--capture-steps", o.capture_steps,
               "on a CUDA device: steps of DARTS and SNAS as one CUDA graph");
  example::declare_run(line, o, "run folder: result.json, events.jsonl, pictures");
  line.option("--table", o.table,
               "a NAS-Bench-201 table (CSV or binary): prints the true accuracy of every leaf, and "
               "which one an oracle would take");
  example::declare_trouble(line, o.trouble);
}

class Program {
 public:
  explicit Program(const Options& options)
      : o_(options),
        data_(example::load(options.data, options.take).at_size(options.size)),
        directory_(options.out),
        progress_(options.quiet) {
    example::ChosenMixer::choose(o_.precision);
    if (o_.threads > 0) at::set_num_threads(o_.threads);
    if (!o_.table.empty()) table_.emplace(example::load_table(o_.table));
    const auto device = example::device_of(o_.device, o_.capture_steps);
    data_ = data_.to(device);
    sizes_ = {.channels = o_.channels,
              .cells = o_.cells,
              .image_channels = data_.shape().channels,
              .classes = data_.classes(),
              .device = device};
    recipe_.epochs = o_.retrain_epochs;
    recipe_.batch = 96;
    recipe_.trouble = example::trouble_of(o_.trouble);
  }

  void run() {
    namespace strategy = cleave::strategy;
    if (o_.strategy == "darts1")
      search(strategy::Darts<strategy::FirstOrder>{.alpha = {.rate = o_.alpha_rate}});
    else if (o_.strategy == "snas")
      search(strategy::Snas{.alpha = {.rate = o_.alpha_rate}});
    else if (o_.strategy == "rsps")
      search(strategy::Rsps<>{.paths = o_.paths});
    else
      search(strategy::Darts<strategy::SecondOrder>{.alpha = {.rate = o_.alpha_rate}});
    print();
  }

 private:
  [[nodiscard]] example::ChosenCriterion criterion() const {
    if (o_.split == "random") return {cleave::split::Random{}};
    if (o_.split != "gm") return {cleave::split::Exhaustive{}};
    example::Matching matching{.repeats = {.count = o_.repeats}};
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      matching.edges.decisions.push_back(cleave::DecisionId(d));
    return {matching};
  }

  template <class Strategy>
  void search(const Strategy& strategy) {
    using Search = cleave::FewShotSearch<Space, Strategy, example::ChosenCriterion,
                                         cleave::select::SuccessiveHalving,
                                         cleave::supernet::NasBench201<example::ChosenMixer>>;
    typename Search::Settings settings;
    if (o_.split != "none")
      for (const auto epoch : o_.split_epochs) settings.schedule.splits.push_back({epoch, o_.groups});
    settings.schedule.final_epochs = o_.epochs;
    settings.schedule.restart = example::restart_of(o_.restart);
    settings.supernet = sizes_;
    settings.network = sizes_;
    settings.trial = settings.retraining = recipe_;
    settings.batch = o_.batch;
    settings.seed = o_.seed;
    settings.sharpness_images = o_.sharpness;
    settings.trouble = recipe_.trouble;
    const Search host(settings, strategy, criterion(), {.rungs = o_.rungs});
    auto control = example::watched(directory_, progress_, "search");
    control.capture_steps = o_.capture_steps;
    example::run_and_write(host, cleave::settings_of(host, data_), directory_, o_.resume, data_,
                           data_, control,
                           [this](const auto& result, const auto& known, const auto& trouble) {
                             result_ = result;
                             write(known, trouble);
                           });
  }

  void write(const std::map<std::string, std::string>& settings, const std::string& trouble) const {
    example::write_result(directory_, {"nasbench201_search", o_.settings, settings}, result_, trouble);
    example::write_heat_maps(directory_, "gm", result_);
    if (result_.chosen)
      directory_.write("cell.svg",
                       cleave::report::cell_svg(result_.genotype(), "The chosen cell"));
  }

  void print() const {
    fmt::print("{:<8} {:>8} {:>8} {:>7} {:>7}   {}\n", "leaf", "valid. %", "entropy", "skip",
               "none", "architecture");
    for (std::size_t i = 0; i < result_.leaves.size(); ++i) {
      const auto& leaf = result_.leaves[i];
      const auto& path = result_.tree[leaf.node].path;
      fmt::print("{:<8} {:>8.2f} {} {} {}", path.empty() ? "root" : path,
                 100 * leaf.supernet_accuracy, alphas(leaf.alpha), i == result_.chosen ? '*' : ' ',
                 Space::to_text(leaf.genotype));
      if (table_) fmt::print("   true {:.2f} %", truth(leaf.genotype));
      if (leaf.alpha && leaf.alpha->sharpness)
        fmt::print("   eigenvalue {:.3g}", *leaf.alpha->sharpness);
      if (!cleave::is_network<Space>(leaf.genotype)) fmt::print("   no way to the output");
      fmt::print("\n");
    }
    print_other_choices();
    fmt::print("\nchosen (*) by validation, retrained: test accuracy {:.2f} % on {} images, {} "
               "parameters\nresults: {}\n",
               100 * result_.retrained->test_accuracy, result_.retrained->test_images, result_.retrained->parameters,
               std::filesystem::absolute(directory_.path()).string());
  }

  /// The columns on alpha; a strategy of paths has none.
  static std::string alphas(const std::optional<cleave::AlphaHealth>& health) {
    if (!health) return fmt::format("{:>8} {:>7} {:>7}", "-", "-", "-");
    return fmt::format("{:>8.3f} {:>7.3f} {:>7.3f}", health->entropy, health->skip_share,
                       health->none_share);
  }

  /// What other ways to choose would have taken of several leaves.
  void print_other_choices() const {
    if (result_.leaves.size() < 2) return;
    const auto name = [&](const auto& selection) {
      return result_.tree[result_.leaves[result_.chosen_by(selection)].node].path;
    };
    fmt::print("\nby accuracy inside its supernet: leaf {}", name(cleave::select::BestValidation{}));
    if (table_)
      fmt::print("; by the table (oracle): leaf {}",
                 name(cleave::select::Oracle<Space>{
                     [this](const auto& architecture) { return truth(architecture); }}));
    fmt::print("\n");
  }

  /// Test accuracy in the table, on the benchmark's data set that was searched on, else CIFAR-10.
  [[nodiscard]] double truth(const cleave::Architecture<Space>& architecture) const {
    using namespace cleave::tabular;
    const auto set = data_.name() == "cifar100"         ? DataSetName::Cifar100
                     : data_.name() == "imagenet16-120" ? DataSetName::ImageNet16
                                                        : DataSetName::Cifar10;
    return table_->value(architecture, {set, Metric::TestAccuracy});
  }

  Options o_;
  example::AnyData data_;
  std::optional<cleave::tabular::NasBench201Table> table_{};
  example::RunDirectory directory_;
  example::ProgressLine progress_;
  cleave::supernet::NasBench201Config sizes_{};
  cleave::network::Recipe recipe_{};
  cleave::SearchResult<Space> result_{};
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = example::read_options(
      argc, argv,
      "Few-shot architecture search on NAS-Bench-201: train a supernet, split it, search "
      "inside the parts, choose one architecture by validation, retrain and test it",
      presets, declare);
  return example::exit_code_of("nasbench201_search", options.out, [&] { Program(options).run(); });
}
