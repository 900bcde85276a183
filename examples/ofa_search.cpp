// Once-for-all with gradient-matching splits: the full network, then elastic kernels, over which the
// supernet is split; every leaf goes on from the full network through all stages, and evolution finds
// its best subnet under a limit. The chosen one is taken out of its leaf with its weights, its batch
// norm re-estimated, and tested; and retrained from scratch beside it.
// `ofa_search --help` explains the options; docs/method.md the method.

#include <cleave/core/crc32c.hpp>
#include <cleave/network/extract.hpp>
#include <cleave/strategy/once_for_all.hpp>

#include "support/mobile_search.hpp"

namespace {

using Space = cleave::space::Ofa;
using Strategy = cleave::strategy::OnceForAll<>;
using cleave::data::Part;

const example::Presets<example::MobileOptions> presets{
    {"small", [](example::MobileOptions&) {}},
    // The paper's recipe: full network 180 epochs, kernel stage split at 30, 60 and 90 of 120, leaves
    // from the full network through kernel, depth and expand.
    {"gm-ofa",
     [](example::MobileOptions& o) {
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
      [](CLI::App& app, example::MobileOptions& o) { example::declare(app, o, presets); });
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
    if (!paper) strategy.evolution = {.population = 20, .generations = 5};
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
    program.run(strategy, Space::decisions(Space::Kind::kernel), cleave::Restart::LastSplit);
    program.print();

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
