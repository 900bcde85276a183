#pragma once

#include <algorithm>
#include <cleave/graph/concept.hpp>
#include <cleave/graph/ties.hpp>
#include <limits>

namespace cleave::graph {

/// Distance across the groups, the sum of d(i, j) = 1 - s(i, j) over separated pairs: the score
/// that the public NASBench-201 and OFA code makes as large as possible.
[[nodiscard]] inline double cut_distance(const Partition& partition) noexcept {
  return static_cast<double>(partition.cut_pairs()) - partition.cut();
}

/// Distance left within the groups: the score that the public DARTS and Proxyless code makes as
/// small as possible.
[[nodiscard]] inline double within_distance(const Partition& partition) noexcept {
  const std::size_t n = partition.vertex_count();
  return static_cast<double>(n * (n - 1) / 2 - partition.cut_pairs()) - partition.within();
}

namespace reference {

/// The first partition, in enumeration order, whose score is the highest up to a tie. The
/// order: first groups of `least` to `most` vertices, by size and then lexicographically.
template <class Score>
[[nodiscard]] Partition first_best(const SimilarityMatrix& similarity, std::size_t least,
                                   std::size_t most, Score score) {
  const std::size_t n = similarity.size();
  const auto visit = [&](auto&& use) {
    for (std::size_t size = least; size <= most; ++size) {
      std::vector<bool> chosen(n, false);
      std::fill_n(chosen.begin(), size, true);
      do {
        Groups groups(2);
        for (std::size_t v = 0; v < n; ++v) groups[chosen[v] ? 0 : 1].push_back(v);
        if (use(Partition(similarity, std::move(groups)))) return;
      } while (std::prev_permutation(chosen.begin(), chosen.end()));
    }
  };
  double best = -std::numeric_limits<double>::infinity();
  visit([&](const Partition& candidate) {
    best = std::max(best, score(candidate));
    return false;
  });
  const double threshold =
      best - tie_tolerance * static_cast<double>(n * n) - tie_width(similarity);
  Groups found;
  visit([&](const Partition& candidate) {
    if (score(candidate) < threshold) return false;
    found = candidate.groups();
    return true;
  });
  return Partition(similarity, std::move(found));
}

}  // namespace reference

/// The literal rule of the public NASBench-201 code: of all cuts into 2 and n - 2 vertices the
/// one with the largest distance across; the first found wins a tie (groups of two in
/// lexicographic order). For five options that is 2 against 3. For n = 4 and 5 it equals the
/// balanced cut; beyond that it only ever splits off a pair. Use `ExactBalanced` for the paper's
/// rule.
///
/// Exact, any sign, O(n^4). Throws `ValueError` for groups other than 2 or n < 3.
/// Source: github.com/skhu101/GM-NAS at commit a69837d; checked against its numbers.
struct ReferenceNasBench201 {
  static constexpr std::string_view name = "reference_nasbench201";

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups, Stream&) const {
    check_two_groups(name, similarity.size(), groups, 3);
    return reference::first_best(similarity, 2, 2, &cut_distance);
  }
};
static_assert(Partitioner<ReferenceNasBench201>);

/// The literal rule of the public DARTS-space code: of all cuts whose smaller side has 2 to n / 2
/// vertices the one with the least distance left within; the first found wins a tie (by size,
/// then lexicographically). An even split leaves the fewest pairs within, so for distances near 1
/// it is nearly always chosen.
///
/// Exact, any sign, visits 2^(n-1) cuts. Throws `ValueError` for groups other than 2, n < 4 or
/// n > `max_vertices`. Source: github.com/skhu101/GM-NAS at commit a69837d; checked against its
/// numbers.
struct ReferenceDarts {
  static constexpr std::string_view name = "reference_darts";
  static constexpr std::size_t max_vertices = 16;

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups, Stream&) const {
    check_two_groups(name, similarity.size(), groups, 4);
    if (similarity.size() > max_vertices)
      throw ValueError(fmt::format("{}: {} vertices, at most {} are possible", name,
                                   similarity.size(), max_vertices));
    return reference::first_best(similarity, 2, similarity.size() / 2,
                                 [](const Partition& p) { return -within_distance(p); });
  }
};
static_assert(Partitioner<ReferenceDarts>);

}  // namespace cleave::graph
