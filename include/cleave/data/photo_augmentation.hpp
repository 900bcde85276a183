#pragma once

#include <algorithm>
#include <array>
#include <cleave/core/error.hpp>
#include <cleave/core/random.hpp>
#include <cleave/data/photo.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cleave::data {

/// The training augmentation of photographs of any size (Szegedy et al. 2015, section 6; the jitter
/// of Howard 2013 without its lighting noise):
///   1. random-resized-crop: a box whose share of the image's area is uniform in [min_area,
///      max_area] and whose width / height is log-uniform in [min_ratio, max_ratio], at a uniform
///      place, scaled to the set's size;
///   2. `flip`: mirrored left to right with probability 1/2;
///   3. colour jitter, in a uniform random order, on values 0 to 255, clamped after each:
///      brightness x f; contrast m + f (x - m), m the mean luma of the image; saturation
///      l + f (x - l), l the luma of the pixel; f uniform in [max(0, 1 - j), 1 + j], j the
///      option of that name. Luma is 0.299 R + 0.587 G + 0.114 B. j = 0 leaves the step out;
///   4. `cutout`: as for small images (data/augmentation.hpp), a square of this side becomes 0.
struct PhotoAugmentation {
  double min_area = 0.08;
  double max_area = 1.0;
  double min_ratio = 3.0 / 4.0;
  double max_ratio = 4.0 / 3.0;
  bool flip = true;
  double brightness = 0.4;
  double contrast = 0.4;
  double saturation = 0.4;
  int cutout = 0;

  friend bool operator==(const PhotoAugmentation&, const PhotoAugmentation&) = default;
};

/// Throws `ValueError` unless 0 < min_area <= max_area <= 1, 0 < min_ratio <= max_ratio, and the
/// jitters and the cutout are finite and not negative.
inline void check(const PhotoAugmentation& a, std::string_view what) {
  if (!(a.min_area > 0 && a.min_area <= a.max_area && a.max_area <= 1))
    throw ValueError(fmt::format("{}: crop areas from {} to {}, allowed 0 < min <= max <= 1", what,
                                 a.min_area, a.max_area));
  if (!(a.min_ratio > 0 && a.min_ratio <= a.max_ratio && std::isfinite(a.max_ratio)))
    throw ValueError(fmt::format("{}: crop ratios from {} to {}, allowed 0 < min <= max", what,
                                 a.min_ratio, a.max_ratio));
  const auto check_jitter = [&](std::string_view name, double value) {
    if (!(value >= 0 && std::isfinite(value)))
      throw ValueError(fmt::format("{}: {} {}, at least 0 is needed", what, name, value));
  };
  check_jitter("brightness", a.brightness);
  check_jitter("contrast", a.contrast);
  check_jitter("saturation", a.saturation);
  if (a.cutout < 0)
    throw ValueError(fmt::format("{}: cutout {}, at least 0 is needed", what, a.cutout));
}

/// The steps of the colour jitter.
enum class Jitter : std::uint8_t { Brightness, Contrast, Saturation };

/// What one photograph drew. The default is the whole image as it is.
struct PhotoDraw {
  Box box{};
  bool mirrored = false;
  std::array<Jitter, 3> order{Jitter::Brightness, Jitter::Contrast, Jitter::Saturation};
  std::array<double, 3> factors{1.0, 1.0, 1.0};  ///< by step; 1 changes nothing
  int cutout = 0;                                ///< side; 0: none
  double cut_x = 0;                              ///< its centre, in shares of the image's side
  double cut_y = 0;

  friend bool operator==(const PhotoDraw&, const PhotoDraw&) = default;
};

/// The draws of one image of this size. A crop that fits is tried for ten times; then it is the
/// largest central one with an allowed ratio.
[[nodiscard]] inline PhotoDraw draw_photo(const PhotoAugmentation& augmentation, std::int64_t width,
                                          std::int64_t height, Stream stream) {
  constexpr int attempts = 10;
  const auto& a = augmentation;
  const auto uniform = [&](double low, double high) {
    return low + (high - low) * stream.uniform();
  };
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  PhotoDraw draw;
  bool fits = false;
  for (int k = 0; k < attempts && !fits; ++k) {
    const double area = w * h * uniform(a.min_area, a.max_area);
    const double ratio = std::exp(uniform(std::log(a.min_ratio), std::log(a.max_ratio)));
    const double box_width = std::round(std::sqrt(area * ratio));
    const double box_height = std::round(std::sqrt(area / ratio));
    fits = box_width >= 1 && box_width <= w && box_height >= 1 && box_height <= h;
    if (!fits) continue;
    const auto place = [&](double free) {
      return static_cast<double>(stream.below(static_cast<std::uint64_t>(free) + 1));
    };
    draw.box.left = place(w - box_width);
    draw.box.top = place(h - box_height);
    draw.box.width = box_width;
    draw.box.height = box_height;
  }
  if (!fits) {
    draw.box.width = std::clamp(std::round(h * a.max_ratio), 1.0, w);
    draw.box.height = std::clamp(std::round(w / a.min_ratio), 1.0, h);
    draw.box.left = std::floor((w - draw.box.width) / 2);
    draw.box.top = std::floor((h - draw.box.height) / 2);
  }
  if (a.flip) draw.mirrored = stream.below(2) == 1;
  const std::array jitters{a.brightness, a.contrast, a.saturation};
  for (std::size_t k = 0; k < jitters.size(); ++k)
    if (jitters[k] > 0) draw.factors[k] = uniform(std::max(0.0, 1 - jitters[k]), 1 + jitters[k]);
  for (std::size_t k = draw.order.size(); k > 1; --k)
    std::swap(draw.order[k - 1], draw.order[stream.below(k)]);
  if (a.cutout > 0) {
    draw.cutout = a.cutout;
    draw.cut_y = stream.uniform();
    draw.cut_x = stream.uniform();
  }
  return draw;
}

/// The part of an image that evaluation looks at: the central square whose side is `share` of the
/// shorter side. With share 0.875 what "resize to 256, cut out the central 224" looks at.
[[nodiscard]] inline Box central_box(double share, std::int64_t width, std::int64_t height) {
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  const double side = share * std::min(w, h);
  return {(w - side) / 2, (h - side) / 2, side, side};
}

}  // namespace cleave::data
