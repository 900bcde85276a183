#pragma once

#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>

#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/supernet/composed.hpp>
#include <cleave/supernet/fused.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <vector>

// The NASBench-201 supernet at the two sizes that are timed, and the same work done three ways.

namespace scenes {

using namespace cleave;
using Space = space::NasBench201;

/// Every option of every edge by an operation of its own, as the public Python code does it: a ReLU
/// per convolution, a pooling per edge, the zero of `none` computed and added. With contiguous
/// images it calls the same kernels as that code.
struct PublicCode {
  static constexpr std::string_view name = "public code";
  static void leave(const WeightArena& arena, const at::Tensor& x,
                    std::span<const supernet::CellEdge> edges, const Mixture<Space>& mixture,
                    const MixtureScalars<Space>& scalars, std::span<at::Tensor> sums) {
    for (const auto& edge : edges) {
      for (const auto option : mixture[edge.decision]) {
        at::Tensor y;
        if (option == Space::none)
          y = x.mul(0.0);
        else if (option == Space::skip_connect)
          y = x;
        else if (option == Space::avg_pool_3x3)
          y = at::avg_pool2d(x, 3, 1, 1, /*ceil_mode=*/false, /*count_include_pad=*/false);
        else
          y = supernet::BatchNorm{}.forward(arena,
                                            edge.convolution(option).forward(arena, x.relu()));
        if (const auto* w = scalars.find(edge.decision, option)) y = y.mul(*w);
        auto& sum = sums[edge.target];
        sum = sum.defined() ? sum.add(y) : y;
      }
    }
  }
};

struct Size {
  const char* name;
  std::int64_t channels;
  std::int64_t cells;
  std::int64_t pixels;
  std::int64_t image_channels;
  std::int64_t batch;

  [[nodiscard]] supernet::NasBench201Config config() const {
    return {.channels = channels, .cells = cells, .image_channels = image_channels};
  }
};
inline constexpr Size full{"full", 16, 5, 32, 3, 64};
inline constexpr Size digits{"digits", 16, 1, 8, 1, 64};

/// A supernet with its batches.
template <class Mixer>
struct Scene {
  using Net = supernet::NasBench201<Mixer>;
  Net net;
  TrainingStep step;

  explicit Scene(const Size& size, at::MemoryFormat format = at::MemoryFormat::Contiguous,
                 const Restriction<Space>& inside = {})
      : net(inside, size.config(), Stream(1)) {
    const auto batch = [&](std::uint64_t seed) {
      auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
      return data::Batch{
          at::randn({size.batch, size.image_channels, size.pixels, size.pixels}, generator)
              .contiguous(format),
          at::randint(10, {size.batch}, generator, at::TensorOptions(at::kLong))};
    };
    step.weights = batch(1);
    step.search = batch(2);
  }

