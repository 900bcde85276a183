#pragma once

#include <algorithm>
#include <cleave/strategy/weight_step.hpp>
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
  std::size_t judged_batches = 4;  ///< at most

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
    return strategy::weight_step(net, context(net, state, stream), step.weights, weights,
                                 state.moments, step.progress);
  }

  template <Supernet Net>
  [[nodiscard]] State<Net> inherit(const Net& parent, const State<Net>& state,
                                   const Net& child) const {
    return {strategy::inherit_moments(parent, state.moments, child, weights)};
  }

  template <Supernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const State<Net>&,
                                              Stream stream) const {
    return net.context_of(sample<typename Net::Space>(net.restriction(), stream));
  }

  template <Supernet Net>
  [[nodiscard]] Genotype<typename Net::Space> derive(const Net& net, const State<Net>&,
                                                     const Judge<Net>& judge, Stream stream) const {
    auto best = sample<typename Net::Space>(net.restriction(), stream);
    auto highest = hits_of(net, best, judge);
    for (std::size_t i = 1; i < candidates; ++i) {
      const auto other = sample<typename Net::Space>(net.restriction(), stream);
      const auto hits = hits_of(net, other, judge);
      if (hits <= highest) continue;
      best = other;
      highest = hits;
    }
    return best;
  }

 private:
  template <Supernet Net>
  [[nodiscard]] std::size_t hits_of(const Net& net, const Genotype<typename Net::Space>& genotype,
                                    const Judge<Net>& judge) const {
    const auto context = net.context_of(genotype);
    std::size_t right = 0;
    for (std::size_t k = 0; k < std::min(judged_batches, judge.batches); ++k) {
      const auto rows = judge.hits(std::span(&context, 1), k);
      for (const auto hit : rows.front()) right += hit;
    }
    return right;
  }
};

static_assert(strategy::SearchStrategy<UniformSamples, ToyElasticNet>);

}  // namespace cleave::testing
