#pragma once

#include <cleave/split/tree.hpp>
#include <cleave/testing/space_laws.hpp>

namespace cleave::testing {

/// A tree grown by up to `splits` random splits of random leaves, from a random root half of the
/// time. Groups are random; a leaf with nothing to split may be split into one group.
template <SearchSpace S>
[[nodiscard]] SplitTree<S> random_tree(Stream& stream, std::size_t splits) {
  SplitTree<S> tree(stream.below(2) == 0 ? Restriction<S>() : random_restriction<S>(stream));
  for (std::size_t i = 0; i < splits; ++i) {
    const auto leaves = tree.leaves();
    const auto leaf = leaves[stream.below(leaves.size())];
    const DecisionId decision(stream.below(S::decision_count));
    const std::size_t wanted = 1 + stream.below(3);
    std::vector<OptionSet> groups(wanted);
    for (const auto option : tree[leaf].restriction[decision])
      groups[stream.below(wanted)].insert(option);
    std::erase(groups, OptionSet());
    tree.split(leaf, {decision, groups});
  }
  return tree;
}

}  // namespace cleave::testing
