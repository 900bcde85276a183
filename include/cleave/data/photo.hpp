#pragma once

#include <cstddef>
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
///
/// Rows begin 16 bytes beside a multiple of 32. Those that begin at one libjpeg-turbo writes past
/// the caches (2.1.5, AVX2), which makes decoding 32 x 32 pixels half as slow again.
class Photo {
 public:
  /// Bytes that may be read after a row, so that loops can read whole vectors.
  static constexpr std::int64_t slack = 32;

  [[nodiscard]] std::int64_t width() const noexcept { return width_; }
  [[nodiscard]] std::int64_t height() const noexcept { return height_; }
  /// Bytes from one row to the next, at least four times the width.
  [[nodiscard]] std::int64_t stride() const noexcept { return stride_; }
  [[nodiscard]] std::uint8_t* row(std::int64_t y) noexcept {
    return bytes_.data() + first_ + y * stride_;
  }
  [[nodiscard]] const std::uint8_t* row(std::int64_t y) const noexcept {
    return bytes_.data() + first_ + y * stride_;
  }

  /// Makes room for an image of this size, whose pixels are then anything.
  void resize(std::int64_t width, std::int64_t height) {
    constexpr std::int64_t multiple = 32;
    width_ = width;
    height_ = height;
    stride_ = (4 * width + multiple - 1) / multiple * multiple;
    bytes_.resize(static_cast<std::size_t>(multiple + stride_ * height + slack));
    const auto beside = reinterpret_cast<std::uintptr_t>(bytes_.data()) % multiple;
    first_ = (multiple + multiple / 2 - static_cast<std::int64_t>(beside)) % multiple;
  }

 private:
  std::int64_t width_ = 0;
  std::int64_t height_ = 0;
  std::int64_t stride_ = 0;
  std::int64_t first_ = 0;
  std::vector<std::uint8_t> bytes_{};
};

}  // namespace cleave::data
