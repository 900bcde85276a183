#pragma once

#include <cleave/graph/concept.hpp>

namespace cleave::graph {

/// Every vertex alone: the exhaustive split of Few-Shot NAS (Zhao et al., ICML 2021), one
/// sub-supernet per option. The number of groups asked for is ignored, because the decision's
/// own option count is the branching factor. Neither similarities nor stream are used. O(n^2).
struct Singletons {
  static constexpr std::string_view name = "singletons";

  Partition operator()(const SimilarityMatrix& similarity, std::size_t /*groups*/, Stream&) const {
    Groups groups;
    for (std::size_t v = 0; v < similarity.size(); ++v) groups.push_back({v});
    return Partition(similarity, std::move(groups));
  }
};
static_assert(Partitioner<Singletons>);

}  // namespace cleave::graph
