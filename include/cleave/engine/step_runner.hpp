#pragma once

#include <cleave/core/error.hpp>
#include <cleave/strategy/concept.hpp>
#include <optional>

#ifdef CLEAVE_CUDA
#include <cleave/engine/cuda_graph_step.hpp>
#endif

namespace cleave {

/// Takes a strategy's steps on one supernet: one operation after another, or, on a CUDA device and
/// when asked to, as a captured graph (`CudaGraphStep`). The steps are the same. Tensors of supernet
/// and state may change in between (a rollback copies into them), but must not be replaced.
template <class Strategy, class Net>
class StepRunner {
 public:
  using State = typename Strategy::template State<Net>;

  /// Throws `DeviceError` when capture is asked for on a CUDA device in a program that was
  /// compiled without it. On other devices, and for strategies without `prepare` and `apply`,
  /// there is nothing to capture.
  StepRunner(const Strategy& strategy, Net& net, State& state, bool capture)
      : strategy_(strategy), net_(net), state_(state) {
    if constexpr (strategy::PreparesSteps<Strategy, Net>) {
      const auto device = net.arena().values().device();
      if (!capture || !device.is_cuda()) return;
#ifdef CLEAVE_CUDA
      captured_.emplace(device);
#else
      throw DeviceError(
          "capturing steps as a CUDA graph: this program was compiled without it; "
          "define CLEAVE_CUDA and link LibTorch's CUDA half, as -DCLEAVE_CUDA=ON does");
#endif
    }
  }

  StepReport operator()(const TrainingStep& step, Stream stream) {
#ifdef CLEAVE_CUDA
    if constexpr (strategy::PreparesSteps<Strategy, Net>)
      if (captured_) return (*captured_)(strategy_, net_, state_, step, stream);
#endif
    return strategy_.step(net_, state_, step, stream);
  }

 private:
  const Strategy& strategy_;
  Net& net_;
  State& state_;
#ifdef CLEAVE_CUDA
  std::optional<CudaGraphStep<Strategy, Net>> captured_;
#endif
};

}  // namespace cleave
