#pragma once

#include <cleave/graph/concept.hpp>

namespace cleave::graph {

/// For hosts with an unconstrained partitioner argument: says in a sentence which requirement a
/// type misses, instead of a list of failed substitutions. Always true when it compiles.
///
///     template <class P> struct MyCriterion { static_assert(graph::is_partitioner<P>()); };
template <class P>
[[nodiscard]] consteval bool is_partitioner() {
  static_assert(HasName<P>,
                "a partitioner needs `static constexpr std::string_view name` "
                "(docs/policies.md, Partitioners)");
  static_assert(PartitionsGroups<P>,
                "a partitioner needs `Partition operator()(const SimilarityMatrix&, std::size_t "
                "groups, Stream&) const` (docs/policies.md, Partitioners)");
  return true;
}

}  // namespace cleave::graph
