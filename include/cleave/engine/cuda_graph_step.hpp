#pragma once

// Empty without CUDA: its headers need those of the toolkit.
#ifdef CLEAVE_CUDA

#include <ATen/cuda/CUDAEvent.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cleave/strategy/concept.hpp>
#include <cstddef>
#include <memory>
#include <optional>

namespace cleave {

/// Steps of a strategy on a CUDA supernet as one CUDA graph: the operations of `apply` are captured
/// once and from then on replayed without the host, which otherwise takes longer to hand out
/// thousands of small operations than the device to do them. `prepare` and the copies of the
/// batches stay outside.
///
/// The first steps are taken operation by operation, for the libraries to choose their algorithms
/// and allocate; so are those with batches of another size, as at the end of an epoch. Everything
/// runs on a stream of its own (the default one cannot be captured) that waits for the caller's and
/// is waited for. Memory: the step's own once more, kept. Not copied: the graph has addresses in
/// it.
template <class Strategy, class Net>
class CudaGraphStep {
 public:
  using State = typename Strategy::template State<Net>;

  explicit CudaGraphStep(at::Device device)
      : device_(device), stream_(c10::cuda::getStreamFromPool(false, device.index())) {}
  CudaGraphStep(const CudaGraphStep&) = delete;
  CudaGraphStep& operator=(const CudaGraphStep&) = delete;
  ~CudaGraphStep() = default;

  StepReport operator()(const Strategy& strategy, Net& net, State& state, const TrainingStep& step,
                        Stream random) {
    const c10::cuda::CUDAGuard on(device_);
    const auto outside = c10::cuda::getCurrentCUDAStream(device_.index());
    let_wait(stream_, outside);
    StepReport report;
    {
      const c10::cuda::CUDAStreamGuard inside(stream_);
      strategy.prepare(state, step, random);
      report = take(strategy, net, state, step);
    }
    let_wait(outside, stream_);
    return report;
  }

 private:
  static constexpr std::size_t warm_up = 3;

  /// `later` goes on when `earlier` has done what it was given; the host goes on at once.
  static void let_wait(const c10::cuda::CUDAStream& later, const c10::cuda::CUDAStream& earlier) {
    at::cuda::CUDAEvent done;
    done.record(earlier);
    done.block(later);
  }

  StepReport take(const Strategy& strategy, Net& net, State& state, const TrainingStep& step) {
    if (!inputs_) inputs_.emplace(copy_of(step));
    if (!fits(step) || seen_++ < warm_up) return strategy.apply(net, state, step);
    fill(inputs_->weights, step.weights);
    fill(inputs_->search, step.search);
    if (!graph_) capture(strategy, net, state);
    graph_->replay();
    return report_;
  }

  /// Capturing does not take the step.
  void capture(const Strategy& strategy, Net& net, State& state) {
    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    graph->capture_begin();
    try {
      report_ = strategy.apply(net, state, *inputs_);
    } catch (...) {
      try {
        graph->capture_end();  // or the stream stays unusable; that this graph is broken is known
      } catch (const c10::Error&) {
      }
      throw;
    }
    graph->capture_end();
    graph_ = std::move(graph);
  }

  [[nodiscard]] bool fits(const TrainingStep& step) const {
    const auto same = [](const at::Tensor& a, const at::Tensor& b) {
      return a.defined() == b.defined() && (!a.defined() || a.sizes() == b.sizes());
    };
    return step.update_architecture == inputs_->update_architecture &&
           same(step.weights.images, inputs_->weights.images) &&
           same(step.search.images, inputs_->search.images);
  }

  static TrainingStep copy_of(const TrainingStep& step) {
    const auto copy = [](const at::Tensor& x) { return x.defined() ? x.clone() : x; };
    TrainingStep copied = step;
    copied.weights = {copy(step.weights.images), copy(step.weights.labels)};
    copied.search = {copy(step.search.images), copy(step.search.labels)};
    return copied;
  }

  static void fill(data::Batch& to, const data::Batch& from) {
    if (!from.images.defined()) return;
    to.images.copy_(from.images);
    to.labels.copy_(from.labels);
  }

  at::Device device_;
  c10::cuda::CUDAStream stream_;
  std::size_t seen_ = 0;
  std::optional<TrainingStep> inputs_;          ///< where the graph finds its batches
  StepReport report_;                           ///< what it writes
  std::unique_ptr<at::cuda::CUDAGraph> graph_;  // last: it goes before the tensors in its memory
};

}  // namespace cleave

#endif
