#pragma once

#include <cleave/graph/partition.hpp>
#include <cleave/graph/ties.hpp>
#include <cstddef>
#include <vector>

namespace cleave::graph {

/// Improves a balanced partition by exchanges until no sequence of them helps, for any number of
/// groups: Kernighan and Lin (BSTJ 1970), all groups at once, with Fiduccia and Mattheyses' moves
/// of a single vertex expressed as an exchange with an empty place.
///
/// A pass exchanges, step by step, the two unlocked members of different groups that raise the
/// similarity within the most (or lower it the least), locks them, and in the end keeps the best
/// prefix of the sequence; so it leaves local optima that need several exchanges at once.
class KernighanLin {
 public:
  /// `groups` must be balanced: sizes floor(n/B) or ceil(n/B). Throws `ValueError` otherwise.
  KernighanLin(const SimilarityMatrix& similarity, const Groups& groups)
      : similarity_(similarity),
        tolerance_(tie_width(similarity)),
        vertices_(similarity.size()),
        groups_(groups.size()) {
    const Partition checked(similarity, groups);
    const std::size_t capacity = (vertices_ + groups_ - 1) / groups_;
    group_of_.resize(vertices_);
    has_empty_place_.assign(groups_, false);
    for (std::size_t v = 0; v < vertices_; ++v) group_of_[v] = checked.group_of(v);
    for (std::size_t g = 0; g < groups_; ++g) {
      const std::size_t size = checked.groups()[g].size();
      if (size == capacity) continue;
      if (size + 1 != capacity || size != vertices_ / groups_)
        throw ValueError(fmt::format("Kernighan-Lin: a group of {}, balance needs {} or {}", size,
                                     vertices_ / groups_, capacity));
      has_empty_place_[g] = true;
      group_of_.push_back(g);
    }
    attraction_.assign(vertices_ * groups_, 0.0);
    for (std::size_t v = 0; v < vertices_; ++v)
      for (std::size_t u = 0; u < vertices_; ++u)
        if (u != v) attraction(v, group_of_[u]) += similarity_(v, u);
  }

  /// Runs passes until one gains nothing. Each pass costs O(n^3), a few suffice.
  [[nodiscard]] Groups run() {
    while (pass()) {
    }
    Groups groups(groups_);
    for (std::size_t v = 0; v < vertices_; ++v) groups[group_of_[v]].push_back(v);
    make_canonical(groups);
    return groups;
  }

 private:
  /// Items are the vertices, then one per empty place.
  struct Exchange {
    std::size_t a = 0;
    std::size_t b = 0;
    double gain = 0.0;
  };

  bool pass() {
    std::vector<bool> locked(group_of_.size(), false);
    std::vector<Exchange> done;
    double sum = 0.0;
    double best_sum = tolerance_;
    std::size_t best_length = 0;
    for (Exchange next; find(locked, next);) {
      exchange(next.a, next.b);
      locked[next.a] = locked[next.b] = true;
      done.push_back(next);
      sum += next.gain;
      if (sum > best_sum) {
        best_sum = sum;
        best_length = done.size();
      }
    }
    for (std::size_t k = done.size(); k > best_length; --k) exchange(done[k - 1].a, done[k - 1].b);
    return best_length > 0;
  }

  /// The best exchange of unlocked items; false when none is left. `a` is always a vertex.
  bool find(const std::vector<bool>& locked, Exchange& best) const {
    bool found = false;
    for (std::size_t a = 0; a < vertices_; ++a) {
      if (locked[a]) continue;
      const std::size_t from = group_of_[a];
      for (std::size_t b = a + 1; b < group_of_.size(); ++b) {
        const std::size_t to = group_of_[b];
        if (locked[b] || to == from) continue;
        double gain = attraction(a, to) - attraction(a, from);
        if (b < vertices_) {
          gain += attraction(b, from) - attraction(b, to) - 2.0 * similarity_(a, b);
        } else if (has_empty_place_[from]) {
          continue;  // two empty places in one group: no longer balanced
        }
        if (found && gain <= best.gain) continue;
        best = {a, b, gain};
        found = true;
      }
    }
    return found;
  }

  void exchange(std::size_t a, std::size_t b) {
    const std::size_t ga = group_of_[a];
    const std::size_t gb = group_of_[b];
    move(a, ga, gb);
    move(b, gb, ga);
  }

  void move(std::size_t item, std::size_t from, std::size_t to) {
    group_of_[item] = to;
    if (item >= vertices_) {
      has_empty_place_[from] = false;
      has_empty_place_[to] = true;
      return;
    }
    for (std::size_t v = 0; v < vertices_; ++v) {
      if (v == item) continue;
      attraction(v, from) -= similarity_(v, item);
      attraction(v, to) += similarity_(v, item);
    }
  }

  /// Sum of similarities of a vertex to the members of a group, itself left out.
  double& attraction(std::size_t v, std::size_t g) { return attraction_[v * groups_ + g]; }
  [[nodiscard]] double attraction(std::size_t v, std::size_t g) const {
    return attraction_[v * groups_ + g];
  }

  const SimilarityMatrix& similarity_;
  double tolerance_;
  std::size_t vertices_;
  std::size_t groups_;
  std::vector<std::size_t> group_of_;
  std::vector<bool> has_empty_place_;
  std::vector<double> attraction_;
};

}  // namespace cleave::graph
