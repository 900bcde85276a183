#pragma once

#include <cleave/data/concept.hpp>
#include <cleave/space/genotype.hpp>
#include <cleave/supernet/concept.hpp>
#include <concepts>
#include <functional>
#include <string_view>

namespace cleave {

/// One step's material.
struct TrainingStep {
  data::Batch weights;   ///< from the half that trains weights
  data::Batch search;    ///< from the half that trains the architecture parameters
  double progress = 0;   ///< share of the phase (from restart to restart) that has passed, [0, 1)
  bool update_architecture = true;  ///< false while alphas are frozen (method.md section 3)
};

/// What a step tells: scalar tensors on the device, so that nothing waits for the host.
struct StepReport {
  at::Tensor loss;             ///< training loss of the weights
  at::Tensor gradient_norm;    ///< before clipping
  at::Tensor search_loss{};    ///< loss of the architecture parameters; undefined without one
};

/// Judges a context of a supernet on images kept for that purpose.
template <class Net>
struct Judge {
  /// Accuracy in [0, 1] on the first `images` of the search half (all when larger), under batch
  /// statistics; leaves no trace.
  std::function<double(const typename Net::Context&, std::size_t images)> accuracy;
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
///      restriction. It judges with the search half only, never with test data.
/// Laws: depends on arguments alone; `derive` respects the restriction.
/// Models: strategy::Darts. Papers: DARTS (ICLR 2019), GM-NAS (ICLR 2022).
template <class S, class Net>
concept SearchStrategy = HasName<S> && TrainsSupernet<S, Net> && Inherits<S, Net> &&
                         GivesContexts<S, Net> && Derives<S, Net>;

}  // namespace strategy
}  // namespace cleave
