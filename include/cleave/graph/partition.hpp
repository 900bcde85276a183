#pragma once

#include <algorithm>
#include <cleave/graph/similarity.hpp>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace cleave::graph {

/// Groups of vertices, each a list of vertex numbers.
using Groups = std::vector<std::vector<std::size_t>>;

/// The one way this library writes groups down: members ascending, groups ordered by size and
/// then by smallest member. Ties between partitions break by `<` on this form.
inline void make_canonical(Groups& groups) {
  for (auto& group : groups) std::sort(group.begin(), group.end());
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
}

/// The vertices of a similarity graph in disjoint, non-empty groups, with what the cut costs.
///
///     cut    = sum of s(i, j) over pairs i < j in different groups
///     within = sum of s(i, j) over pairs i < j in one group
///     total  = cut + within (each summed on its own, so equal up to rounding)
///
/// Both sums are kept because "least similarity cut" and "least distance left inside" agree for
/// given group sizes only: with different sizes the number of pairs on either side differs.
class Partition {
 public:
  /// Throws `ValueError` unless every vertex of `similarity` is in exactly one group and no group
  /// is empty. Groups and members may come in any order. Cost O(n^2).
  Partition(const SimilarityMatrix& similarity, Groups groups)
      : groups_(std::move(groups)), group_of_(group_numbers(similarity.size(), groups_)) {
    make_canonical(groups_);
    group_of_ = group_numbers(similarity.size(), groups_);
    for (std::size_t j = 1; j < similarity.size(); ++j)
      for (std::size_t i = 0; i < j; ++i) {
        const double s = similarity(i, j);
        total_ += s;
        if (group_of_[i] == group_of_[j]) {
          within_ += s;
        } else {
          cut_ += s;
          ++cut_pairs_;
        }
      }
  }

  /// Canonical groups, see `make_canonical`.
  [[nodiscard]] const Groups& groups() const noexcept { return groups_; }
  [[nodiscard]] std::size_t group_count() const noexcept { return groups_.size(); }
  [[nodiscard]] std::size_t vertex_count() const noexcept { return group_of_.size(); }

  /// Position in `groups()` of the group that holds a vertex. Throws `ValueError` beyond the last.
  [[nodiscard]] std::size_t group_of(std::size_t vertex) const {
    if (vertex >= group_of_.size())
      throw ValueError(fmt::format("partition: vertex {}, it has {}", vertex, group_of_.size()));
    return group_of_[vertex];
  }

  [[nodiscard]] double cut() const noexcept { return cut_; }
  [[nodiscard]] double within() const noexcept { return within_; }
  [[nodiscard]] double total() const noexcept { return total_; }

  /// Number of vertex pairs that the cut separates.
  [[nodiscard]] std::size_t cut_pairs() const noexcept { return cut_pairs_; }

  /// Mean similarity of a separated pair, cut / cut_pairs: comparable between decisions with
  /// different option counts and group sizes. 0 for a single group, which separates nothing.
  [[nodiscard]] double normalised_cut() const noexcept {
    return cut_pairs_ == 0 ? 0.0 : cut_ / static_cast<double>(cut_pairs_);
  }

  /// "{0,3|1,2,4}".
  [[nodiscard]] std::string text() const {
    std::string result = "{";
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (g != 0) result += '|';
      for (std::size_t k = 0; k < groups_[g].size(); ++k) {
        if (k != 0) result += ',';
        result += std::to_string(groups_[g][k]);
      }
    }
    return result + "}";
  }

  /// Equal groups; the sums are not compared, so partitions found from two estimates of one
  /// similarity compare as one expects.
  friend bool operator==(const Partition& a, const Partition& b) { return a.groups_ == b.groups_; }

 private:
  /// Group number of each of n vertices; throws when `groups` do not cover them exactly once.
  [[nodiscard]] static std::vector<std::size_t> group_numbers(std::size_t n, const Groups& groups) {
    constexpr auto none = static_cast<std::size_t>(-1);
    std::vector<std::size_t> number(n, none);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (groups[g].empty()) throw ValueError(fmt::format("partition: group {} is empty", g));
      for (const auto vertex : groups[g]) {
        if (vertex >= n)
          throw ValueError(
              fmt::format("partition: vertex {} in group {}, the matrix has {}", vertex, g, n));
        if (number[vertex] != none)
          throw ValueError(fmt::format("partition: vertex {} is in group {} and in group {}",
                                       vertex, number[vertex], g));
        number[vertex] = g;
      }
    }
    for (std::size_t vertex = 0; vertex < n; ++vertex)
      if (number[vertex] == none)
        throw ValueError(fmt::format("partition: vertex {} is in no group", vertex));
    return number;
  }

  Groups groups_;
  std::vector<std::size_t> group_of_;
  double cut_ = 0.0;
  double within_ = 0.0;
  double total_ = 0.0;
  std::size_t cut_pairs_ = 0;
};

}  // namespace cleave::graph
