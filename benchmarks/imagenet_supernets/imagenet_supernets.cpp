// The full-size MobileNet supernets at 224x224, random images: one training step's forward and
// backward pass, and what gradient matching does with one decision. Prints seconds and peak memory.
// `benchmark_imagenet_supernets [ofa|proxyless] [batch]`

#include <sys/resource.h>

#include <chrono>
#include <cleave/score/cosine.hpp>
#include <cleave/score/gradient_rows.hpp>
#include <cleave/strategy/gates.hpp>
#include <cleave/supernet/ofa.hpp>
#include <cleave/supernet/proxyless.hpp>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>

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

/// `step` is a context of a training step, `context` one that is probed.
template <class Net>
void measure(const char* name, Net& net, const typename Net::Context& step,
             const typename Net::Context& context, cleave::DecisionId decision,
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
  const auto options = net.restriction()[decision];
  const double probe = seconds_of([&] {
    cleave::score::GradientRows rows(net.arena(), options.size());
    std::size_t row = 0;
    for (const auto option : options) {
      rows.record(row++);
      pass(net.probe(context, decision, option, cleave::Probe::Hard));
    }
    const auto shared = net.arena().shared_by(decision);
    const auto slices = net.arena().slices_shared_by(decision);
    const at::Tensor matrix = cleave::score::Cosine{}(rows.view(row, shared, slices));
    if (!matrix.isfinite().all().template item<bool>()) throw std::runtime_error("not finite");
  });
  fmt::print("  one decision of {} options scored: {:.2f} s, peak memory {:.2f} GiB\n",
             options.size(), probe, peak_gib());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string which = argc > 1 ? argv[1] : "ofa";
  const std::int64_t batch = argc > 2 ? std::atoll(argv[2]) : 8;
  cleave::Stream stream(1);
  if (which == "ofa") {
    cleave::supernet::Ofa net({}, {}, stream);
    measure("Once-for-all, width 1.2", net, net.largest(), net.largest(),
            cleave::space::Ofa::kernel(9), batch);
    return 0;
  }
  using Space = cleave::space::Proxyless;
  cleave::supernet::Proxyless net({}, {}, stream);
  // Two gated paths, as a step of alpha has them in memory.
  const std::vector<double> even(Space::decision_count * cleave::max_options<Space>, 1.0);
  const auto pairs = cleave::strategy::GatePairs<Space>::draw(
      even, net.restriction(), cleave::strategy::GateRule::Unbiased, stream);
  const auto gates = pairs.gates(at::TensorOptions(at::kFloat)).set_requires_grad(true);
  cleave::Architecture<Space> path;
  for (std::size_t d = 0; d < Space::decision_count; ++d) path.set(cleave::DecisionId(d), cleave::OptionId(5));
  measure("ProxylessNAS, two gated paths", net, pairs.mixture(gates), net.context_of(path),
          cleave::DecisionId(9), batch);
  return 0;
}
