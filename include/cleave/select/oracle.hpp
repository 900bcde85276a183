#pragma once

#include <cleave/core/error.hpp>
#include <cleave/select/concept.hpp>
#include <functional>
#include <utility>

namespace cleave::select {

/// Asks a table for the true accuracy: an upper bound no search without a benchmark can have. The
/// public code reports this choice as its result; here it carries its name (method.md section 5.4).
template <class Space>
struct Oracle {
  static constexpr std::string_view name = "oracle";
  std::function<double(const Genotype<Space>&)> truth;

  /// Throws `ValueError` when there is nothing to ask.
  void check() const {
    if (!truth)
      throw ValueError(
          "oracle: `truth` is empty; give it a table's lookup, or choose by validation");
  }

  [[nodiscard]] std::size_t operator()(std::span<const LeafCandidate<Space>> candidates,
                                       const Trials&) const {
    check();
    std::size_t best = 0;
    for (std::size_t i = 1; i < candidates.size(); ++i)
      if (truth(candidates[i].genotype) > truth(candidates[best].genotype)) best = i;
    return best;
  }
};

}  // namespace cleave::select
