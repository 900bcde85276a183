#pragma once

#include <cleave/engine/result.hpp>
#include <cmath>
#include <span>

namespace cleave {

/// Summarises option weights [decision_count, max_options] of a restriction: how decided they
/// are, and how much of them goes to parameter-free shortcuts, the sign of DARTS' collapse.
template <SearchSpace S>
[[nodiscard]] AlphaHealth alpha_health(const Restriction<S>& allowed,
                                       std::span<const double> weights) {
  AlphaHealth health;
  double open = 0;  // decisions with a choice
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const DecisionId decision(d);
    double entropy = 0;
    for (const auto option : allowed[decision]) {
      const double w = weights[d * max_options<S> + option.index()];
      if (w > 0) entropy -= w * std::log(w);
      const std::string_view name = S::option_name(decision, option);
      if (name.starts_with("skip")) health.skip_share += w / S::decision_count;
      if (name == "none") health.none_share += w / S::decision_count;
    }
    const auto options = static_cast<double>(allowed[decision].size());
    if (options < 2) continue;
    open += 1;
    health.entropy += entropy / std::log(options);
  }
  if (open > 0) health.entropy /= open;
  return health;
}

}  // namespace cleave
