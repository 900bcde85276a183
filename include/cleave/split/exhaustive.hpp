#pragma once

#include <algorithm>
#include <cleave/split/concept.hpp>
#include <vector>

namespace cleave::split {

/// Few-Shot NAS (ICML 2021): every option of a randomly drawn decision gets its own sub-supernet.
/// `scene.groups()` does not matter. `edges` may fix the order of decisions instead.
struct Exhaustive {
  static constexpr std::string_view name = "exhaustive";
  /// Decisions to split, first open one first; empty draws one at random.
  std::vector<DecisionId> order{};
  template <class F>
  void fields(F&& field) const {
    field("order", order);
  }

  template <class Net>
  [[nodiscard]] SplitOutcome operator()(const SplitScene<Net>& scene) const {
    auto stream = scene.stream().fork("decision");
    DecisionId decision = scene.open()[stream.below(scene.open().size())];
    for (auto it = order.rbegin(); it != order.rend(); ++it)
      if (std::find(scene.open().begin(), scene.open().end(), *it) != scene.open().end())
        decision = *it;
    Split split{decision, {}};
    for (const auto option : scene.options(decision)) split.groups.push_back(OptionSet{option});
    return {.split = split};
  }
};

}  // namespace cleave::split