  [[nodiscard]] at::Tensor loss(const data::Batch& batch, const at::Tensor& weights) const {
    const auto mixture = Mixture<Space>::weighted(net.restriction(), weights);
    return at::cross_entropy_loss(net.forward(batch.images, mixture), batch.labels);
  }
};

/// Forward and backward, weights' gradients alone or those of alpha too.
template <class Mixer>
auto pass(Scene<Mixer>& scene, bool alpha_too) {
  auto table = at::full({6, 5}, 0.2).set_requires_grad(alpha_too);
  return [&scene, table] {
    scene.net.arena().gradients().zero_();
    scene.loss(scene.step.weights, table).backward();
  };
}

template <class Order, class Mixer>
auto search_step(Scene<Mixer>& scene) {
  const strategy::Darts<Order> darts;
  return [&scene, darts, state = darts.start(scene.net, Stream(2))]() mutable {
    return darts.step(scene.net, state, scene.step, Stream(3)).loss;
  };
}

/// A first-order step that, like the public code, also computes the weights' gradients in the
/// alpha pass and throws them away.
template <class Mixer>
auto public_first_order(Scene<Mixer>& scene) {
  const strategy::Darts<strategy::FirstOrder> darts;
  return [&scene, darts, state = darts.start(scene.net, Stream(2))]() mutable {
    scene.loss(scene.step.search, darts.probabilities(state, state.alpha)).backward();
    auto table = state.alpha.detach();
    darts.alpha.step(table, state.alpha.grad(), state.alpha_moments);
    state.alpha.mutable_grad().reset();
    scene.net.arena().gradients().zero_();
    const auto loss = scene.loss(scene.step.weights, darts.probabilities(state, state.alpha));
    loss.backward();
    state.alpha.mutable_grad().reset();
    darts.weights.step(scene.net.arena(), state.weight_moments, 0.0);
    return loss.detach();
  };
}

/// Gradient matching of one edge, one repeat: five probes and their cosines.
template <class Mixer>
auto probe_edge(Scene<Mixer>& scene) {
  using Net = typename Scene<Mixer>::Net;
  return [&scene, memory = SplitMemory()]() mutable {
    memory.clear();
    const SplitScene<Net> stage(
        scene.net, {DecisionId(0)}, 2,
        {[](Stream) { return Mixture<Space>::weighted({}, at::full({6, 5}, 0.2)); },
         [&](Stream) { return scene.step.weights; }},
        memory, Stream(2));
    const split::GradientMatching<score::Cosine, graph::ExactBalanced, split::LowestNormalisedCut,
                                  split::FixedRepeats>
        criterion{.repeats = {1}};
    return criterion(stage).passes;
  };
}

/// The convolutions of a pass alone, channels-last: those that leave a node stacked, the 1x1 apart;
/// the stem and the reductions.
class Convolutions {
 public:
  explicit Convolutions(const Size& size) {
    auto channels = size.channels;
    auto pixels = size.pixels;
    add(1, size.batch, size.image_channels, channels, pixels, 3, 1);
    for (int stage = 0; stage < 3; ++stage) {
      if (stage > 0) {
        add(1, size.batch, channels, 2 * channels, pixels, 3, 2);
        add(1, size.batch, 2 * channels, 2 * channels, pixels / 2, 3, 1);
        add(1, size.batch, channels, 2 * channels, pixels / 2, 1, 1);
        channels *= 2;
        pixels /= 2;
      }
      for (const std::int64_t edges : {3, 2, 1})
        for (const std::int64_t kernel : {3, 1})
          add(static_cast<int>(size.cells), size.batch, channels, edges * channels, pixels, kernel,
              1);
    }
  }

  void forward() const {
    for (const auto& one : all_)
      for (int i = 0; i < one.times; ++i)
        at::conv2d(one.x, one.w, {}, one.stride, one.w.size(2) / 2);
  }
  void backward(bool weights_too) const {
    for (const auto& one : all_)
      for (int i = 0; i < one.times; ++i) {
        const auto pad = one.w.size(2) / 2;
        at::convolution_backward(one.g, one.x, one.w, std::nullopt, {one.stride, one.stride},
                                 {pad, pad}, {1, 1}, false, {0, 0}, 1,
                                 {&one != &all_.front(), weights_too, false});
      }
  }

 private:
  struct One {
    int times;
    at::Tensor x, w, g;
    std::int64_t stride;
  };
  void add(int times, std::int64_t batch, std::int64_t in, std::int64_t out, std::int64_t pixels,
           std::int64_t kernel, std::int64_t stride) {
    const auto make = [](at::IntArrayRef shape) {
      return at::randn(shape).contiguous(at::MemoryFormat::ChannelsLast);
    };
    all_.push_back({times, make({batch, in, pixels, pixels}), make({out, in, kernel, kernel}),
                    make({batch, out, pixels / stride, pixels / stride}), stride});
  }
  std::vector<One> all_;
};

}  // namespace scenes
