#pragma once

#include <cleave/core/random.hpp>
#include <cleave/graph/partition.hpp>
#include <concepts>
#include <cstddef>
#include <string_view>

namespace cleave::graph {

/// Atom: `P::name`, the text reports show.
template <class P>
concept HasName = requires {
  { P::name } -> std::convertible_to<std::string_view>;
};

/// Atom: a const P maps (similarity, group count, stream) to a `Partition`.
template <class P>
concept PartitionsGroups = requires(const P& partitioner, const SimilarityMatrix& similarity,
                                    std::size_t groups, Stream& stream) {
  { partitioner(similarity, groups, stream) } -> std::same_as<Partition>;
};

/// A rule that decides which options of a decision go on sharing weights.
///
/// Requirements:
///  1. `P::name` converts to `std::string_view`                        (`HasName`).
///  2. `partitioner(similarity, groups, stream)` on a const object returns a `Partition`
///     (`PartitionsGroups`). Vertex k is the k-th allowed option of the decision.
/// Laws (checked by `testing::check_partitioner`, testing/graph_laws.hpp):
///  1. Every vertex is in exactly one non-empty group, and within + cut = total.
///  2. There are `groups` groups, unless the policy documents that it ignores the number.
///  3. Pure: the same matrix, number and stream state give the same partition; the object does
///     not change. Only a random policy draws from the stream.
///  4. Ties between equally good partitions break towards the smallest canonical groups
///     (`Groups::operator<`), unless the policy documents another order.
///  5. Out-of-range numbers (0 groups, more groups than vertices) throw `ValueError`.
///  6. Without ties, deterministic policies are equivariant: relabelled vertices give the
///     relabelled groups.
///
/// Accepted: `struct One { static constexpr std::string_view name = "one";
///              Partition operator()(const SimilarityMatrix&, std::size_t, Stream&) const; };`
/// Rejected: the same with a non-const operator(), or one that returns `Groups`.
///
/// Models: `ExactBalanced`, `ExactTwoWay`, `ReferenceNasBench201`, `ReferenceDarts`,
/// `GlobalMinCut`, `Spectral`, `Singletons`, `RandomBalanced`. Paper: GM-NAS section 3.3.
template <class P>
concept Partitioner = HasName<P> && PartitionsGroups<P>;

}  // namespace cleave::graph
