#pragma once

#include <cleave/core/random.hpp>
#include <cleave/split/tree.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace cleave::tabular {

/// What a leaf keeps of the good architectures, and what it costs: `space_share` of the space has
/// still to be searched. A split without knowledge keeps, on average, as large a share of the
/// good ones as of the space.
struct LeafQuality {
  std::size_t leaf = 0;    ///< node number in the tree
  std::size_t kept = 0;    ///< good architectures inside
  double kept_share = 0;   ///< kept / all good ones, in [0, 1]
  double space_share = 0;  ///< architectures of the leaf / architectures of the root, in (0, 1]
};

/// How a tree's leaves share out `good` architectures (the true top 100 of a benchmark), in the
/// order of `tree.leaves()`. O(good x depth). Throws `ValueError` when `good` is empty or holds
/// an architecture outside the root.
template <SearchSpace S>
[[nodiscard]] std::vector<LeafQuality> leaf_quality(const SplitTree<S>& tree,
                                                    std::span<const Architecture<S>> good) {
  if (good.empty()) throw ValueError("split quality: no good architectures to look for");
  std::vector<std::size_t> kept(tree.size());
  for (const auto& architecture : good) ++kept[tree.leaf_of(architecture)];
  const auto share = [](auto part, auto whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };
  std::vector<LeafQuality> result;
  for (const auto leaf : tree.leaves())
    result.push_back({leaf, kept[leaf], share(kept[leaf], good.size()),
                      share(tree[leaf].restriction.count(), tree[0].restriction.count())});
  return result;
}

/// The leaf that keeps the most; of equals the one that is the smallest part of the space, then
/// the first. An oracle's choice: it says what a perfect leaf selection could reach.
template <SearchSpace S>
[[nodiscard]] LeafQuality best_leaf(const SplitTree<S>& tree,
                                    std::span<const Architecture<S>> good) {
  const auto leaves = leaf_quality<S>(tree, good);
  LeafQuality best = leaves.front();
  for (const auto& leaf : leaves)
    if (leaf.kept > best.kept || (leaf.kept == best.kept && leaf.space_share < best.space_share))
      best = leaf;
  return best;
}

/// A rule that splits without training anything: `split = rule(restriction, stream)`, on a const
/// object, for a restriction in which some decision still has all its options. It must name a
/// decision with at least two options left and groups that cover them (`SplitTree` checks that).
/// Accepted: `RandomTwoWay`. Rejected: a rule that returns groups without a decision.
template <class C, class S>
concept SplitsWithoutTraining = SearchSpace<S> &&
    requires(const C& rule, const Restriction<S>& leaf, Stream& stream) {
  { rule(leaf, stream) } -> std::same_as<Split>;
};

/// Grows a tree by `levels` rounds in which every leaf is split once. A leaf's random numbers
/// depend on its path alone. Throws what the rule and `SplitTree::split` throw.
template <SearchSpace S, SplitsWithoutTraining<S> C>
[[nodiscard]] SplitTree<S> grow(const C& rule, std::size_t levels, const Stream& stream) {
  SplitTree<S> tree;
  for (std::size_t level = 0; level < levels; ++level)
    for (const auto leaf : tree.leaves()) {
      auto draws = stream.fork(tree[leaf].path);
      tree.split(leaf, rule(tree[leaf].restriction, draws));
    }
  return tree;
}

/// The decisions of a restriction that nothing has narrowed yet.
template <SearchSpace S>
[[nodiscard]] std::vector<DecisionId> open_decisions(const Restriction<S>& restriction) {
  std::vector<DecisionId> open;
  for (std::size_t d = 0; d < S::decision_count; ++d)
    if (restriction[DecisionId(d)].size() == S::option_count(DecisionId(d)) &&
        S::option_count(DecisionId(d)) > 1)
      open.emplace_back(d);
  return open;
}

/// A decision that was not split yet, at random, and a random half of its options, rounded down:
/// 2 | 3 for five options. What a split is worth that knows nothing.
template <SearchSpace S>
struct RandomTwoWay {
  [[nodiscard]] Split operator()(const Restriction<S>& leaf, Stream& stream) const {
    const auto open = open_decisions(leaf);
    if (open.empty()) throw ValueError("random split: every decision is split already");
    const auto decision = open[stream.below(open.size())];
    std::vector<OptionId> options(leaf[decision].begin(), leaf[decision].end());
    stream.shuffle(options);
    OptionSet half;
    for (std::size_t i = 0; i < options.size() / 2; ++i) half.insert(options[i]);
    return {decision, {half, leaf[decision] - half}};
  }
};

/// The two splits, of two different decisions and each `size` options against the rest, whose
/// common leaf keeps the most of `good`: the bound for every criterion of that shape. An oracle;
/// ties go to the first decisions and the smallest option masks. Exhaustive: for NAS-Bench-201
/// 1,500 leaves. Returns the tree; the leaf is `best_leaf` of it among those of two times `size`
/// options, node 3. Throws `ValueError` when `good` is empty or no decision can be split so.
template <SearchSpace S>
[[nodiscard]] SplitTree<S> best_two_splits(std::span<const Architecture<S>> good,
                                           std::size_t size) {
  if (good.empty()) throw ValueError("split quality: no good architectures to look for");
  std::vector<Split> candidates;
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const auto all = OptionSet::first(S::option_count(DecisionId(d)));
    for (std::uint64_t mask = 1; mask < all.mask(); ++mask) {
      const auto group = OptionSet::from_mask(static_cast<std::uint32_t>(mask));
      if (group.size() == size) candidates.push_back({DecisionId(d), {group, all - group}});
    }
  }
  const auto kept_by = [&](const Split& a, const Split& b) {
    std::size_t kept = 0;
    for (const auto& architecture : good)
      kept += a.groups[0].contains(architecture[a.decision]) &&
              b.groups[0].contains(architecture[b.decision]);
    return kept;
  };
  std::size_t most = 0;
  std::pair<const Split*, const Split*> best{nullptr, nullptr};
  for (std::size_t i = 0; i < candidates.size(); ++i)
    for (std::size_t j = i + 1; j < candidates.size(); ++j) {
      if (candidates[i].decision == candidates[j].decision) continue;
      const auto kept = kept_by(candidates[i], candidates[j]);
      if (best.first == nullptr || kept > most) {
        most = kept;
        best = {&candidates[i], &candidates[j]};
      }
    }
  if (best.first == nullptr)
    throw ValueError(fmt::format("split quality: no two decisions of {} split {} against the rest",
                                 S::name, size));
  SplitTree<S> tree;
  for (const auto child : tree.split(0, *best.first)) tree.split(child, *best.second);
  return tree;
}

}  // namespace cleave::tabular
