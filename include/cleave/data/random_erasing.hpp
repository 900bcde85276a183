#pragma once

#include <ATen/CPUGeneratorImpl.h>

#include <cleave/core/error.hpp>
#include <cleave/data/augmented.hpp>
#include <cleave/torch.hpp>
#include <cmath>

namespace cleave::data {

/// The rectangle that an image loses; of no size when it loses none.
struct ErasedBox {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// Random erasing (Zhong et al., AAAI 2020): with this probability a rectangle of an image becomes
/// standard normal noise, pixel by pixel, in normalised numbers. Its area is uniform in [min_area,
/// max_area] of the image, height / width log-uniform in [min_ratio, 1 / min_ratio]; one that is
/// not smaller than the image in both directions is drawn again, ten times at most.
struct RandomErasing {
  static constexpr std::string_view name = "random erasing";

  double probability = 0.2;
  double min_area = 0.02;
  double max_area = 1.0 / 3.0;
  double min_ratio = 0.3;
  template <class F>
  void fields(F&& field) const {
    field("probability", probability);
    field("min_area", min_area);
    field("max_area", max_area);
    field("min_ratio", min_ratio);
  }

  /// What one image draws.
  [[nodiscard]] ErasedBox draw(std::int64_t height, std::int64_t width, Stream& stream) const {
    constexpr int attempts = 10;
    if (stream.uniform() >= probability) return {};
    const double pixels = static_cast<double>(height * width);
    for (int k = 0; k < attempts; ++k) {
      const double area = pixels * (min_area + (max_area - min_area) * stream.uniform());
      const double ratio = std::exp(std::log(min_ratio) * (1 - 2 * stream.uniform()));
      const auto h = std::llround(std::sqrt(area * ratio));
      const auto w = std::llround(std::sqrt(area / ratio));
      if (h < 1 || w < 1 || h >= height || w >= width) continue;
      const auto below = [&](std::int64_t bound) {
        return static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(bound)));
      };
      const auto top = below(height - h + 1);
      return {top, below(width - w + 1), h, w};
    }
    return {};
  }

  /// Throws `ValueError` for settings out of range.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& images, const Normalisation&,
                                      Stream stream) const {
    if (!(probability >= 0 && probability <= 1 && min_area > 0 && min_area <= max_area &&
          max_area <= 1 && min_ratio > 0 && min_ratio <= 1))
      throw ValueError(fmt::format(
          "random erasing: probability {}, areas from {} to {}, ratio {}; allowed are a "
          "probability, 0 < min_area <= max_area <= 1 and 0 < min_ratio <= 1",
          probability, min_area, max_area, min_ratio));
    auto result = images.clone();
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      auto own = stream.fork(static_cast<std::uint64_t>(i));
      const auto box = draw(images.size(2), images.size(3), own);
      if (box.height == 0) continue;
      // Drawn on the host, so that it is the same on every device.
      auto generator = at::make_generator<at::CPUGeneratorImpl>(own.seed());
      result[i]
          .narrow(1, box.top, box.height)
          .narrow(2, box.left, box.width)
          .copy_(at::randn({images.size(1), box.height, box.width}, generator, at::kFloat));
    }
    return result;
  }
};

static_assert(BatchAugmentation<RandomErasing>);

}  // namespace cleave::data
