// The full-size MobileNet supernets at 224x224, random images: one training step's forward and
// backward pass, and one repeat of gradient matching over all kernels or blocks, by whole passes and
// by `ChildGradients`, whose rows must be the same. Prints seconds and peak memory.
// `benchmark_imagenet_supernets [ofa|proxyless] [batch]`

#include <ATen/ops/randint.h>
#include <sys/resource.h>

#include <chrono>
#include <cleave/split/child_gradients.hpp>
#include <cleave/strategy/gates.hpp>
#include <cleave/supernet/ofa.hpp>
#include <cleave/supernet/proxyless.hpp>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

double peak_gib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / (1024.0 * 1024.0);
}

/// `step` is a context of a training step, `context` one whose children are looked at.
template <class Net>
void measure(const char* name, Net& net, const typename Net::Context& step,
             const typename Net::Context& context, const std::vector<cleave::DecisionId>& decisions,
             std::int64_t batch) {
  at::manual_seed(1);
  const auto images = at::randn({batch, 3, 224, 224}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto labels = at::randint(1000, {batch}, at::kLong);
  const auto pass = [&](const typename Net::Context& under) {
    at::cross_entropy_loss(net.forward(images, under), labels).backward();
  };
  fmt::print("{}: {} weights, batch {}, {} thread(s)\n", name, net.arena().size(), batch,
             at::get_num_threads());
  pass(step);  // memory is found, caches are warm
  fmt::print("  forward and backward: {:.2f} s, peak memory {:.2f} GiB\n",
             seconds_of([&] { pass(step); }), peak_gib());

  std::vector<double> sums[2];  // of every row: what both ways must agree on
  std::size_t children = 0;
  const double begun = seconds_of([&] {
    using Children = cleave::split::ChildGradients<Net>;
    Children gradients(net, cleave::max_options<typename Net::Space>);
    gradients.begin({images, labels}, context);
    for (const auto d : Children::deepest_first(decisions)) {
      std::size_t row = 0;
      for (const auto option : net.restriction()[decisions[d]])
        gradients.record(row++, decisions[d], option, cleave::Probe::Hard);
      children += row;
      const auto of_rows = gradients.view(row, {}, {}).rows.square().sum(1);
      for (std::size_t o = 0; o < row; ++o)
        sums[0].push_back(of_rows[static_cast<std::int64_t>(o)].template item<double>());
    }
  });
  fmt::print("  {} decisions, {} children, begun where they leave their context: {:.1f} s, peak "
             "memory {:.2f} GiB\n", decisions.size(), children, begun, peak_gib());
  const double whole = seconds_of([&] {
    cleave::score::GradientRows rows(net.arena(), 1);
    for (const auto d : cleave::split::ChildGradients<Net>::deepest_first(decisions))
      for (const auto option : net.restriction()[decisions[d]]) {
        rows.record(0);
        pass(net.probe(context, decisions[d], option, cleave::Probe::Hard));
        sums[1].push_back(rows.view(1, {}, {}).rows.square().sum().template item<double>());
      }
  });
  fmt::print("  as many whole passes: {:.1f} s, {:.2f} times as long, peak memory {:.2f} GiB\n",
             whole, whole / begun, peak_gib());
  for (std::size_t i = 0; i < sums[0].size(); ++i)
    if (!(std::abs(sums[0][i] - sums[1][i]) <= 1e-4 * sums[1][i]))
      throw std::runtime_error(fmt::format("child {}: {} and {}", i, sums[0][i], sums[1][i]));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string which = argc > 1 ? argv[1] : "ofa";
  const std::int64_t batch = argc > 2 ? std::atoll(argv[2]) : 8;
  cleave::Stream stream(1);
  if (which == "ofa") {
    using Space = cleave::space::Ofa;
    cleave::supernet::Ofa net({}, {}, stream);
    auto subnet = net.largest();  // as in the kernel stage: any kernels, everything else the largest
    for (const auto kernel : Space::decisions(Space::Kind::kernel))
      subnet.set(kernel, cleave::OptionId(stream.below(Space::option_count(kernel))));
    measure("Once-for-all, width 1.2", net, net.largest(), subnet,
            Space::decisions(Space::Kind::kernel), batch);
    return 0;
  }
  using Space = cleave::space::Proxyless;
  cleave::supernet::Proxyless net({}, {}, stream);
  // Two gated paths, as a step of alpha has them in memory.
  const std::vector<double> even(Space::decision_count * cleave::max_options<Space>, 1.0);
  const auto pairs = cleave::strategy::GatePairs<Space>::draw(
      even, net.restriction(), cleave::strategy::GateRule::Unbiased, stream);
  const auto gates = pairs.gates(at::TensorOptions(at::kFloat)).set_requires_grad(true);
  std::vector<cleave::DecisionId> blocks;
  for (std::size_t d = 0; d < Space::decision_count; ++d) blocks.emplace_back(d);
  measure("ProxylessNAS, two gated paths", net, pairs.mixture(gates),
          net.context_of(net.restriction().sample(stream)), blocks, batch);
  return 0;
}
