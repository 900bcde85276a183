#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace cleave {

/// One byte per image of a batch: 1 where the answer was right, 0 where it was wrong.
using Hits = std::vector<std::uint8_t>;

/// What candidates are compared on: the same images for all of them, cut into batches once and for
/// all, because supernets normalise by the statistics of the batch.
struct Contest {
  std::size_t candidates = 0;
  std::size_t batches = 0;
  std::size_t images = 0;  ///< of all batches together
  /// The hits of these candidates on batch k, one row each; costs one forward pass per row. A
  /// candidate's row on a batch depends on nothing else.
  std::function<std::vector<Hits>(std::span<const std::size_t> candidates, std::size_t batch)> hits;
};

namespace strategy {

/// The best of many candidates in a contest.
///
/// Requirements on a const object: `C::name`, and `choice(contest)` giving the index of one of at
/// least one candidates on at least one batch.
/// Laws (testing/choice_laws.hpp): asks for no candidate's hits on a batch twice; depends on the
/// contest alone; of equal candidates it chooses the first; a candidate that is right wherever
/// another one is, and more often, is preferred to it.
/// Accepted: successive halving in 20 lines (benchmarks/racing). Rejected: one that returns the
/// accuracy of the best.
/// Models: Race (default), FullEvaluation.
template <class C>
concept PathChoice = requires(const C& choice, const Contest& contest) {
  { C::name } -> std::convertible_to<std::string_view>;
  { choice(contest) } -> std::same_as<std::size_t>;
};

/// Every candidate on every batch; the most hits win, the lower index on a tie. The public code's
/// rule, and the yardstick `Race` is held to. Cost: candidates * batches passes.
struct FullEvaluation {
  static constexpr std::string_view name = "full evaluation";

  [[nodiscard]] std::size_t operator()(const Contest& contest) const {
    std::vector<std::size_t> all(contest.candidates);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    std::vector<std::size_t> right(contest.candidates);
    for (std::size_t k = 0; k < contest.batches; ++k) {
      const auto rows = contest.hits(all, k);
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (const auto hit : rows[i]) right[i] += hit;
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < right.size(); ++i)
      if (right[i] > right[best]) best = i;
    return best;
  }
};

static_assert(PathChoice<FullEvaluation>);

}  // namespace strategy
}  // namespace cleave
