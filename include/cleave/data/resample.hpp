#pragma once

#include <algorithm>
#include <array>
#include <cleave/data/photo_augmentation.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace cleave::data {

/// Decoded bytes [height, width, 4]: red, green, blue, and one that means nothing. Four, because
/// then a pixel is one machine word and one vector.
struct Photo {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<std::uint8_t> pixels{};
};

/// Red, green, blue and one unused, as floats. GCC's and Clang's vector extension: SSE2 or NEON
/// without a flag of the compiler.
using Pixel = float __attribute__((vector_size(16)));

/// What one worker needs to resample images, kept between them so that nothing is allocated anew.
class Resampler {
 public:
  /// The part `box` of `photo` scaled to `height` x `width` pixels (bilinear with a filter as wide
  /// as the reduction, so a reduction averages: Pillow's and torchvision's "antialias"), values 0
  /// to 255 in `out`, row after row. Source pixels outside the box or the photo have no weight.
  /// About 1 ns per source row and pixel, 4 ns per output pixel.
  void operator()(const Photo& photo, const Box& box, std::int64_t height, std::int64_t width,
                  bool mirrored, std::span<Pixel> out) {
    make_taps(rows_, box.top, box.height, photo.height, height);
    make_taps(columns_, box.left, box.width, photo.width, width);
    const auto first = columns_.first.front();
    std::int64_t last = first;
    for (std::size_t x = 0; x < columns_.first.size(); ++x)
      last = std::max(last, columns_.first[x] + columns_.count);
    line_.resize(static_cast<std::size_t>(last - first));
    for (std::int64_t y = 0; y < height; ++y) {
      blend_rows(photo, y, first);
      Pixel* to = out.data() + y * width;
      for (std::int64_t x = 0; x < width; ++x) {
        const auto column = static_cast<std::size_t>(x);
        const Pixel* from = line_.data() + (columns_.first[column] - first);
        const float* weight = columns_.weights.data() + x * columns_.count;
        Pixel sum = from[0] * weight[0];
        for (std::int64_t k = 1; k < columns_.count; ++k) sum += from[k] * weight[k];
        to[mirrored ? width - 1 - x : x] = sum;
      }
    }
  }

 private:
  /// Output i is the sum over k < count of weights[i * count + k] * source[first[i] + k].
  struct Taps {
    std::int64_t count = 0;
    std::vector<std::int64_t> first{};
    std::vector<float> weights{};
  };

  static void make_taps(Taps& taps, double begin, double length, std::int64_t source,
                        std::int64_t outputs) {
    const double step = length / static_cast<double>(outputs);
    const double reach = std::max(step, 1.0);  // half the filter's base
    const auto low =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(begin)), 0, source - 1);
    const auto high = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(begin + length)),
                                               low + 1, source);
    taps.count =
        std::min<std::int64_t>(static_cast<std::int64_t>(std::ceil(2 * reach)), high - low);
    taps.first.resize(static_cast<std::size_t>(outputs));
    taps.weights.assign(static_cast<std::size_t>(outputs * taps.count), 0.0F);
    for (std::int64_t i = 0; i < outputs; ++i) {
      const double centre = begin + (static_cast<double>(i) + 0.5) * step;
      // The first pixel whose centre lies inside the filter
      const auto first = std::clamp<std::int64_t>(
          static_cast<std::int64_t>(std::floor(centre - reach + 0.5)), low, high - taps.count);
      float* weights = taps.weights.data() + i * taps.count;
      double sum = 0;
      for (std::int64_t k = 0; k < taps.count; ++k) {
        const double distance = std::abs(static_cast<double>(first + k) + 0.5 - centre);
        const double weight = std::max(0.0, 1.0 - distance / reach);
        weights[k] = static_cast<float>(weight);
        sum += weight;
      }
      for (std::int64_t k = 0; k < taps.count; ++k)
        weights[k] = static_cast<float>(static_cast<double>(weights[k]) / sum);
      taps.first[static_cast<std::size_t>(i)] = first;
    }
  }

  /// The rows under output row y, weighted and summed, from column `first` on.
  void blend_rows(const Photo& photo, std::int64_t y, std::int64_t first) {
    const float* weights = rows_.weights.data() + y * rows_.count;
    const std::int64_t stride = 4 * photo.width;
    const std::uint8_t* top =
        photo.pixels.data() + rows_.first[static_cast<std::size_t>(y)] * stride + 4 * first;
    const auto value = [](const std::uint8_t* at) {
      using Bytes = std::uint8_t __attribute__((vector_size(4)));
      Bytes bytes;
      std::memcpy(&bytes, at, sizeof bytes);
      return __builtin_convertvector(bytes, Pixel);
    };
    if (rows_.count == 2) {  // whenever the image is enlarged: worth a loop without a loop inside
      const std::uint8_t* below = top + stride;
      for (std::size_t x = 0; x < line_.size(); ++x)
        line_[x] = value(top + 4 * x) * weights[0] + value(below + 4 * x) * weights[1];
      return;
    }
    for (std::size_t x = 0; x < line_.size(); ++x) {
      const std::uint8_t* at = top + 4 * x;
      Pixel sum = value(at) * weights[0];
      for (std::int64_t k = 1; k < rows_.count; ++k) sum += value(at += stride) * weights[k];
      line_[x] = sum;
    }
  }

  Taps rows_, columns_;
  std::vector<Pixel> line_;
};

/// Colour jitter of an image in place, see `PhotoAugmentation`.
inline void jitter(std::span<Pixel> image, const PhotoDraw& draw) {
  constexpr Pixel luma{0.299F, 0.587F, 0.114F, 0.0F};
  // In all four places, so that no value leaves the vector
  const auto luma_of = [&](const Pixel& pixel) {
    const Pixel parts = pixel * luma;
    const Pixel pairs = parts + __builtin_shufflevector(parts, parts, 1, 0, 3, 2);
    return pairs + __builtin_shufflevector(pairs, pairs, 2, 3, 0, 1);
  };
  const auto clamped = [](Pixel value) {
    const Pixel zero{}, most = zero + 255.0F;
    value = value < zero ? zero : value;
    return value > most ? most : value;
  };
  for (const auto step : draw.order) {
    const auto factor = static_cast<float>(draw.factors[static_cast<std::size_t>(step)]);
    if (factor == 1.0F) continue;
    if (step == Jitter::Brightness) {
      for (auto& pixel : image) pixel = clamped(pixel * factor);
    } else if (step == Jitter::Contrast) {
      Pixel sum{};
      for (const auto& pixel : image) sum += pixel;
      const Pixel rest = luma_of(sum) * ((1.0F - factor) / static_cast<float>(image.size()));
      for (auto& pixel : image) pixel = clamped(pixel * factor + rest);
    } else {
      for (auto& pixel : image) pixel = clamped(pixel * factor + luma_of(pixel) * (1.0F - factor));
    }
  }
}

}  // namespace cleave::data
