#pragma once

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <vector>

namespace cleave::data {

/// `total` shared out in proportion to `sizes` (largest remainders; ties to the earlier entry):
/// entry i gets floor or ceil of total * sizes[i] / sum, never more than sizes[i], and the entries
/// sum to `total` exactly. Throws `ValueError` when total exceeds the sum of sizes, or the sum
/// 2^32.
[[nodiscard]] inline std::vector<std::size_t> proportional_counts(
    std::span<const std::size_t> sizes, std::size_t total) {
  const std::size_t sum = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
  if (total > sum)
    throw ValueError(fmt::format("data: {} images asked for, there are {}", total, sum));
  if (sum > (std::size_t{1} << 32))  // products below must fit 64 bits
    throw ValueError(fmt::format("data: {} images, at most 2^32 allowed", sum));
  std::vector<std::size_t> counts(sizes.size());
  std::vector<std::size_t> remainders(sizes.size());
  std::size_t left = total;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (total == 0) continue;
    counts[i] = sizes[i] * total / sum;
    remainders[i] = sizes[i] * total % sum;
    left -= counts[i];
  }
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  for (std::size_t k = 0; k < left; ++k) ++counts[order[k]];
  return counts;
}

/// Image numbers by label, labels ascending, numbers ascending inside a label.
[[nodiscard]] inline std::vector<std::vector<std::int64_t>> by_class(
    std::span<const std::int64_t> labels) {
  std::map<std::int64_t, std::vector<std::int64_t>> classes;
  for (std::size_t i = 0; i < labels.size(); ++i)
    classes[labels[i]].push_back(static_cast<std::int64_t>(i));
  std::vector<std::vector<std::int64_t>> result;
  for (auto& [label, members] : classes) result.push_back(std::move(members));
  return result;
}

/// The numbers, ascending, of `count` images with the class proportions of `labels` (to within
/// one image per class): of each class the first ones. Draws nothing.
[[nodiscard]] inline std::vector<std::int64_t> first_of_each_class(
    std::span<const std::int64_t> labels, std::size_t count) {
  const auto classes = by_class(labels);
  std::vector<std::size_t> sizes;
  for (const auto& members : classes) sizes.push_back(members.size());
  const auto counts = proportional_counts(sizes, count);
  std::vector<std::int64_t> chosen;
  for (std::size_t c = 0; c < classes.size(); ++c)
    chosen.insert(chosen.end(), classes[c].begin(),
                  classes[c].begin() + static_cast<std::ptrdiff_t>(counts[c]));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace cleave::data
