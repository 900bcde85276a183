#pragma once

#include <cleave/graph/random_balanced.hpp>
#include <cleave/split/concept.hpp>

namespace cleave::split {

/// A random open decision, cut into random balanced groups: what any criterion must beat.
struct Random {
  static constexpr std::string_view name = "random";

  template <class Net>
  [[nodiscard]] SplitOutcome operator()(const SplitScene<Net>& scene) const {
    auto stream = scene.stream().fork("random split");
    const DecisionId decision = scene.open()[stream.below(scene.open().size())];
    const auto allowed = scene.options(decision);
    const auto n = static_cast<Eigen::Index>(allowed.size());
    const graph::SimilarityMatrix indifferent(Eigen::MatrixXd::Identity(n, n));
    return {.split = graph::to_split(
                decision, allowed, graph::RandomBalanced{}(indifferent, scene.groups(), stream))};
  }
};

}  // namespace cleave::split
