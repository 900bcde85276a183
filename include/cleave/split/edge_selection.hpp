#pragma once

#include <algorithm>
#include <cleave/core/ids.hpp>
#include <cleave/core/random.hpp>
#include <cleave/graph/partition.hpp>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace cleave::split {

/// A decision that could be split, with its best partition.
struct Candidate {
  DecisionId decision;
  graph::SimilarityMatrix similarity;
  graph::Partition partition;
};

/// Which decision to split.
///
/// Requirements on a const object: `E::name`; `candidates(open, stream)`, the decisions worth
/// scoring (a subset of `open`, not empty); `choose(candidates)`, the index of the one to split.
/// Laws: `choose` does not depend on the order of candidates beyond ties, which go to the first.
/// Models: LowestNormalisedCut, LargestCutDistance, LeastWithinDistance, FixedOrder, RandomOrder,
/// Among.
template <class E>
concept EdgeSelection =
    requires(const E& edges, std::span<const DecisionId> open, Stream& stream,
             std::span<const Candidate> candidates) {
      { E::name } -> std::convertible_to<std::string_view>;
      { edges.candidates(open, stream) } -> std::same_as<std::vector<DecisionId>>;
      { edges.choose(candidates) } -> std::convertible_to<std::size_t>;
    };

namespace detail {
/// The candidate with the least value.
template <class Value>
std::size_t least(std::span<const Candidate> candidates, Value value) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < candidates.size(); ++i)
    if (value(candidates[i]) < value(candidates[best])) best = i;
  return best;
}
}  // namespace detail

/// The part that selections by cut have in common: every open decision is scored.
struct ScoresAllOpen {
  [[nodiscard]] std::vector<DecisionId> candidates(std::span<const DecisionId> open,
                                                   Stream&) const {
    return {open.begin(), open.end()};
  }
};

/// The edge that is cheapest to cut: least similarity across its groups, per separated pair, so
/// that edges with other option counts or group sizes compare (method.md section 5.1).
struct LowestNormalisedCut : ScoresAllOpen {
  static constexpr std::string_view name = "lowest normalised cut";
  [[nodiscard]] std::size_t choose(std::span<const Candidate> candidates) const {
    return detail::least(candidates,
                         [](const Candidate& c) { return c.partition.normalised_cut(); });
  }
};

/// The literal rule of the public NAS-Bench-201 and OFA code: largest distance (1 - s) across.
struct LargestCutDistance : ScoresAllOpen {
  static constexpr std::string_view name = "largest cut distance";
  [[nodiscard]] std::size_t choose(std::span<const Candidate> candidates) const {
    return detail::least(candidates, [](const Candidate& c) {
      return c.partition.cut() - static_cast<double>(c.partition.cut_pairs());
    });
  }
};

/// The literal rule of the public DARTS and ProxylessNAS code: least distance (1 - s) within.
struct LeastWithinDistance : ScoresAllOpen {
  static constexpr std::string_view name = "least within distance";
  [[nodiscard]] std::size_t choose(std::span<const Candidate> candidates) const {
    return detail::least(candidates, [](const Candidate& c) {
      const auto n = c.similarity.size();
      const auto pairs = static_cast<double>(n * (n - 1) / 2 - c.partition.cut_pairs());
      return pairs - c.partition.within();
    });
  }
};

/// The first open decision of a list; only that one is scored. Throws `ValueError` when none of
/// the list is open.
struct FixedOrder {
  static constexpr std::string_view name = "fixed order";
  std::vector<DecisionId> order;
  template <class F>
  void fields(F&& field) const {
    field("order", order);
  }

  [[nodiscard]] std::vector<DecisionId> candidates(std::span<const DecisionId> open,
                                                   Stream&) const {
    for (const auto decision : order)
      if (std::find(open.begin(), open.end(), decision) != open.end()) return {decision};
    throw ValueError("edge selection: no decision of the fixed order can still be split");
  }
  [[nodiscard]] std::size_t choose(std::span<const Candidate>) const { return 0; }
};

/// A random open decision; only that one is scored.
struct RandomOrder {
  static constexpr std::string_view name = "random order";
  [[nodiscard]] std::vector<DecisionId> candidates(std::span<const DecisionId> open,
                                                   Stream& stream) const {
    return {open[stream.below(open.size())]};
  }
  [[nodiscard]] std::size_t choose(std::span<const Candidate>) const { return 0; }
};

/// Another selection that is shown some decisions only, such as the normal edges of the DARTS space:
/// `Among<>{.decisions = space::Darts::cell_decisions(false)}`. Throws `ValueError` when none of them
/// can still be split.
template <EdgeSelection Edges = LowestNormalisedCut>
struct Among {
  static constexpr std::string_view name = "among some";
  std::vector<DecisionId> decisions;
  Edges edges{};

  template <class F>
  void fields(F&& field) const {
    field("decisions", decisions);
    field("edges", edges);
  }

  [[nodiscard]] std::vector<DecisionId> candidates(std::span<const DecisionId> open,
                                                   Stream& stream) const {
    std::vector<DecisionId> shown;
    for (const auto decision : open)
      if (std::find(decisions.begin(), decisions.end(), decision) != decisions.end())
        shown.push_back(decision);
    if (shown.empty())
      throw ValueError(fmt::format("edge selection: none of the {} decisions to choose among can "
                                   "still be split", decisions.size()));
    return edges.candidates(shown, stream);
  }
  [[nodiscard]] std::size_t choose(std::span<const Candidate> candidates) const {
    return edges.choose(candidates);
  }
};

static_assert(EdgeSelection<LowestNormalisedCut> && EdgeSelection<LargestCutDistance> &&
              EdgeSelection<LeastWithinDistance> && EdgeSelection<FixedOrder> &&
              EdgeSelection<RandomOrder> && EdgeSelection<Among<>>);

}  // namespace cleave::split
