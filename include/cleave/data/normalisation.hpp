#pragma once

#include <array>
#include <cleave/core/error.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cleave::data {

/// How a byte becomes a network's input, per channel c:
///
///     x = (byte / scale - mean[c]) / std[c]
///
/// `scale` is the byte that stands for full intensity: 255 for photographs, 16 for the digits.
struct Normalisation {
  double scale = 255.0;
  std::vector<double> mean{};
  std::vector<double> std{};

  friend bool operator==(const Normalisation&, const Normalisation&) = default;
};

/// The normalised value of each byte, one row per channel. A table instead of arithmetic: each
/// value is rounded once, so every device and every code path gives the same bits.
/// Throws `ValueError` unless scale and all std are positive and finite, all means finite, and
/// there is one mean and one std per channel.
[[nodiscard]] inline std::vector<std::array<double, 256>> normalised_bytes(
    const Normalisation& normalisation, std::int64_t channels) {
  const auto& [scale, mean, std] = normalisation;
  const auto count = static_cast<std::size_t>(channels);
  if (!(scale > 0.0) || !std::isfinite(scale))
    throw ValueError(fmt::format("normalisation: scale {}, a positive number is needed", scale));
  if (mean.size() != count || std.size() != count)
    throw ValueError(
        fmt::format("normalisation: {} means and {} standard deviations for {} "
                    "channels, one of each per channel is needed",
                    mean.size(), std.size(), channels));
  std::vector<std::array<double, 256>> table(count);
  for (std::size_t c = 0; c < count; ++c) {
    if (!std::isfinite(mean[c]))
      throw ValueError(fmt::format("normalisation: mean of channel {} is {}", c, mean[c]));
    if (!(std[c] > 0.0) || !std::isfinite(std[c]))
      throw ValueError(fmt::format(
          "normalisation: standard deviation of channel {} is {}, a positive number is needed", c,
          std[c]));
    for (std::size_t byte = 0; byte < 256; ++byte)
      table[c][byte] = (static_cast<double>(byte) / scale - mean[c]) / std[c];
  }
  return table;
}

}  // namespace cleave::data
