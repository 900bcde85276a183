#pragma once

#include <cleave/core/random.hpp>
#include <cleave/data/image_shape.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cleave::data {

/// The training augmentation of small images (method.md section 3), in this order:
///   1. `pad` black pixels (byte 0, so *before* normalisation) around the image, then a crop of
///      the old size at one of the (2 pad + 1)^2 places, uniform;
///   2. `flip`: mirrored left to right with probability 1/2;
///   3. `cutout` (DeVries and Taylor 2017): after normalisation, a square of this side around a
///      uniform centre becomes 0, clipped at the border: rows max(0, y - cutout / 2) to
///      min(height, y - cutout / 2 + cutout) - 1, columns alike. For even sides, and so for the
///      papers' 16, the same as the public code; an odd side really has this side here.
struct Augmentation {
  int pad = 0;
  bool flip = false;
  int cutout = 0;

  friend bool operator==(const Augmentation&, const Augmentation&) = default;
};

/// What one image of a batch drew.
struct ImageDraw {
  std::int64_t top = 0;   ///< row of the padded image where the crop begins; `pad`: unmoved
  std::int64_t left = 0;  ///< the same for columns
  bool mirrored = false;
  std::int64_t cut_y = 0;  ///< centre of the cutout
  std::int64_t cut_x = 0;

  friend bool operator==(const ImageDraw&, const ImageDraw&) = default;
};

/// The draws of `count` images in order. An augmentation that is switched off draws nothing.
[[nodiscard]] inline std::vector<ImageDraw> draw_images(const Augmentation& augmentation,
                                                        const ImageShape& shape, std::size_t count,
                                                        Stream stream) {
  const auto below = [&](std::int64_t bound) {
    return static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(bound)));
  };
  std::vector<ImageDraw> draws(count);
  for (auto& draw : draws) {
    if (augmentation.pad > 0) {
      draw.top = below(2 * std::int64_t{augmentation.pad} + 1);
      draw.left = below(2 * std::int64_t{augmentation.pad} + 1);
    }
    if (augmentation.flip) draw.mirrored = below(2) == 1;
    if (augmentation.cutout > 0) {
      draw.cut_y = below(shape.height);
      draw.cut_x = below(shape.width);
    }
  }
  return draws;
}

}  // namespace cleave::data
