#pragma once

#include <cstdint>
#include <vector>

namespace cleave::data {

/// A part of an image, in its pixels.
struct Box {
  double left = 0;
  double top = 0;
  double width = 0;
  double height = 0;

  friend bool operator==(const Box&, const Box&) = default;
};

/// Sides of an image file.
struct PhotoSize {
  std::int64_t width = 0;
  std::int64_t height = 0;

  /// All of it.
  [[nodiscard]] Box box() const noexcept {
    return {0, 0, static_cast<double>(width), static_cast<double>(height)};
  }
};

/// Decoded bytes [height, width, 4]: red, green, blue, and one that means nothing. Four, because
/// then a pixel is one machine word and one vector.
struct Photo {
  static constexpr std::int64_t slack = 32;

  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> pixels{};  ///< and `slack` bytes, so that loops can read whole vectors

  /// Makes room for an image of this size.
  void resize(std::int64_t new_width, std::int64_t new_height) {
    width = new_width;
    height = new_height;
    pixels.resize(static_cast<std::size_t>(width * height * 4 + slack));
  }
};

}  // namespace cleave::data
