#pragma once

#include <cleave/data/concept.hpp>
#include <cleave/space/genotype.hpp>
#include <cleave/strategy/contest.hpp>
#include <cleave/supernet/concept.hpp>
#include <concepts>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace cleave {

/// One step's material.
struct TrainingStep {
  data::Batch weights;   ///< from the half that trains weights
  data::Batch search{};  ///< from the half that trains alphas; empty unless they are updated
  double progress = 0;   ///< share of the phase (from restart to restart) that has passed, [0, 1)
  bool update_architecture = true;  ///< false while alphas are frozen (method.md section 3)
};

/// What a step tells: scalar tensors on the device, so that nothing waits for the host.
struct StepReport {
  at::Tensor loss;             ///< training loss of the weights
  at::Tensor gradient_norm;    ///< before clipping
  at::Tensor search_loss{};    ///< loss of the architecture parameters; undefined without one
};

/// Judges contexts of a supernet on the images of the search half, in batches fixed once and for
/// all: what it says about a context and a batch does not depend on what it was asked before, so no
/// pass is made twice, and all batches together are the full evaluation.
template <class Net>
struct Judge {
  std::size_t batches = 0;
  std::size_t images = 0;  ///< of all batches together
  /// The hits of these contexts on batch k, one row each; one forward pass per row, under batch
  /// statistics, without a trace in the supernet.
  std::function<std::vector<Hits>(std::span<const typename Net::Context>, std::size_t batch)> hits;
};

namespace strategy {

template <class S>
concept HasName = requires {
  { S::name } -> std::convertible_to<std::string_view>;
};

template <class S, class Net>
concept HasState = requires(const S& strategy, Net& net, const Net& fixed, Stream stream) {
  typename S::template State<Net>;
  { strategy.start(net, stream) } -> std::same_as<typename S::template State<Net>>;
};

template <class S, class Net>
concept TrainsSupernet =
    HasState<S, Net> && requires(const S& strategy, Net& net, typename S::template State<Net>& state,
                                 const TrainingStep& step, Stream stream) {
      { strategy.step(net, state, step, stream) } -> std::same_as<StepReport>;
    };

/// A strategy whose `step` is `prepare` and then `apply`, so that a device can capture the second
/// (`StepRunner`).
///
/// `prepare(state, step, stream)` does what the host has to do with a step: it draws, and writes
/// what depends on the step's number to tensors of the state. `apply(net, state, step)` is the rest.
/// Laws: `apply` reads nothing on the host that changes from step to step of a phase, does not wait
/// for the device and copies nothing to it; tensors that outlive it stay where they are.
/// Models: Darts, Snas. Not: Rsps, whose every path is another sequence of operations.
template <class S, class Net>
concept PreparesSteps =
    TrainsSupernet<S, Net> && requires(const S& strategy, Net& net,
                                       typename S::template State<Net>& state,
                                       const TrainingStep& step, Stream stream) {
      { strategy.prepare(state, step, stream) } -> std::same_as<void>;
      { strategy.apply(net, state, step) } -> std::same_as<StepReport>;
    };

template <class S, class Net>
concept Inherits =
    HasState<S, Net> && requires(const S& strategy, const Net& parent, Net& child,
                                 const typename S::template State<Net>& state) {
      {
        strategy.inherit(parent, state, child)
      } -> std::same_as<typename S::template State<Net>>;
    };

template <class S, class Net>
concept GivesContexts =
    HasState<S, Net> &&
    requires(const S& strategy, const Net& net, const typename S::template State<Net>& state,
             Stream stream) {
      { strategy.context(net, state, stream) } -> std::same_as<typename Net::Context>;
    };

template <class S, class Net>
concept Derives =
    HasState<S, Net> && requires(const S& strategy, const Net& net,
                                 const typename S::template State<Net>& state,
                                 const Judge<Net>& judge, Stream stream) {
      { strategy.derive(net, state, judge, stream) } -> std::same_as<Genotype<typename Net::Space>>;
    };

/// A strategy whose restart is not from scratch: a child of a split that restarts begins with what
/// `restart(parent_net, parent_state, child_net)` makes of its weights and returns as its state, at
/// progress 0 of a phase of its own. The child's weights have been inherited already.
/// Models: OnceForAll (from its teacher).
template <class S, class Net>
concept RestartsFromParent =
    HasState<S, Net> && requires(const S& strategy, const Net& parent, Net& child,
                                 const typename S::template State<Net>& state) {
      {
        strategy.restart(parent, state, child)
      } -> std::same_as<typename S::template State<Net>>;
    };

/// Whether a strategy has architecture parameters. One that has none says
/// `static constexpr bool learns_architecture = false`: the engine then loads no search batches for
/// its steps and never asks for an update.
template <class S>
inline constexpr bool learns_architecture = [] {
  if constexpr (requires { { S::learns_architecture } -> std::convertible_to<bool>; })
    return bool(S::learns_architecture);
  else
    return true;
}();

/// How a supernet is trained and an architecture is read off it.
///
/// Requirements on a const object (settings only; run state lives in `State<Net>`):
///   1. `S::name`, and `State<Net>`, movable, with `fields(visitor)` naming everything in it.
///   2. `start(net, stream)`: the state of a fresh phase.
///   3. `step(net, state, training_step, stream)`: one optimiser step on the weights, and on the
///      architecture parameters when asked; the stream is this step's own.
///   4. `inherit(parent net, parent state, child net)`: the state a child goes on with when there
///      is no restart. The child's weights have been inherited already.
///   5. `context(net, state, stream)`: what surrounds a probed decision in gradient matching.
///   6. `derive(net, state, judge, stream)`: the architecture the leaf stands for, inside its
///      restriction. It judges with the search half only, never with test data, and asks the same
///      questions in the same order when it is asked again (a run may stop in between).
/// Optional: `option_weights(net, state)`, for the report on alpha; `learns_architecture`; `prepare`
/// and `apply` (`PreparesSteps`).
/// Laws: depends on arguments alone; `derive` respects the restriction.
/// Models: strategy::Darts, strategy::Snas, strategy::Rsps. Papers: DARTS (ICLR 2019), SNAS (ICLR
/// 2019), RSPS (UAI 2019), GM-NAS (ICLR 2022).
template <class S, class Net>
concept SearchStrategy = HasName<S> && TrainsSupernet<S, Net> && Inherits<S, Net> &&
                         GivesContexts<S, Net> && Derives<S, Net>;

}  // namespace strategy
}  // namespace cleave
