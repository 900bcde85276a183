#pragma once

#include <algorithm>
#include <cleave/space/restriction.hpp>
#include <vector>

namespace cleave {

/// One cut of a sub-space: the options of `decision` fall into `groups`, one child per group.
struct Split {
  DecisionId decision;
  std::vector<OptionSet> groups;

  friend bool operator==(const Split&, const Split&) = default;
};

/// The children of a restriction under a split, in group order. Throws `ValueError` unless the
/// groups are non-empty, disjoint and cover exactly the options the restriction allows.
template <SearchSpace S>
[[nodiscard]] std::vector<Restriction<S>> children(const Restriction<S>& parent,
                                                   const Split& split) {
  if (split.decision.index() >= S::decision_count)
    throw ValueError(fmt::format("split: decision {}, {} has {}", split.decision.index(), S::name,
                                 S::decision_count));
  OptionSet covered;
  std::vector<Restriction<S>> result;
  for (const auto group : split.groups) {
    if (group.empty())
      throw ValueError(
          fmt::format("split of {}: an empty group", decision_name<S>(split.decision)));
    if (!(covered & group).empty())
      throw ValueError(fmt::format("split of {}: option {} is in two groups",
                                   decision_name<S>(split.decision),
                                   (covered & group).nth(0).index()));
    covered = covered | group;
    result.push_back(parent.with(split.decision, group));
  }
  if (covered != parent[split.decision])
    throw ValueError(fmt::format("split of {}: groups cover {:#x}, the parent allows {:#x}",
                                 decision_name<S>(split.decision), covered.mask(),
                                 parent[split.decision].mask()));
  return result;
}

}  // namespace cleave
