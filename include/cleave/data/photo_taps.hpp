#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cleave::data::photo {

/// How an axis is resampled, bilinear with a filter as wide as the reduction, so that a reduction
/// averages (Pillow's and torchvision's "antialias"): output i is the sum over k < count of
/// weights[i * count + k] * source[first[i] + k].
struct Taps {
  std::int64_t count = 0;
  std::vector<std::int64_t> first{};
  std::vector<float> weights{};

  /// For `outputs` pixels made of the `length` pixels from `begin` on, of `source`. Source pixels
  /// outside the part have no weight.
  void make(double begin, double length, std::int64_t source, std::int64_t outputs) {
    const double step = length / static_cast<double>(outputs);
    const auto low = std::clamp<std::int64_t>(static_cast<std::int64_t>(begin), 0, source - 1);
    const auto high = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(begin + length)),
                                               low + 1, source);
    first.resize(static_cast<std::size_t>(outputs));
    if (step <= 1 && high - low >= 2)
      enlarge(begin, step, low, high - 2, outputs);
    else
      reduce(begin, std::max(step, 1.0), step, low, high, outputs);
  }

  /// The outputs in reverse order.
  void mirror() {
    std::reverse(first.begin(), first.end());
    for (auto left = weights.begin(), right = weights.end(); right - left >= 2 * count;) {
      right -= count;
      std::swap_ranges(left, left + count, right);
      left += count;
    }
  }

 private:
  /// Two pixels each.
  void enlarge(double begin, double step, std::int64_t low, std::int64_t most,
               std::int64_t outputs) {
    count = 2;
    weights.resize(static_cast<std::size_t>(2 * outputs));
    for (std::int64_t i = 0; i < outputs; ++i) {
      const double place = begin + (static_cast<double>(i) + 0.5) * step - 0.5;
      const auto left = std::clamp(static_cast<std::int64_t>(place), low, most);
      const auto right = std::clamp(place - static_cast<double>(left), 0.0, 1.0);
      first[static_cast<std::size_t>(i)] = left;
      weights[static_cast<std::size_t>(2 * i)] = static_cast<float>(1 - right);
      weights[static_cast<std::size_t>(2 * i + 1)] = static_cast<float>(right);
    }
  }

  /// As many as the filter, of half width `reach`, has under it.
  void reduce(double begin, double reach, double step, std::int64_t low, std::int64_t high,
              std::int64_t outputs) {
    count = std::min<std::int64_t>(static_cast<std::int64_t>(std::ceil(2 * reach)), high - low);
    weights.resize(static_cast<std::size_t>(outputs * count));
    for (std::int64_t i = 0; i < outputs; ++i) {
      const double centre = begin + (static_cast<double>(i) + 0.5) * step;
      // The first pixel whose centre lies inside the filter
      const auto from = std::clamp<std::int64_t>(
          static_cast<std::int64_t>(std::floor(centre - reach + 0.5)), low, high - count);
      float* const here = weights.data() + i * count;
      double sum = 0;
      for (std::int64_t k = 0; k < count; ++k) {
        const double distance = std::abs(static_cast<double>(from + k) + 0.5 - centre);
        const double weight = std::max(0.0, 1.0 - distance / reach);
        here[k] = static_cast<float>(weight);
        sum += weight;
      }
      for (std::int64_t k = 0; k < count; ++k)
        here[k] = static_cast<float>(static_cast<double>(here[k]) / sum);
      first[static_cast<std::size_t>(i)] = from;
    }
  }
};

}  // namespace cleave::data::photo
