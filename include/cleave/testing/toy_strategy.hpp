#pragma once

#include <cleave/strategy/concept.hpp>
#include <cleave/strategy/optimisers.hpp>
#include <cleave/testing/toy_elastic.hpp>
#include <cleave/testing/toy_spaces.hpp>
#include <string_view>

namespace cleave::testing {

/// The smallest search strategy: every step trains one uniformly drawn genotype, and the best of a
/// few drawn ones, judged inside the supernet, is derived. It asks nothing of a context, so it
/// trains single paths and elastic subnets alike.
struct UniformSamples {
  static constexpr std::string_view name = "uniform samples";

  strategy::Sgd weights{.rate = {0.05, 0.005}};
  std::size_t candidates = 8;  ///< drawn to derive one of them
  std::size_t judged_images = 256;

  template <class Net>
  struct State {
    strategy::Sgd::State moments;

    template <class F>
    void fields(F&& field) {
      field("moments", moments);
    }
  };

  template <Supernet Net>
  [[nodiscard]] State<Net> start(const Net& net, Stream) const {
    return {weights.start(net.arena())};
  }

  template <Supernet Net>
  StepReport step(Net& net, State<Net>& state, const TrainingStep& step, Stream stream) const {
    net.arena().gradients().zero_();
    const auto logits = net.forward(step.weights.images, context(net, state, stream));
    const auto loss = at::cross_entropy_loss(logits, step.weights.labels);
    loss.backward();
    return {.loss = loss.detach(),
            .gradient_norm = weights.step(net.arena(), state.moments, step.progress)};
  }

  template <Supernet Net>
  [[nodiscard]] State<Net> inherit(const Net& parent, const State<Net>& state,
                                   const Net& child) const {
    State<Net> result{weights.start(child.arena())};
    child.arena().inherit(parent.arena(), state.moments.momentum, result.moments.momentum);
    return result;
  }

  template <Supernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const State<Net>&,
                                              Stream stream) const {
    return net.context_of(sample<typename Net::Space>(net.restriction(), stream));
  }

  template <Supernet Net>
  [[nodiscard]] Genotype<typename Net::Space> derive(const Net& net, const State<Net>&,
                                                     const Judge<Net>& judge, Stream stream) const {
    using Space = typename Net::Space;
    auto best = sample<Space>(net.restriction(), stream);
    double highest = judge.accuracy(net.context_of(best), judged_images);
    for (std::size_t i = 1; i < candidates; ++i) {
      const auto other = sample<Space>(net.restriction(), stream);
      const double accuracy = judge.accuracy(net.context_of(other), judged_images);
      if (accuracy <= highest) continue;
      best = other;
      highest = accuracy;
    }
    return best;
  }
};

static_assert(strategy::SearchStrategy<UniformSamples, ToyElasticNet>);

}  // namespace cleave::testing
