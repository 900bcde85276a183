// Everything that is compiled for CUDA alone, so that it is compiled and linked on every machine:
// LibTorch's package and its headers are there without a device. Runs nothing.
#include <cleave/engine/step_runner.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/snas.hpp>
#include <cleave/supernet/nasbench201.hpp>

using namespace cleave;
using Net = supernet::NasBench201<supernet::Composed>;

template <class Strategy>
at::Tensor one_step(const Strategy& strategy) {
  Net net({}, {.device = at::kCUDA}, Stream(1));
  auto state = strategy.start(net, Stream(2));
  StepRunner<Strategy, Net> take_step(strategy, net, state, true);
  return take_step({}, Stream(3)).loss;
}

int main() {
  static_cast<void>(one_step(strategy::Darts<strategy::SecondOrder>{}));
  static_cast<void>(one_step(strategy::Snas{}));
}
