#pragma once

#include <cleave/strategy/accuracy_estimator.hpp>
#include <cmath>
#include <set>
#include <string>
#include <vector>

namespace cleave::testing {

/// The laws of `strategy::AccuracyEstimator` on a restriction of at least 16 networks; the broken
/// ones as sentences. `truth(architecture)` is what measuring says.
template <SearchSpace S, strategy::AccuracyEstimator<S> Estimator, class Truth>
[[nodiscard]] std::vector<std::string> check_accuracy_estimator(const Estimator& estimator,
                                                                const Restriction<S>& allowed,
                                                                Truth truth,
                                                                std::uint64_t seed = 0) {
  std::set<std::string> broken;
  const auto want = [&](bool kept, const char* law) {
    if (!kept) broken.insert(fmt::format("{}: {}", Estimator::name, law));
  };
  using List = std::span<const Architecture<S>>;
  std::set<Architecture<S>> asked;
  const strategy::AccuracyOf<S> measured = [&](List architectures) {
    std::vector<double> values;
    for (const auto& one : architectures) {
      want(allowed.contains(one), "measures what lies outside the restriction");
      want(asked.insert(strategy::canonical(one, allowed)).second, "measures a network twice");
      values.push_back(truth(one));
    }
    return values;
  };
  const auto estimate = estimator(allowed, measured, Stream(seed));
  for (const auto& one : estimate.measured)
    want(asked.contains(strategy::canonical(one.architecture, allowed)) &&
             one.accuracy == truth(one.architecture),
         "says it measured what it did not");
  want(estimate.measured.size() == asked.size(), "does not say what it measured");
  want(estimate.quality || asked.empty(), "was fitted, but does not say how well");
  want(!estimate.quality || estimate.quality->held_out >= 2, "was tested on fewer than two");

  std::vector<Architecture<S>> some;
  Stream stream(seed + 1);
  for (int i = 0; i < 16; ++i) some.push_back(allowed.sample(stream));
  const auto values_of = [&](const strategy::Estimate<S>& from, List architectures) {
    std::vector<double> values;
    for (const auto& one : architectures) {
      asked.clear();  // samples repeat themselves
      values.push_back(from.accuracies(List(&one, 1)).at(0));
    }
    asked.clear();
    return values;
  };
  const auto alone = values_of(estimate, some);
  for (std::size_t begin = 0; begin < some.size(); begin += 8) {
    std::set<Architecture<S>> distinct;
    std::vector<Architecture<S>> part;
    std::vector<double> expected;
    for (std::size_t i = begin; i < begin + 8; ++i)
      if (distinct.insert(strategy::canonical(some[i], allowed)).second) {
        part.push_back(some[i]);
        expected.push_back(alone[i]);
      }
    const auto together = estimate.accuracies(List(part));
    asked.clear();
    want(together.size() == part.size(), "does not give one number for each architecture");
    for (std::size_t i = 0; i < std::min(together.size(), part.size()); ++i) {
      want(std::isfinite(together[i]), "gives a number that is not finite");
      want(std::abs(together[i] - expected[i]) < 1e-5,  // sums of floats in another order
           "depends on what else is asked for");
    }
  }
  for (std::size_t i = 0; i < some.size(); ++i) {
    const auto other = strategy::canonical(some[i], allowed);
    want(std::abs(values_of(estimate, List(&other, 1)).at(0) - alone[i]) < 1e-5,
         "tells equal networks apart");
  }
  want(values_of(estimator(allowed, measured, Stream(seed)), some) == alone,
       "depends on more than its arguments");
  return {broken.begin(), broken.end()};
}

}  // namespace cleave::testing
