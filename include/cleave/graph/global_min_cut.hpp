#pragma once

#include <algorithm>
#include <cleave/graph/concept.hpp>
#include <cleave/graph/ties.hpp>

namespace cleave::graph {

/// The least cut into two non-empty groups of any sizes, for any n, by the algorithm of Stoer and
/// Wagner (JACM 1997). Weights must not be negative: with them the problem is maximum cut, which
/// this algorithm does not solve (`ExactTwoWay` does, up to 24 vertices).
///
/// Ties: each of the n - 1 phases yields one cut; of the least among these the smallest canonical
/// groups win. That is deterministic, but a tied cut that no phase yields is not considered.
/// The stream is not used. O(n^3) time, O(n^2) memory. Throws `ValueError` for groups other than
/// 2, n < 2, or a negative weight (naming the entry).
struct GlobalMinCut {
  static constexpr std::string_view name = "global_min_cut";

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups, Stream&) const {
    const std::size_t n = similarity.size();
    check_two_groups(name, n, groups, 2);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j)
        if (similarity(i, j) < 0.0)
          throw ValueError(
              fmt::format("{}: entry ({}, {}) is {}, only non-negative weights are possible (use "
                          "ExactTwoWay)",
                          name, i, j, similarity(i, j)));

    std::vector<PhaseCut> cuts;
    Eigen::MatrixXd weight = similarity.values();
    Groups merged(n);  // the original vertices behind each vertex that is left
    std::vector<std::size_t> left(n);
    for (std::size_t v = 0; v < n; ++v) {
      left[v] = v;
      merged[v] = {v};
    }
    while (left.size() > 1) cuts.push_back(run_phase(weight, merged, left));

    const auto least = std::min_element(
        cuts.begin(), cuts.end(), [](const auto& a, const auto& b) { return a.cost < b.cost; });
    const double threshold = least->cost + tie_width(similarity);
    Groups best;
    for (const auto& cut : cuts) {
      if (cut.cost > threshold) continue;
      Groups candidate = both_sides(cut.side, n);
      if (best.empty() || candidate < best) best = std::move(candidate);
    }
    return Partition(similarity, std::move(best));
  }

 private:
  struct PhaseCut {
    double cost;
    std::vector<std::size_t> side;
  };

  /// Adds vertices in order of their attachment to those added; the last one against the rest is
  /// a least cut between the last two, which then become one vertex.
  static PhaseCut run_phase(Eigen::MatrixXd& weight, Groups& merged,
                            std::vector<std::size_t>& left) {
    const auto at = [](std::size_t v) { return static_cast<Eigen::Index>(v); };
    std::vector<double> attachment(merged.size(), 0.0);
    std::vector<std::size_t> waiting = left;
    std::size_t last = waiting.front();
    std::size_t before_last = last;
    while (!waiting.empty()) {
      const auto next = std::max_element(
          waiting.begin(), waiting.end(),
          [&](std::size_t a, std::size_t b) { return attachment[a] < attachment[b]; });
      before_last = last;
      last = *next;
      waiting.erase(next);
      for (const auto v : waiting) attachment[v] += weight(at(v), at(last));
    }
    PhaseCut cut{attachment[last], merged[last]};
    merged[before_last].insert(merged[before_last].end(), merged[last].begin(), merged[last].end());
    left.erase(std::find(left.begin(), left.end(), last));
    for (const auto v : left) {
      if (v == before_last) continue;
      const double sum = weight(at(v), at(before_last)) + weight(at(v), at(last));
      weight(at(v), at(before_last)) = weight(at(before_last), at(v)) = sum;
    }
    return cut;
  }

  static Groups both_sides(const std::vector<std::size_t>& side, std::size_t n) {
    Groups groups{side, {}};
    for (std::size_t v = 0; v < n; ++v)
      if (std::find(side.begin(), side.end(), v) == side.end()) groups[1].push_back(v);
    make_canonical(groups);
    return groups;
  }
};
static_assert(Partitioner<GlobalMinCut>);

}  // namespace cleave::graph
