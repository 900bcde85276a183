#pragma once

#include <cleave/split/scene.hpp>
#include <concepts>
#include <string_view>

namespace cleave::split {

template <class C>
concept HasName = requires {
  { C::name } -> std::convertible_to<std::string_view>;
};

template <class C, class Net>
concept DecidesSplit = requires(const C& criterion, const SplitScene<Net>& scene) {
  { criterion(scene) } -> std::same_as<SplitOutcome>;
};

/// Where to split a trained supernet, and how.
///
/// Requirements on a const object: `C::name`, and `criterion(scene)` giving a `SplitOutcome`
/// whose split takes one of `scene.open()` and covers its allowed options exactly once. The scene
/// is never asked with no open decision.
/// Laws: leaves no trace in the supernet (tensors and streams are as before); depends on the
/// scene alone; the groups cover each option once.
/// Accepted: a 10-line struct that always halves the first open decision
/// (examples/custom_criterion.cpp). Rejected: one that returns only the groups.
/// Models: GradientMatching, Exhaustive, Random. One-shot search is no split at all (a schedule
/// without splits). Papers: Few-Shot NAS (ICML 2021), GM-NAS (ICLR 2022).
template <class C, class Net>
concept SplitCriterion = HasName<C> && DecidesSplit<C, Net>;

}  // namespace cleave::split
