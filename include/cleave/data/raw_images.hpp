#pragma once

#include <cleave/core/error.hpp>
#include <cleave/data/image_shape.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace cleave::data {

/// Images as a file holds them: bytes [N, C, H, W] and N labels, in host memory, without LibTorch.
/// What every reader of this room returns and `InMemory` is made from.
struct RawImages {
  ImageShape shape;
  std::vector<std::uint8_t> pixels;  ///< image after image, plane after plane, row after row
  std::vector<std::int64_t> labels;

  [[nodiscard]] std::size_t count() const noexcept { return labels.size(); }

  friend bool operator==(const RawImages&, const RawImages&) = default;
};

/// Throws `ValueError` for a shape with a side below 1 or above 65,536 or more than 2^31 values in
/// one image, for a number of bytes that is not count * shape, and for a label outside
/// [0, classes), naming the first such image. `what` names the part in the message.
inline void check_images(const RawImages& images, std::int64_t classes, std::string_view what) {
  constexpr std::int64_t longest = 1 << 16;
  const auto& [channels, height, width] = images.shape;
  if (channels < 1 || height < 1 || width < 1 || channels > longest || height > longest ||
      width > longest || channels * height * width > (std::int64_t{1} << 31))
    throw ValueError(
        fmt::format("{}: shape {} x {} x {}, each side must lie in 1 to {} and an "
                    "image have at most 2^31 values",
                    what, channels, height, width, longest));
  if (images.pixels.size() != images.count() * images.shape.size())
    throw ValueError(fmt::format("{}: {} bytes of pixels, {} images of {} x {} x {} need {}", what,
                                 images.pixels.size(), images.count(), channels, height, width,
                                 images.count() * images.shape.size()));
  for (std::size_t i = 0; i < images.count(); ++i)
    if (images.labels[i] < 0 || images.labels[i] >= classes)
      throw ValueError(fmt::format("{}: image {} has label {}, allowed 0 to {}", what, i,
                                   images.labels[i], classes - 1));
}

}  // namespace cleave::data
