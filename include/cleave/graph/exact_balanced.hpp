#pragma once

#include <algorithm>
#include <cleave/graph/concept.hpp>
#include <cleave/graph/ties.hpp>
#include <limits>

namespace cleave::graph {

/// The least cut into `groups` balanced groups, floor(n/B) <= |group| <= ceil(n/B): the rule of
/// the paper. Exact, for any number of groups and similarities of any sign. Balanced group sizes
/// fix the number of cut pairs, so this is also the least distance left within the groups and the
/// least normalised cut. Ties: smallest canonical groups. The stream is not used.
///
/// Visits every balanced partition, each once: at most 138,600 (n = 12, B = 5), 5,775 for n = 12,
/// B = 3. Throws `ValueError` for n > `max_vertices`, 0 groups or more groups than vertices.
/// Source: GM-NAS section 3.3, equation 4.
struct ExactBalanced {
  static constexpr std::string_view name = "exact_balanced";
  static constexpr std::size_t max_vertices = 12;

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups, Stream&) const {
    if (similarity.size() > max_vertices)
      throw ValueError(
          fmt::format("{}: {} vertices, at most {} are possible (use Spectral, graph/spectral.hpp)",
                      name, similarity.size(), max_vertices));
    check_group_count(name, similarity.size(), groups);
    Search search(similarity, groups);
    return Partition(similarity, search.run());
  }

 private:
  /// Depth-first over vertices 0, 1, ...; a vertex joins an open group or opens the next one, so
  /// that no partition is met twice. First pass: the most similarity kept within; second pass:
  /// the smallest canonical groups among those that keep as much up to a tie.
  class Search {
   public:
    Search(const SimilarityMatrix& similarity, std::size_t groups)
        : similarity_(similarity),
          floor_(similarity.size() / groups),
          larger_allowed_(similarity.size() % groups),
          width_(tie_width(similarity)),
          groups_(groups) {}

    Groups run() {
      place(0, 0, 0, 0.0);
      threshold_ = most_within_ - width_;
      choosing_ = true;
      place(0, 0, 0, 0.0);
      return best_;
    }

   private:
    void place(std::size_t vertex, std::size_t open, std::size_t larger, double within) {
      if (vertex == similarity_.size()) return finish(within);
      for (std::size_t g = 0; g <= open && g < groups_.size(); ++g) {
        auto& group = groups_[g];
        const bool grows_larger = group.size() == floor_;
        if (group.size() > floor_ || (grows_larger && larger == larger_allowed_)) continue;
        double gain = 0.0;
        for (const auto member : group) gain += similarity_(member, vertex);
        group.push_back(vertex);
        place(vertex + 1, std::max(open, g + 1), larger + (grows_larger ? 1 : 0), within + gain);
        group.pop_back();
      }
    }

    /// All vertices are placed. Sizes need no check: no group exceeds its size and only n mod B
    /// groups are larger, so all n vertices fit only when every group is full.
    void finish(double within) {
      if (!choosing_) {
        most_within_ = std::max(most_within_, within);
      } else if (within >= threshold_) {
        Groups candidate = groups_;
        make_canonical(candidate);
        if (best_.empty() || candidate < best_) best_ = std::move(candidate);
      }
    }

    const SimilarityMatrix& similarity_;
    std::size_t floor_;
    std::size_t larger_allowed_;
    double width_;
    Groups groups_;
    Groups best_;
    double most_within_ = -std::numeric_limits<double>::infinity();
    double threshold_ = 0.0;
    bool choosing_ = false;
  };
};
static_assert(Partitioner<ExactBalanced>);

}  // namespace cleave::graph
