#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cleave/graph/concept.hpp>
#include <cleave/graph/ties.hpp>
#include <cstdint>
#include <limits>

namespace cleave::graph {

/// The least cut into two groups whose smaller side has `min_size` to `max_size` vertices. Exact,
/// similarities of any sign. Ties: smallest canonical groups. The stream is not used.
///
/// The objective is the plain cut, so sizes matter: with free sizes and mostly positive weights
/// one vertex alone is usually cheapest (it cuts n - 1 pairs, an even split n^2 / 4), with mostly
/// negative weights an even split is. `ExactTwoWay{.min_size = n / 2}` is the balanced cut of
/// `ExactBalanced` for n up to 24; compare decisions by `Partition::normalised_cut`.
///
/// Visits all 2^(n-1) cuts as a binary tree of placements in amortised O(1) each, without
/// running sums that drift. Throws `ValueError` for groups other than 2, n < 2,
/// n > `max_vertices`, or a size range that holds no size from 1 to n / 2.
struct ExactTwoWay {
  static constexpr std::string_view name = "exact_two_way";
  static constexpr std::size_t max_vertices = 24;
  static constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

  std::size_t min_size = 1;          ///< least size of the smaller group, at least 1
  std::size_t max_size = unbounded;  ///< largest size of the smaller group; n / 2 at most
  template <class F>
  void fields(F&& field) const {
    field("min_size", min_size);
    field("max_size", max_size);
  }

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups, Stream&) const {
    const std::size_t n = similarity.size();
    check_two_groups(name, n, groups, 2);
    if (n > max_vertices)
      throw ValueError(
          fmt::format("{}: {} vertices, at most {} are possible (use Spectral, graph/spectral.hpp, "
                      "or GlobalMinCut)",
                      name, n, max_vertices));
    if (min_size == 0 || min_size > max_size || min_size > n / 2)
      throw ValueError(
          fmt::format("{}: smaller group of {} to {} vertices, {} vertices allow 1 to {}", name,
                      min_size, max_size == unbounded ? n / 2 : max_size, n, n / 2));
    Search search(similarity, min_size, std::min(max_size, n / 2));
    return Partition(similarity, search.run());
  }

 private:
  /// Places vertices one after the other on side +1 or -1, vertex 0 on +1. With signs x the
  /// agreement sum over i < j of x_i x_j s_ij is total - 2 cut, and placing vertex k changes it
  /// by x_k times its field, the sum over placed i of x_i s_ik. First pass: the most agreement;
  /// second pass: the smallest canonical groups among those that reach it up to a tie.
  class Search {
   public:
    Search(const SimilarityMatrix& similarity, std::size_t min_size, std::size_t max_size)
        : n_(similarity.size()),
          min_size_(min_size),
          max_size_(max_size),
          width_(2.0 * tie_width(similarity)) {
      for (std::size_t i = 0; i < n_; ++i)
        for (std::size_t j = 0; j < n_; ++j) weight_[i][j] = similarity(i, j);
    }

    Groups run() {
      visit<false>(0, 0.0, 0, 0);
      threshold_ = most_ - width_;
      visit<true>(0, 0.0, 0, 0);
      Groups groups(2);
      for (std::size_t v = 0; v < n_; ++v) groups[(best_ >> v) & 1U].push_back(v);
      return groups;
    }

   private:
    using Mask = std::uint32_t;

    /// The vertices below `k` are placed, those in `minus` on side -1.
    template <bool choosing>
    void visit(std::size_t k, double agreement, Mask minus, std::size_t minus_count) {
      const std::size_t plus_count = k - minus_count;
      if (std::max(plus_count, minus_count) > n_ - min_size_ ||
          std::min(plus_count, minus_count) > max_size_)
        return;
      if (k == n_) {
        if constexpr (choosing) {
          if (agreement >= threshold_) choose(minus, minus_count);
        } else {
          most_ = std::max(most_, agreement);
        }
        return;
      }
      const double field = field_[k][k];
      for (std::size_t j = k + 1; j < n_; ++j) field_[k + 1][j] = field_[k][j] + weight_[k][j];
      visit<choosing>(k + 1, agreement + field, minus, minus_count);
      if (k == 0) return;
      for (std::size_t j = k + 1; j < n_; ++j) field_[k + 1][j] = field_[k][j] - weight_[k][j];
      visit<choosing>(k + 1, agreement - field, minus | (Mask{1} << k), minus_count + 1);
    }

    /// Keeps the candidate if its canonical groups are the smallest so far. The first canonical
    /// group decides: the smaller side, or the side of vertex 0 if both are equal.
    void choose(Mask minus, std::size_t minus_count) {
      const Mask all = static_cast<Mask>((std::uint64_t{1} << n_) - 1);
      const Mask first = 2 * minus_count < n_ ? minus : all & ~minus;
      if (best_ == 0 || precedes(first, best_)) best_ = first;
    }

    /// Lexicographic order of two different sets as ascending lists.
    static bool precedes(Mask a, Mask b) noexcept {
      if (a == b) return false;
      const Mask lowest_difference = (a ^ b) & (~(a ^ b) + 1U);
      const Mask above = ~((lowest_difference << 1U) - 1U);
      // The list that holds the lowest differing vertex is smaller, unless the other ends there.
      return (a & lowest_difference) != 0 ? (b & above) != 0 : (a & above) == 0;
    }

    std::size_t n_;
    std::size_t min_size_;
    std::size_t max_size_;
    double width_;
    std::array<std::array<double, max_vertices>, max_vertices> weight_{};
    std::array<std::array<double, max_vertices>, max_vertices + 1> field_{};
    double most_ = -std::numeric_limits<double>::infinity();
    double threshold_ = 0.0;
    Mask best_ = 0;
  };
};
static_assert(Partitioner<ExactTwoWay>);

}  // namespace cleave::graph
