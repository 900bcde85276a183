#pragma once

#include <algorithm>
#include <array>
#include <cleave/core/error.hpp>
#include <cleave/data/augmented.hpp>
#include <cleave/torch.hpp>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

namespace cleave::data {

/// Operations of RandAugment on an image of bytes 0 to 255, [C, H, W] in floating point, where C is
/// 1 or 3. `level` is a share of the strongest, [0, 1]; where a direction is to be drawn, `sign` is
/// 1 or -1. Results are rounded to bytes. Names and ranges are those of the recipe's usual
/// implementation: more is not always stronger (posterize keeps floor(4 level) bits, solarize
/// inverts bytes from floor(256 level) on, the four blends have factor 0.1 + 1.8 level).
namespace rand_augment {

inline constexpr double grey = 128;  ///< of what comes in from outside the image

[[nodiscard]] inline at::Tensor to_bytes(const at::Tensor& x) { return x.round().clamp(0, 255); }

/// away + factor (x - away)
[[nodiscard]] inline at::Tensor blend(const at::Tensor& away, const at::Tensor& x, double level) {
  return to_bytes(away.add(x.sub(away), 0.1 + 1.8 * level));
}
/// 0.299 R + 0.587 G + 0.114 B, [1, H, W].
[[nodiscard]] inline at::Tensor luma(const at::Tensor& x) {
  if (x.size(0) == 1) return x;
  return x.select(0, 0)
      .mul(0.299)
      .add(x.select(0, 1), 0.587)
      .add(x.select(0, 2), 0.114)
      .unsqueeze(0);
}

[[nodiscard]] inline at::Tensor brightness(const at::Tensor& x, double level) {
  return blend(at::zeros_like(x), x, level);
}
[[nodiscard]] inline at::Tensor contrast(const at::Tensor& x, double level) {
  return blend(luma(x).mean().round().expand_as(x), x, level);
}
[[nodiscard]] inline at::Tensor colour(const at::Tensor& x, double level) {
  return blend(luma(x).expand_as(x), x, level);
}
/// Away from the smoothed image (1 1 1, 1 5 1, 1 1 1) / 13; borders are not smoothed.
[[nodiscard]] inline at::Tensor sharpness(const at::Tensor& x, double level) {
  if (x.size(1) < 3 || x.size(2) < 3) return x;
  auto kernel = at::ones({1, 1, 3, 3}, x.options());
  kernel[0][0][1][1].fill_(5);
  const auto smooth = to_bytes(at::conv2d(x.unsqueeze(1), kernel.div_(13)).squeeze(1));
  auto away = x.clone();
  away.narrow(1, 1, x.size(1) - 2).narrow(2, 1, x.size(2) - 2).copy_(smooth);
  return blend(away, x, level);
}
/// Every channel is stretched to 0 to 255; one that is all alike stays.
[[nodiscard]] inline at::Tensor auto_contrast(const at::Tensor& x) {
  const auto low = x.amin({1, 2}, true);
  const auto range = x.amax({1, 2}, true).sub(low);
  return to_bytes(at::where(range.gt(0), x.sub(low).mul(255).div(range.clamp_min(1)), x));
}
/// Every channel gets a flat histogram: byte b becomes floor((pixels below b + step / 2) / step),
/// with step = floor(all but those of the brightest byte / 255).
[[nodiscard]] inline at::Tensor equalize(const at::Tensor& x) {
  std::vector<at::Tensor> channels;
  for (const auto& channel : x.unbind(0)) {
    const auto bytes = channel.to(at::kLong).flatten();
    const auto histogram = at::bincount(bytes, {}, 256);
    const auto brightest = histogram.select(0, bytes.max().item<std::int64_t>());
    const auto step =
        at::div(brightest.neg().add(bytes.numel()), 255, "floor").item<std::int64_t>();
    if (step == 0) {
      channels.push_back(channel);
      continue;
    }
    const auto below = histogram.cumsum(0).sub(histogram);
    const auto table = at::div(below.add(step / 2), step, "floor").clamp(0, 255);
    channels.push_back(table.index_select(0, bytes).view(channel.sizes()).to(x.scalar_type()));
  }
  return at::stack(channels);
}
[[nodiscard]] inline at::Tensor invert(const at::Tensor& x) { return x.neg().add(255); }
[[nodiscard]] inline at::Tensor posterize(const at::Tensor& x, double level) {
  const auto unit = std::exp2(8 - std::floor(4 * level));
  return x.div(unit).floor_().mul_(unit);
}
[[nodiscard]] inline at::Tensor solarize(const at::Tensor& x, double level) {
  return at::where(x.lt(std::floor(256 * level)), x, invert(x));
}
[[nodiscard]] inline at::Tensor solarize_add(const at::Tensor& x, double level) {
  return at::where(x.lt(128), x.add(std::floor(110 * level)).clamp_max(255), x);
}

/// The image at places (x, y) -> (a x + b y + c, d x + e y + f), in pixels from its centre,
/// bilinear; grey outside.
[[nodiscard]] inline at::Tensor moved(const at::Tensor& image, const std::array<double, 6>& by) {
  const auto height = static_cast<double>(image.size(1));
  const auto width = static_cast<double>(image.size(2));
  const auto matrix = at::tensor({by[0], by[1] * height / width, 2 * by[2] / width,
                                  by[3] * width / height, by[4], 2 * by[5] / height},
                                 at::kDouble)
                          .view({1, 2, 3})
                          .to(image.options());
  const auto grid =
      at::affine_grid_generator(matrix, {1, image.size(0), image.size(1), image.size(2)}, false);
  // Grey is 0 while pixels move, so what is outside and what is between fits together.
  return to_bytes(
      at::grid_sampler(image.sub(grey).unsqueeze(0), grid, 0, 0, false).squeeze(0).add_(grey));
}
/// By up to 30 degrees, counter-clockwise for sign 1.
[[nodiscard]] inline at::Tensor rotate(const at::Tensor& x, double level, double sign) {
  const double angle = sign * level * 30 * std::numbers::pi / 180;
  return moved(x, {std::cos(angle), -std::sin(angle), 0, std::sin(angle), std::cos(angle), 0});
}
/// By up to 0.3 pixels for each pixel from the centre.
[[nodiscard]] inline at::Tensor shear_x(const at::Tensor& x, double level, double sign) {
  return moved(x, {1, sign * 0.3 * level, 0, 0, 1, 0});
}
[[nodiscard]] inline at::Tensor shear_y(const at::Tensor& x, double level, double sign) {
  return moved(x, {1, 0, 0, sign * 0.3 * level, 1, 0});
}
/// By up to 0.45 of the side, to the left or up for sign 1.
[[nodiscard]] inline at::Tensor translate_x(const at::Tensor& x, double level, double sign) {
  return moved(x, {1, 0, sign * 0.45 * level * static_cast<double>(x.size(2)), 0, 1, 0});
}
[[nodiscard]] inline at::Tensor translate_y(const at::Tensor& x, double level, double sign) {
  return moved(x, {1, 0, 0, 0, 1, sign * 0.45 * level * static_cast<double>(x.size(1))});
}

inline constexpr std::array<std::string_view, 15> names{
    "auto contrast", "equalize",     "invert",  "rotate",      "posterize",
    "solarize",      "solarize add", "colour",  "contrast",    "brightness",
    "sharpness",     "shear x",      "shear y", "translate x", "translate y"};

/// The operation of that number in `names`.
[[nodiscard]] inline at::Tensor apply(std::size_t operation, const at::Tensor& x, double level,
                                      double sign) {
  switch (operation) {
    case 0:
      return auto_contrast(x);
    case 1:
      return equalize(x);
    case 2:
      return invert(x);
    case 3:
      return rotate(x, level, sign);
    case 4:
      return posterize(x, level);
    case 5:
      return solarize(x, level);
    case 6:
      return solarize_add(x, level);
    case 7:
      return colour(x, level);
    case 8:
      return contrast(x, level);
    case 9:
      return brightness(x, level);
    case 10:
      return sharpness(x, level);
    case 11:
      return shear_x(x, level, sign);
    case 12:
      return shear_y(x, level, sign);
    case 13:
      return translate_x(x, level, sign);
    case 14:
      return translate_y(x, level, sign);
    default:
      break;
  }
  throw ValueError(fmt::format("RandAugment: operation {}, there are {}", operation, names.size()));
}

}  // namespace rand_augment

/// RandAugment (Cubuk et al., NeurIPS 2020): every image goes through some operations, each one
/// drawn uniformly from rand_augment::names. The magnitude is normal with mean `magnitude` and
/// `deviation`, clamped to [0, 10], 10 being the strongest. Defaults: "m9-mstd0.5" (method.md
/// section 3) with the two operations and the probability of its usual implementation; the paper
/// always applies all. Best after crop and flip and in place of colour jitter.
struct RandAugment {
  static constexpr std::string_view name = "RandAugment";
  static constexpr double strongest = 10;

