#pragma once

#include <algorithm>
#include <cleave/core/random.hpp>
#include <cleave/tabular/rank_correlation.hpp>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace cleave::tabular {

/// A number computed from two lists of equal length: `kendall_tau_b`, a lambda around
/// `precision_at_k`. NaN says "undefined for these rows".
template <class S>
concept RankStatistic =
    std::invocable<const S&, std::span<const double>, std::span<const double>> &&
    requires(const S& statistic, std::span<const double> list) {
  { statistic(list, list) } -> std::convertible_to<double>;
};

struct BootstrapOptions {
  std::size_t resamples = 1000;
  double confidence = 0.95;  ///< strictly between 0 and 1
};

struct BootstrapInterval {
  double value = 0;  ///< of the rows themselves
  double low = 0;    ///< NaN when no resample was defined
  double high = 0;
  std::size_t undefined = 0;  ///< resamples left out because the statistic was NaN
};

/// Percentile interval of a rank statistic (Efron, 1979): rows are drawn with replacement, n at a
/// time, and the interval runs between the (1 -+ confidence) / 2 quantiles of the statistic,
/// interpolated linearly. A pure function of its arguments: the stream is taken by value and
/// resample b uses its fork b. Cost: resamples times the statistic (tau-b of 15,625 rows: 2 s for
/// 1000; of 100 rows: 8 ms).
///
/// It measures the spread over rows, i.e. over architectures, not over training seeds. The two
/// copies of a row drawn twice are tied with each other, which tau-b leaves out of its count.
/// Throws `ValueError` for options out of range and whatever the statistic throws.
template <RankStatistic S>
[[nodiscard]] BootstrapInterval bootstrap(const S& statistic, std::span<const double> estimate,
                                          std::span<const double> truth, Stream stream,
                                          const BootstrapOptions& options = {}) {
  require_rankable(estimate, truth);
  if (options.resamples == 0) throw ValueError("bootstrap: 0 resamples, at least 1 needed");
  if (!(options.confidence > 0 && options.confidence < 1))
    throw ValueError(fmt::format("bootstrap: confidence {}, must lie strictly between 0 and 1",
                                 options.confidence));
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  BootstrapInterval result{statistic(estimate, truth), nan, nan, 0};
  const std::size_t n = truth.size();
  std::vector<double> x(n);
  std::vector<double> y(n);
  std::vector<double> values;
  for (std::size_t b = 0; b < options.resamples; ++b) {
    auto draws = stream.fork(b);
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = static_cast<std::size_t>(draws.below(n));
      x[i] = estimate[row];
      y[i] = truth[row];
    }
    const double value = statistic(x, y);
    if (std::isnan(value))
      ++result.undefined;
    else
      values.push_back(value);
  }
  if (values.empty()) return result;
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double share) {
    const double at = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const auto above = std::min(below + 1, values.size() - 1);
    return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
  };
  result.low = quantile((1 - options.confidence) / 2);
  result.high = quantile((1 + options.confidence) / 2);
  return result;
}

}  // namespace cleave::tabular
