#pragma once

#include <cleave/space/distinct_samples.hpp>
#include <cleave/strategy/race.hpp>
#include <cleave/strategy/weight_step.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::strategy {

/// Random search with parameter sharing (Li and Talwalkar, UAI 2019): every step trains one
/// genotype drawn uniformly from the restriction, in NAS-Bench-201 a connected one; the leaf's
/// architecture is the best of `paths` drawn ones inside the supernet. There is no alpha. (The
/// public code goes on stepping one that nothing reads; method.md section 5.7.)
///
/// It needs nothing of a context but that a genotype is one, so it also trains subnets.
template <class Choice = Race>
struct Rsps {
  static_assert(PathChoice<Choice>,
                "Rsps: the choice of a path needs name and std::size_t operator()(const Contest&) "
                "const (docs/policies.md, Choice of a path)");

  static constexpr std::string_view name = "RSPS";
  static constexpr bool learns_architecture = false;

  Sgd weights{.weight_decay = 1e-4};
  std::size_t paths = 200;  ///< to choose among, all different; fewer when there are no more
  Choice choice{};
  template <class F>
  void fields(F&& field) const {
    field("weights", weights);
    field("paths", paths);
    field("choice", choice);
  }

  template <class Net>
  struct State {
    Sgd::State weight_moments;

    template <class F>
    void fields(F&& field) {
      field("weight_moments", weight_moments);
    }
  };

  template <Supernet Net>
  [[nodiscard]] State<Net> start(const Net& net, Stream) const {
    return {weights.start(net.arena())};
  }

  template <Supernet Net>
  StepReport step(Net& net, State<Net>& state, const TrainingStep& step, Stream stream) const {
    return weight_step(net, context(net, state, stream), step.weights, weights,
                       state.weight_moments, step.progress);
  }

  template <Supernet Net>
  [[nodiscard]] State<Net> inherit(const Net& parent, const State<Net>& state,
                                   const Net& child) const {
    return {inherit_moments(parent, state.weight_moments, child, weights)};
  }

  /// One random path. Throws `ValueError` when the restriction holds none that is connected.
  template <Supernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const State<Net>&,
                                              Stream stream) const {
    return net.context_of(sample<typename Net::Space>(net.restriction(), stream));
  }

  /// Throws `ValueError` for 0 paths and for a judge without images.
  template <Supernet Net>
  [[nodiscard]] Genotype<typename Net::Space> derive(const Net& net, const State<Net>&,
                                                     const Judge<Net>& judge, Stream stream) const {
    if (paths == 0) throw ValueError("RSPS: 0 paths to choose among, at least 1 is needed");
    if (judge.images == 0)
      throw ValueError("RSPS: no images to compare paths on; the search half must not be empty");
    auto drawn = distinct_samples<typename Net::Space>(net.restriction(), paths, stream);
    const Contest contest{drawn.size(), judge.batches, judge.images,
                          [&](std::span<const std::size_t> candidates, std::size_t batch) {
                            std::vector<typename Net::Context> contexts;
                            for (const auto i : candidates)
                              contexts.push_back(net.context_of(drawn[i]));
                            return judge.hits(contexts, batch);
                          }};
    return std::move(drawn[choice(contest)]);
  }
};

}  // namespace cleave::strategy