  std::size_t operations = 2;
  double magnitude = 9;
  double deviation = 0.5;
  double probability = 0.5;  ///< that an operation is applied
  template <class F>
  void fields(F&& field) const {
    field("operations", operations);
    field("magnitude", magnitude);
    field("deviation", deviation);
    field("probability", probability);
  }

  /// Images are taken to the bytes they stand for and back, which rounds them to bytes. Throws
  /// `ValueError` for settings out of range and images of neither 1 nor 3 channels.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& images, const Normalisation& normalisation,
                                      Stream stream) const {
    if (!(magnitude >= 0 && magnitude <= strongest && deviation >= 0 && std::isfinite(deviation) &&
          probability >= 0 && probability <= 1))
      throw ValueError(fmt::format(
          "RandAugment: magnitude {}, deviation {}, probability {}; allowed are 0 to 10, at least "
          "0, and 0 to 1",
          magnitude, deviation, probability));
    const auto channels = images.size(1);
    if (channels != 1 && channels != 3)
      throw ValueError(
          fmt::format("RandAugment: images of {} channels, allowed are 1 and 3", channels));
    // Bytes that mean full intensity at another number than 255 are stretched to it meanwhile.
    const auto row = [&](const std::vector<double>& values) {
      return at::tensor(values, at::kDouble).view({channels, 1, 1}).to(images.options());
    };
    const auto mean = row(normalisation.mean);
    const auto std = row(normalisation.std);
    auto result = images.clone();
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      auto own = stream.fork(static_cast<std::uint64_t>(i));
      at::Tensor bytes;
      for (std::size_t k = 0; k < operations; ++k) {
        const auto operation = own.below(rand_augment::names.size());
        const bool applies = own.uniform() < probability;
        const double level =
            std::clamp(magnitude + deviation * own.normal(), 0.0, strongest) / strongest;
        const double sign = own.below(2) == 0 ? 1 : -1;
        if (!applies) continue;
        if (!bytes.defined())
          bytes = rand_augment::to_bytes(images[i].mul(std).add_(mean).mul_(255));
        bytes = rand_augment::apply(operation, bytes, level, sign);
      }
      if (bytes.defined()) result[i].copy_(bytes.div(255).sub_(mean).div_(std));
    }
    return result;
  }
};

static_assert(BatchAugmentation<RandAugment>);

}  // namespace cleave::data
