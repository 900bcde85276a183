#pragma once

#include <algorithm>
#include <cleave/tabular/rank_correlation.hpp>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace cleave::tabular {

/// The rows of the k largest values, largest first. Equal values are ordered by `tie_order`
/// (smaller first) where given, else the earlier row comes first: at the cut the choice between
/// tied rows is arbitrary but always the same. O(n log n). Throws `ValueError` for NaN, k = 0,
/// k > n, or a tie order of another length.
[[nodiscard]] inline std::vector<std::size_t> top_rows(std::span<const double> values,
                                                       std::size_t k,
                                                       std::span<const double> tie_order = {}) {
  require_rankable(values, tie_order.empty() ? values : tie_order, 1);
  if (k == 0 || k > values.size())
    throw ValueError(fmt::format("top k: k = {}, allowed 1 to {}", k, values.size()));
  std::vector<std::size_t> rows(values.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
    if (values[a] != values[b]) return values[a] > values[b];
    return !tie_order.empty() && tie_order[a] < tie_order[b];
  });
  rows.resize(k);
  return rows;
}

/// values[rows[0]], values[rows[1]], ... Throws `ValueError` for a row out of range.
[[nodiscard]] inline std::vector<double> gather(std::span<const double> values,
                                                std::span<const std::size_t> rows) {
  std::vector<double> result;
  result.reserve(rows.size());
  for (const auto row : rows) {
    if (row >= values.size())
      throw ValueError(fmt::format("gather: row {}, there are {}", row, values.size()));
    result.push_back(values[row]);
  }
  return result;
}

/// Which list says what the top is. `Truth`: can the estimate rank the best rows there are?
/// `Estimate`: does the order of the rows one would pick mean anything?
enum class TopBy { Truth, Estimate };

namespace detail {
template <class Statistic>
[[nodiscard]] double within_top(Statistic statistic, std::span<const double> estimate,
                                std::span<const double> truth, std::size_t k, TopBy by,
                                std::span<const double> tie_order) {
  require_rankable(estimate, truth);
  const auto rows = top_rows(by == TopBy::Truth ? truth : estimate, k, tie_order);
  return statistic(gather(estimate, rows), gather(truth, rows));
}
}  // namespace detail

/// Kendall's tau-b over the k top rows only. High values over all rows say little: most pairs
/// there are easy, and parameter count alone reaches 0.578 on NAS-Bench-201 but 0.02 in the top
/// 5 %. Ties at the cut as in `top_rows`; where many rows are tied there, say how with
/// `tie_order`. NaN and errors as in `kendall_tau_b` and `top_rows` (so k >= 2).
[[nodiscard]] inline double kendall_tau_b_top(std::span<const double> estimate,
                                              std::span<const double> truth, std::size_t k,
                                              TopBy by, std::span<const double> tie_order = {}) {
  return detail::within_top(kendall_tau_b, estimate, truth, k, by, tie_order);
}

/// Spearman's rho over the k top rows only; see `kendall_tau_b_top`.
[[nodiscard]] inline double spearman_rho_top(std::span<const double> estimate,
                                             std::span<const double> truth, std::size_t k, TopBy by,
                                             std::span<const double> tie_order = {}) {
  return detail::within_top(spearman_rho, estimate, truth, k, by, tie_order);
}

namespace detail {
/// How the top k is made up: every row above `cut`, and `drawn` of the rows equal to it.
struct Cut {
  double cut;
  std::size_t tied;
  std::size_t drawn;
};

[[nodiscard]] inline Cut cut_of(std::span<const double> values, std::size_t k) {
  if (k == 0 || k > values.size())
    throw ValueError(fmt::format("top k: k = {}, allowed 1 to {}", k, values.size()));
  std::vector<double> sorted(values.begin(), values.end());
  const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(sorted.begin(), nth, sorted.end(), std::greater<>{});
  Cut result{*nth, 0, k};
  for (const double value : values) {
    if (value > result.cut) --result.drawn;
    if (value == result.cut) ++result.tied;
  }
  return result;
}
}  // namespace detail

/// Share of the estimated top k that belongs to the true top k, in [0, 1]. Rows tied at a cut
/// belong to the top with equal chance, and the expectation over those draws is returned: exact,
/// independent of the order of the rows. O(n). Throws `ValueError` for lists of different
/// lengths, no rows, NaN, and k outside 1 to n.
[[nodiscard]] inline double precision_at_k(std::span<const double> estimate,
                                           std::span<const double> truth, std::size_t k) {
  require_rankable(estimate, truth, 1);
  const auto chance = [](double value, const detail::Cut& at) {
    if (value != at.cut) return value > at.cut ? 1.0 : 0.0;
    return static_cast<double>(at.drawn) / static_cast<double>(at.tied);
  };
  const auto by_estimate = detail::cut_of(estimate, k);
  const auto by_truth = detail::cut_of(truth, k);
  double hits = 0;
  for (std::size_t i = 0; i < truth.size(); ++i)
    hits += chance(estimate[i], by_estimate) * chance(truth[i], by_truth);
  return hits / static_cast<double>(k);
}

/// What one loses by trusting the estimate: max(truth) - max(truth over the estimated top k), at
/// least 0, in the unit of the truth. k = 1 is the regret of taking the estimate's favourite.
/// Rows tied at the cut are drawn without replacement with equal chance; the expectation over
/// the draws is returned. O(n log n). Throws `ValueError` as `precision_at_k`, and for truth that
/// is not finite.
[[nodiscard]] inline double regret(std::span<const double> estimate, std::span<const double> truth,
                                   std::size_t k = 1) {
  require_rankable(estimate, truth, 1);
  for (std::size_t row = 0; row < truth.size(); ++row)
    if (!std::isfinite(truth[row]))
      throw ValueError(
          fmt::format("regret: row {}: true value {}, must be finite", row, truth[row]));
  const auto at = detail::cut_of(estimate, k);
  double certain = -std::numeric_limits<double>::infinity();
  std::vector<double> tied;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (estimate[i] > at.cut) certain = std::max(certain, truth[i]);
    if (estimate[i] == at.cut) tied.push_back(truth[i]);
  }
  std::sort(tied.begin(), tied.end(), std::greater<>{});
  // P(the best drawn is the j-th best tied row) = C(m - 1 - j, r - 1) / C(m, r), step by step.
  double chance = static_cast<double>(at.drawn) / static_cast<double>(tied.size());
  double expected = 0;
  for (std::size_t j = 0; j + at.drawn <= tied.size(); ++j) {
    expected += chance * std::max(certain, tied[j]);
    const auto behind = static_cast<double>(tied.size() - 1 - j);
    if (behind > 0) chance *= (behind + 1 - static_cast<double>(at.drawn)) / behind;
  }
  return std::max(0.0, *std::max_element(truth.begin(), truth.end()) - expected);
}

}  // namespace cleave::tabular
