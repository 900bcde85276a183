#pragma once

#include <cleave/graph/partition.hpp>
#include <cleave/split/split.hpp>

namespace cleave::graph {

/// The split that a partition stands for: vertex k is the k-th smallest allowed option of
/// `decision`; groups keep their order. Throws `ValueError` when the numbers of allowed options
/// and vertices differ.
[[nodiscard]] inline Split to_split(DecisionId decision, OptionSet allowed,
                                    const Partition& partition) {
  if (allowed.size() != partition.vertex_count())
    throw ValueError(fmt::format("split of decision {}: {} allowed options, a partition of {}",
                                 decision.index(), allowed.size(), partition.vertex_count()));
  Split split{decision, {}};
  for (const auto& group : partition.groups()) {
    OptionSet options;
    for (const auto vertex : group) options.insert(allowed.nth(vertex));
    split.groups.push_back(options);
  }
  return split;
}

}  // namespace cleave::graph
