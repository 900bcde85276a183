#pragma once

#include <cleave/core/ids.hpp>
#include <cleave/core/option_set.hpp>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace cleave {

template <class Space>
class Architecture;
template <class Space>
class Restriction;

/// The number of decisions is a compile-time constant, and the space has a name.
template <class S>
concept HasDecisions = requires {
  { S::name } -> std::convertible_to<std::string_view>;
  typename std::integral_constant<std::size_t, S::decision_count>;
} && (S::decision_count > 0);

/// Every decision has a compile-time number of named options; counts may differ (ragged).
template <class S>
concept HasOptions = requires(DecisionId decision, OptionId option) {
  { S::option_count(decision) } -> std::convertible_to<std::size_t>;
  { S::option_name(decision, option) } -> std::convertible_to<std::string_view>;
  typename std::integral_constant<std::size_t, S::option_count(DecisionId{})>;
};

/// A search space: a list of decisions, each with its options, known at compile time. It says
/// what may be chosen; networks and supernets are made from it elsewhere.
///
/// Requirements, all static members:
///   1. `name`, convertible to std::string_view.
///   2. `decision_count`, a constant std::size_t of at least 1.
///   3. `option_count(DecisionId)`, constexpr, between 1 and `OptionSet::capacity`.
///   4. `option_name(DecisionId, OptionId)`, unique inside a decision.
/// Optional members: `decision_name(DecisionId)`; `uses(Restriction, DecisionId)`, where a choice can
/// make another decision idle; and, for spaces whose result is more than one
/// option per decision or has a text of its own, `Genotype`, `to_text`, `parse`, `allows`,
/// `derive`, `sample` (see genotype.hpp).
/// Laws: names are distinct; text round-trips; every architecture lies in the full restriction.
///
/// Accepted: `struct Two { static constexpr auto name = "two"; static constexpr std::size_t
/// decision_count = 1; static constexpr std::size_t option_count(DecisionId) { return 2; } static
/// constexpr std::string_view option_name(DecisionId, OptionId o) { return o.index() ? "b" : "a";
/// } };`. Rejected: the same with a non-constant `decision_count`.
/// Models: space::NasBench201, space::Darts, space::Proxyless, space::Ofa, space::Toy.
template <class S>
concept SearchSpace = HasDecisions<S> && HasOptions<S>;

/// The largest option count of any decision: the width of a padded [decision, option] table.
template <SearchSpace S>
inline constexpr std::size_t max_options = [] {
  std::size_t most = 0;
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const std::size_t count = S::option_count(DecisionId(d));
    if (count > most) most = count;
  }
  return most;
}();

/// The decision's own name, or `decision 3` for spaces that give none.
template <SearchSpace S>
[[nodiscard]] std::string decision_name(DecisionId decision) {
  if constexpr (requires { S::decision_name(decision); })
    return std::string(S::decision_name(decision));
  else
    return "decision " + std::to_string(decision.index());
}

}  // namespace cleave
