#pragma once

// An independent reference for the tests: lists all set partitions and compares
// them whole, sharing no search, pruning or incremental sum with the library.

#include <algorithm>
#include <cleave/graph/partition.hpp>
#include <cstddef>
#include <limits>
#include <vector>

namespace brute_force {

/// All n vertices equally alike.
inline cleave::graph::SimilarityMatrix constant(std::size_t n, double value) {
  const auto size = static_cast<Eigen::Index>(n);
  return cleave::graph::SimilarityMatrix(Eigen::MatrixXd::Constant(size, size, value));
}

struct Best {
  double cut = std::numeric_limits<double>::infinity();
  cleave::graph::Groups groups;
};

inline bool balanced(const std::vector<std::size_t>& sizes, std::size_t n, std::size_t groups) {
  return sizes.size() == groups && std::all_of(sizes.begin(), sizes.end(), [&](std::size_t size) {
           return size * groups + groups > n && size * groups < n + groups;
         });
}

/// The least cut over all set partitions whose group sizes `allowed` accepts; of cuts within
/// 1e-11 of it, the smallest canonical groups. For n <= 8 (4,140 partitions).
template <class Allowed>
Best least_cut(const cleave::graph::SimilarityMatrix& similarity, Allowed allowed) {
  const std::size_t n = similarity.size();
  std::vector<std::size_t> label(n, 0);
  std::vector<std::size_t> sizes;
  std::vector<Best> all;
  // In restricted-growth form, no label skips a smaller one, every set partition occurs once.
  for (;;) {
    const std::size_t used = *std::max_element(label.begin(), label.end()) + 1;
    sizes.assign(used, 0);
    for (const auto group : label) ++sizes[group];
    if (allowed(sizes)) {
      cleave::graph::Groups groups(used);
      for (std::size_t v = 0; v < n; ++v) groups[label[v]].push_back(v);
      double cut = 0.0;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < i; ++j)
          if (label[i] != label[j]) cut += similarity(i, j);
      std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
        return a.size() < b.size() || (a.size() == b.size() && a[0] < b[0]);
      });
      all.push_back({cut, groups});
    }
    const auto can_grow = [&](std::size_t v) {
      return v > 0 && label[v] <= *std::max_element(label.begin(),
                                                    label.begin() + static_cast<std::ptrdiff_t>(v));
    };
    std::size_t v = n - 1;
    while (v > 0 && !can_grow(v)) label[v--] = 0;
    if (v == 0) break;
    ++label[v];
  }
  Best best;
  for (const auto& candidate : all) best.cut = std::min(best.cut, candidate.cut);
  for (const auto& candidate : all)
    if (candidate.cut <= best.cut + 1e-11 &&
        (best.groups.empty() || candidate.groups < best.groups))
      best.groups = candidate.groups;
  return best;
}

}  // namespace brute_force
