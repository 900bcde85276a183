// ProxylessNAS with gradient-matching splits: weights warm up on random paths, the supernet is split
// over its blocks, every leaf learns its path probabilities, one network is chosen and retrained.
// `proxyless_search --help` explains the options; docs/method.md the method.

#include <cleave/strategy/proxyless.hpp>
#include <cleave/supernet/proxyless.hpp>
#include <utility>
#include <variant>

#include "support/mobile_search.hpp"

namespace {

using Space = cleave::space::Proxyless;

/// The update of alpha that `--alpha-by` names.
struct Update {
  using AddLinear = cleave::strategy::GateGradient<cleave::strategy::AddLinear>;
  using MulLog = cleave::strategy::GateGradient<cleave::strategy::MulLog>;
  static constexpr std::string_view name = "one of several";
  std::variant<cleave::strategy::GateGradient<>, AddLinear, MulLog, cleave::strategy::Reinforce> by{};

  void check(const cleave::strategy::OptionCosts& costs) const {
    std::visit([&](const auto& update) { update.check(costs); }, by);
  }
  template <class... Arguments>
  at::Tensor step(Arguments&&... arguments) const {
    return std::visit(
        [&](const auto& update) { return update.step(std::forward<Arguments>(arguments)...); }, by);
  }
  template <class F>
  void fields(F&& field) const {
    std::visit([&](const auto& update) {
      field("by", update.name);
      field("update", update);
    }, by);
  }
};
using Strategy = cleave::strategy::Proxyless<Update>;

struct Options : example::MobileOptions {
  std::string alpha_by = "add-linear";
};

/// What --alpha-by says, with `reference` in the unit of costs; 0: costs do not matter.
Update update_of(const std::string& alpha_by, double reference) {
  if (alpha_by == "reinforce")
    return {cleave::strategy::Reinforce{.tradeoff = reference > 0 ? -0.07 : 0.0,
                                        .reference = reference > 0 ? reference : 1.0}};
  if (reference == 0) return {};
  if (alpha_by == "mul-log") return {Update::MulLog{.cost = {.reference = reference}}};
  return {Update::AddLinear{.cost = {.reference = reference}}};
}

const example::Presets<Options> presets{
    {"small", [](Options& o) { o.rate_scale = 0.4, o.network_rate = 0.02; }},  // docs/limits.md
    // The paper's recipe: 40 epochs of warm-up, splits at 80 and 120 of 160, 6 leaves.
    {"gm-proxyless",
     [](Options& o) {
       o.width = 1.0;
       o.rate_scale = 1;
       o.split_epochs = {80, 120};
       o.groups = {2, 3};
       o.epochs = 40;
       o.repeats = 100;
       o.batch = 512;
       o.most_macs = 600;
       o.rungs = {3, 6, 12};
       o.retrain_epochs = 450;
     }},
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = example::read_options(
      argc, argv, "ProxylessNAS with gradient-matching splits", presets,
      [](example::CommandLine& line, Options& o) {
        example::declare(line, o, presets);
        line.setting("--alpha-by", o.alpha_by,
                     "how alphas learn what networks cost: add-linear or mul-log (gate gradients), "
                     "reinforce", example::one_of({"add-linear", "mul-log", "reinforce"}));
      });
  return example::exit_code_of("proxyless_search", options.out, [&] {
    example::MobileProgram<Space, Strategy> program("proxyless_search", options);
    Strategy strategy;
    strategy.weights.rate.first *= options.rate_scale;
    strategy.warm_up_rate.first *= options.rate_scale;
    if (options.most_latency > 0 && options.most_macs > 0)
      throw cleave::ValueError("--most-macs and --most-latency: ProxylessNAS has one cost term");
    double reference = 1e6 * options.most_macs;
    if (options.most_latency > 0) {
      strategy.cost = [&](const cleave::space::MobileNetwork& network) {
        return 1e3 * program.latency(network);  // microseconds have positive logarithms
      };
      reference = 1e3 * options.most_latency;
    }
    strategy.update = update_of(options.alpha_by, reference);
    std::vector<cleave::DecisionId> blocks;
    for (std::size_t d = 0; d < Space::decision_count; ++d) blocks.emplace_back(d);
    program.run(strategy, blocks, cleave::Restart::None);
    program.print();
  });
}
