#pragma once

#include <array>
#include <cleave/space/genotype.hpp>

namespace cleave::space {

/// Four decisions with 3, 2, 4 and 3 options: small enough to enumerate in docs and tests,
/// ragged so that nothing silently assumes equal counts. 72 architectures.
struct Toy {
  static constexpr std::string_view name = "toy";
  static constexpr std::size_t decision_count = 4;
  static constexpr std::size_t option_count(DecisionId decision) {
    return std::array<std::size_t, decision_count>{3, 2, 4, 3}.at(decision.index());
  }
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    return std::array<std::string_view, 4>{"red", "green", "blue", "white"}.at(option.index());
  }
};

static_assert(SearchSpace<Toy>);

}  // namespace cleave::space
