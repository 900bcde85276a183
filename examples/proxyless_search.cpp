// ProxylessNAS with gradient-matching splits: weights warm up on random paths, the supernet is split
// over its blocks, every leaf learns its path probabilities, one network is chosen and retrained.
// `proxyless_search --help` explains the options; docs/method.md the method.

#include <cleave/strategy/proxyless.hpp>
#include <cleave/supernet/proxyless.hpp>

#include "support/mobile_search.hpp"

namespace {

using Space = cleave::space::Proxyless;
using Update = cleave::strategy::GateGradient<cleave::strategy::AddLinear>;
using Strategy = cleave::strategy::Proxyless<Update>;

const example::Presets<example::MobileOptions> presets{
    {"small", [](example::MobileOptions&) {}},
    // The paper's recipe: 40 epochs of warm-up, splits at 80 and 120 of 160, 6 leaves.
    {"gm-proxyless",
     [](example::MobileOptions& o) {
       o.width = 1.0;
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
      [](CLI::App& app, example::MobileOptions& o) { example::declare(app, o, presets); });
  return example::exit_code_of("proxyless_search", options.out, [&] {
    example::MobileProgram<Space, Strategy> program("proxyless_search", options);
    Strategy strategy;
    strategy.weights.rate.first *= options.rate_scale;
    strategy.warm_up_rate.first *= options.rate_scale;
    strategy.update.cost.weight = options.most_macs > 0 ? 0.1 : 0.0;
    strategy.update.cost.reference = options.most_macs > 0 ? 1e6 * options.most_macs : 1e6;
    std::vector<cleave::DecisionId> blocks;
    for (std::size_t d = 0; d < Space::decision_count; ++d) blocks.emplace_back(d);
    program.run(strategy, blocks, cleave::Restart::None);
    program.print();
  });
}
