#pragma once

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace cleave::tabular {

/// Refuses what has no ranking: lists of different lengths, fewer than `least` rows, NaN.
/// Infinities are ordinary extremes. Throws `ValueError` naming list and row.
inline void require_rankable(std::span<const double> x, std::span<const double> y,
                             std::size_t least = 2) {
  if (x.size() != y.size())
    throw ValueError(fmt::format("ranking: {} estimates and {} true values, one of each per row",
                                 x.size(), y.size()));
  if (x.size() < least)
    throw ValueError(fmt::format("ranking: {} rows, at least {} needed", x.size(), least));
  for (std::size_t row = 0; row < x.size(); ++row)
    if (std::isnan(x[row]) || std::isnan(y[row]))
      throw ValueError(fmt::format("ranking: row {}: the {} is NaN", row,
                                   std::isnan(x[row]) ? "first list" : "second list"));
}

namespace detail {

/// Pairs among equal neighbours of a sorted range: sum of t(t-1)/2 over runs of length t.
template <class Iterator, class Equal>
[[nodiscard]] std::int64_t tied_pairs(Iterator first, Iterator last, Equal equal) {
  std::int64_t pairs = 0;
  std::int64_t run = 0;
  for (auto it = first; it != last; ++it) {
    run = it != first && equal(*std::prev(it), *it) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/// Sorts by merging and counts the pairs i < j with values[i] > values[j].
[[nodiscard]] inline std::int64_t sort_counting_inversions(std::vector<double>& values) {
  // Runs sorted by insertion first: the merges of short runs would cost most of the time.
  constexpr std::size_t run = 16;
  const std::size_t n = values.size();
  std::int64_t inversions = 0;
  for (std::size_t start = 0; start < n; start += run) {
    const std::size_t stop = std::min(start + run, n);
    for (std::size_t i = start + 1; i < stop; ++i) {
      const double value = values[i];
      std::size_t j = i;
      for (; j > start && values[j - 1] > value; --j) values[j] = values[j - 1];
      values[j] = value;
      inversions += static_cast<std::int64_t>(i - j);
    }
  }
  std::vector<double> merged(n);
  for (std::size_t width = run; width < n; width *= 2) {
    for (std::size_t start = 0; start < n; start += 2 * width) {
      const std::size_t middle = std::min(start + width, n);
      const std::size_t stop = std::min(start + 2 * width, n);
      std::size_t left = start;
      std::size_t right = middle;
      for (std::size_t out = start; out < stop; ++out) {
        const bool take_right = right < stop && (left == middle || values[right] < values[left]);
        if (take_right) inversions += static_cast<std::int64_t>(middle - left);
        merged[out] = take_right ? values[right++] : values[left++];
      }
    }
    values.swap(merged);
  }
  return inversions;
}

}  // namespace detail

/// Kendall's tau-b, the rank correlation that corrects for ties (Kendall, Biometrika 1945):
///
///     tau_b = (C - D) / sqrt((n0 - n1) (n0 - n2)),   n0 = n (n - 1) / 2
///
/// with C concordant and D discordant pairs, n1 and n2 the pairs tied in x and in y. In [-1, 1];
/// symmetric in its arguments and unchanged by any increasing transform of either.
///
/// O(n log n) by counting the exchanges of a merge sort (Knight, JASA 1966); 15,625 rows take
/// about 2 ms. NaN when all of x or all of y are tied: there is then no ranking to compare, and
/// a collapsed supernet must not abort the report on it. Throws `ValueError` for lists of
/// different lengths, n < 2 and NaN (naming the row).
[[nodiscard]] inline double kendall_tau_b(std::span<const double> x, std::span<const double> y) {
  require_rankable(x, y);
  std::vector<std::pair<double, double>> rows(x.size());
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {x[i], y[i]};
  std::sort(rows.begin(), rows.end());
  const auto tied_x = detail::tied_pairs(
      rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  const auto tied_both = detail::tied_pairs(rows.begin(), rows.end(), std::equal_to<>{});
  std::vector<double> second(rows.size());
  std::transform(rows.begin(), rows.end(), second.begin(), [](const auto& r) { return r.second; });
  const auto discordant = detail::sort_counting_inversions(second);
  const auto tied_y = detail::tied_pairs(second.begin(), second.end(), std::equal_to<>{});
  const auto n = static_cast<std::int64_t>(rows.size());
  const auto pairs = n * (n - 1) / 2;
  if (tied_x == pairs || tied_y == pairs) return std::numeric_limits<double>::quiet_NaN();
  const auto numerator = pairs - tied_x - tied_y + tied_both - 2 * discordant;
  return static_cast<double>(numerator) /
         std::sqrt(static_cast<double>(pairs - tied_x) * static_cast<double>(pairs - tied_y));
}

/// Ranks from 1, equal values sharing the mean of the ranks they occupy. O(n log n).
/// The caller has refused NaN (`require_rankable`).
[[nodiscard]] inline std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::pair<double, std::size_t>> sorted(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) sorted[i] = {values[i], i};
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> ranks(values.size());
  for (std::size_t start = 0; start < sorted.size();) {
    std::size_t stop = start + 1;
    while (stop < sorted.size() && sorted[stop].first == sorted[start].first) ++stop;
    const double shared = (static_cast<double>(start + 1) + static_cast<double>(stop)) / 2;
    for (; start < stop; ++start) ranks[sorted[start].second] = shared;
  }
  return ranks;
}

/// Spearman's rho: Pearson's correlation of the average ranks, so ties are handled exactly.
/// In [-1, 1]. O(n log n). NaN and errors as in `kendall_tau_b`.
[[nodiscard]] inline double spearman_rho(std::span<const double> x, std::span<const double> y) {
  require_rankable(x, y);
  const auto a = average_ranks(x);
  const auto b = average_ranks(y);
  const double mean = (static_cast<double>(a.size()) + 1) / 2;  // of any set of average ranks
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean) * (b[i] - mean);
    aa += (a[i] - mean) * (a[i] - mean);
    bb += (b[i] - mean) * (b[i] - mean);
  }
  if (aa == 0 || bb == 0) return std::numeric_limits<double>::quiet_NaN();
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

}  // namespace cleave::tabular
