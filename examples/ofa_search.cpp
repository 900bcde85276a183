// Once-for-all with gradient-matching splits: the full network, then elastic kernels, over which the
// supernet is split; every leaf goes on from the full network through all stages, and evolution finds
// its best subnet under a limit. The chosen one is taken out of its leaf with its weights, its batch
// norm re-estimated, and tested; and retrained from scratch beside it.
// `ofa_search --help` explains the options; docs/method.md the method.

#include <cleave/core/crc32c.hpp>
#include <cleave/network/extract.hpp>
#include <cleave/strategy/accuracy_predictor.hpp>
#include <cleave/strategy/once_for_all.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <variant>

#include "support/mobile_search.hpp"

namespace {

using Space = cleave::space::Ofa;
using cleave::data::Part;

/// Where evolution's accuracies come from: `--predictor`.
struct Estimator {
  static constexpr std::string_view name = "one of several";
  std::variant<cleave::strategy::Measured, cleave::strategy::Predicted> by{};

  [[nodiscard]] cleave::strategy::Estimate<Space> operator()(
      const cleave::Restriction<Space>& allowed,
      const cleave::strategy::AccuracyOf<Space>& measured, const cleave::Stream& stream) const {
    return std::visit([&](const auto& estimator) { return estimator(allowed, measured, stream); },
                      by);
  }
  template <class F>
  void fields(F&& field) const {
    std::visit([&](const auto& estimator) { field("by", estimator); }, by);
  }
};
using Strategy =
    cleave::strategy::OnceForAll<cleave::strategy::Progressive, Estimator>;

struct Options : example::MobileOptions {
  std::size_t predictor = 0;
  std::size_t judged_batches = 0;
};

const example::Presets<Options> presets{
    {"small", [](Options&) {}},
    // The paper's recipe: full network 180 epochs, kernel stage split at 30, 60 and 90 of 120, leaves
    // from the full network through kernel, depth and expand.
    {"gm-ofa",
     [](Options& o) {
       o.width = 1.2;
       o.split_epochs = {210, 240, 270};
       o.groups = {2, 2, 2};
       o.epochs = 400;
       o.repeats = 100;
       o.batch = 512;
       o.most_macs = 600;
       o.rungs = {3, 6, 12};
       o.retrain_epochs = 450;
     }},
};

/// What the file of a leaf's predictor says of it; null when there is none.
nlohmann::json read_quality(const std::filesystem::path& path) {
  std::ifstream file(path);
  return file ? nlohmann::json::parse(file) : nlohmann::json();
}

/// Where a leaf's best subnet lies, by the leaf's restriction.
std::string file_of(const cleave::Restriction<Space>& leaf) {
  std::vector<std::uint32_t> masks;
  for (std::size_t d = 0; d < Space::decision_count; ++d)
    masks.push_back(leaf[cleave::DecisionId(d)].mask());
  return fmt::format("leaf_{:08x}.network", cleave::crc32c(std::as_bytes(std::span(masks))));
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = example::read_options(
      argc, argv, "Once-for-all with gradient-matching splits", presets,
      [](example::CommandLine& line, Options& o) {
        example::declare(line, o, presets);
        line.setting("--predictor", o.predictor,
                     "measure so many subnets of a leaf, train a predictor of accuracy on them, "
                     "and let it lead evolution; 0 = measure every subnet that evolution looks at",
                     example::at_least(0));
        line.setting("--judged-batches", o.judged_batches,
                     "batches of held-out images that a subnet is measured on; 0 = all",
                     example::at_least(0));
      });
  return example::exit_code_of("ofa_search", options.out, [&] {
    example::MobileProgram<Space, Strategy> program("ofa_search", options);
    const bool paper = options.preset == "gm-ofa";
    Strategy strategy;
    strategy.sampler.stages = cleave::strategy::Progressive::until_kernel();
    for (auto* stages : {&strategy.sampler.stages, &strategy.sampler.after_restart})
      for (auto& stage : *stages) {
        if (!paper) stage.share = 1;  // short runs see every stage
        stage.rate.first *= options.rate_scale;
      }
    if (paper) strategy.sampler.stages[1].share = 90;  // the last split ends the kernel stage
    if (!paper)
      strategy.evolution = options.predictor == 0
                               ? cleave::strategy::Evolution{.population = 20, .generations = 5}
                               : cleave::strategy::Evolution{.population = 50, .generations = 40};
    strategy.judged_batches = options.judged_batches;
    if (options.predictor > 0)
      strategy.estimator.by = cleave::strategy::Predicted{.samples = options.predictor};
    if (options.most_macs > 0) strategy.limits.most_macs = 1e6 * options.most_macs;
    if (options.most_latency > 0) {
      strategy.latency = program.latency;
      strategy.limits.most_latency = options.most_latency;
    }
    const auto macs = [&](const cleave::Architecture<Space>& subnet) {
      return cleave::space::cost(subnet, program.sizes.shape).macs;
    };
    strategy.judged = [&](const cleave::supernet::Ofa& leaf, const auto& subnets) {
      auto best = cleave::network::extract(leaf, cleave::strategy::best_of(subnets).architecture);
      const auto file = file_of(leaf.restriction());
      cleave::network::save(program.directory.path() / file, best);
      std::string front = "MACs,accuracy,architecture\n";
      for (const auto& one : cleave::strategy::pareto_front(subnets, macs))
        front += fmt::format("{},{:.4f},\"{}\"\n", macs(one.architecture), one.accuracy,
                             Space::to_text(one.architecture));
      program.directory.write(file + ".front.csv", front);
    };
    // Told when a leaf is searched and kept in a file: a run that goes on is not told again.
    const std::string quality_file = ".predictor.json";
    strategy.estimated = [&](const cleave::supernet::Ofa& leaf, const auto& quality) {
      const nlohmann::json text = {{"fitted", quality.fitted},
                                   {"held_out", quality.held_out},
                                   {"kendall_tau_b", quality.tau},
                                   {"rmse", quality.rmse}};
      program.directory.write(file_of(leaf.restriction()) + quality_file, text.dump(1) + "\n");
    };
    const auto quality_of = [&](const auto& result, std::size_t leaf) {
      const auto& allowed = result.tree[result.leaves[leaf].node].restriction;
      return read_quality(program.directory.path() / (file_of(allowed) + quality_file));
    };
    if (options.predictor > 0)
      program.amend = [&](nlohmann::json& report) {
        for (std::size_t i = 0; i < program.result.leaves.size(); ++i)
          report["search"]["leaves"][i]["predictor"] = quality_of(program.result, i);
      };
    program.run(strategy, Space::decisions(Space::Kind::kernel), cleave::Restart::LastSplit);
    program.print();
    for (std::size_t i = 0; options.predictor > 0 && i < program.result.leaves.size(); ++i) {
      const auto quality = quality_of(program.result, i);
      const auto tau = quality["kendall_tau_b"];  // null where everything was equal
      fmt::print("leaf {}: predictor of {} subnets, on {} others: tau-b {}, error {:.2f} points\n",
                 program.result.tree[program.result.leaves[i].node].path,
                 quality["fitted"].template get<std::size_t>(),
                 quality["held_out"].template get<std::size_t>(),
                 tau.is_null() ? "undefined" : fmt::format("{:.3f}", tau.template get<double>()),
                 100 * quality["rmse"].template get<double>());
    }

    const auto& chosen = program.result.leaves[*program.result.chosen];
    const auto file = file_of(program.result.tree[chosen.node].restriction);
    auto subnet = cleave::network::load<cleave::network::Ofa>(program.directory.path() / file,
                                                              program.network_config());
    auto images = cleave::network::all_images(program.data, Part::Train);
    cleave::Stream(options.seed).fork("re-estimation").shuffle(std::span(images));
    images.resize(std::min<std::size_t>(images.size(), 2000));
    cleave::network::reestimate_statistics(subnet, program.data, Part::Train, images, 200);
    const auto tests = cleave::network::all_images(program.data, Part::Test);
    const double accuracy =
        cleave::data::accuracy(program.data, Part::Test, tests, [&](const at::Tensor& x) {
          return subnet.forward(x, false);
        });
    cleave::network::save(program.directory.path() / "chosen.network", subnet);
    fmt::print("taken out of its leaf ({}), batch norm re-estimated: test accuracy {:.2f} %\n", file,
               100 * accuracy);
  });
}
