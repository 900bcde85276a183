#pragma once

#include <cleave/graph/concept.hpp>
#include <cleave/graph/ties.hpp>

namespace cleave::graph {

/// A balanced partition, floor(n/B) <= |group| <= ceil(n/B), uniform among all of them: the
/// control experiment for any rule that looks at similarities. Draws n - 1 numbers or a few more
/// from the stream; the same stream state gives the same groups. Throws `ValueError` for 0
/// groups or more groups than vertices. O(n^2).
struct RandomBalanced {
  static constexpr std::string_view name = "random_balanced";

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups,
                       Stream& stream) const {
    const std::size_t n = similarity.size();
    check_group_count(name, n, groups);
    std::vector<std::size_t> order(n);
    for (std::size_t v = 0; v < n; ++v) order[v] = v;
    stream.shuffle(order);
    // Dealt out in turn, the first n mod B groups get one more. Each partition with these sizes
    // arises from equally many orders, hence the uniform choice.
    Groups dealt(groups);
    for (std::size_t k = 0; k < n; ++k) dealt[k % groups].push_back(order[k]);
    return Partition(similarity, std::move(dealt));
  }
};
static_assert(Partitioner<RandomBalanced>);

}  // namespace cleave::graph
