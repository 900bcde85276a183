#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

#include <fmt/format.h>

namespace cleave::report {

/// A colour for a value in [-1, 1]: blue below 0, near white at 0, red above, interpolated between
/// five steps to each side that darken alike; values beyond are clipped, what is not a number is
/// grey.
struct DivergingColour {
  int red = 0;
  int green = 0;
  int blue = 0;

  [[nodiscard]] static DivergingColour of(double value) {
    if (std::isnan(value)) return {221, 221, 221};
    constexpr std::array<std::array<double, 3>, 5> above{
        {{247, 247, 247}, {252, 219, 198}, {240, 161, 122}, {209, 96, 66}, {160, 38, 38}}};
    constexpr std::array<std::array<double, 3>, 5> below{
        {{247, 247, 247}, {207, 226, 241}, {142, 189, 222}, {70, 140, 195}, {28, 95, 160}}};
    const auto& steps = value < 0 ? below : above;
    const double place = std::min(std::abs(value), 1.0) * static_cast<double>(steps.size() - 1);
    const auto step = std::min(static_cast<std::size_t>(place), steps.size() - 2);
    const double share = place - static_cast<double>(step);
    const auto channel = [&](std::size_t k) {
      return static_cast<int>(
          std::lround((1 - share) * steps[step][k] + share * steps[step + 1][k]));
    };
    return {channel(0), channel(1), channel(2)};
  }

  /// "#rrggbb".
  [[nodiscard]] std::string hex() const {
    return fmt::format("#{:02x}{:02x}{:02x}", red, green, blue);
  }

  /// Whether dark text is the readable one on this ground (luma of Rec. 601).
  [[nodiscard]] bool is_light() const noexcept {
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
  }
};

}  // namespace cleave::report
