#pragma once

#include <cstddef>
#include <cstdint>

namespace cleave::data {

/// Channels, height and width of every image of a set.
struct ImageShape {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;

  /// Values of one image.
  [[nodiscard]] constexpr std::size_t size() const noexcept {
    return static_cast<std::size_t>(channels * height * width);
  }

  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

}  // namespace cleave::data
