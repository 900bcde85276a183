#pragma once

#include <algorithm>
#include <array>
#include <cleave/data/augmentation.hpp>
#include <cleave/data/normalisation.hpp>
#include <cleave/torch.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace cleave::data {

/// Which images of a part, and what each drew. No draws: as they are.
struct Selection {
  std::span<const std::int64_t> indices;
  std::span<const ImageDraw> draws{};
};

namespace detail {

/// One row of one channel. `from` is the source column of output column 0, `step` +1 or -1; source
/// columns outside [0, width) are padding.
template <class Scalar>
void gather_row(const std::uint8_t* source, std::int64_t width, std::int64_t from,
                std::int64_t step, const Scalar* table, Scalar* out, std::int64_t stride) {
  // from + step * x lies inside for x in [first, last)
  const std::int64_t first =
      std::clamp<std::int64_t>(step > 0 ? -from : from - width + 1, 0, width);
  const std::int64_t last =
      std::clamp<std::int64_t>(step > 0 ? width - from : from + 1, first, width);
  const Scalar padding = table[0];
  for (std::int64_t x = 0; x < first; ++x) out[x * stride] = padding;
  const std::uint8_t* byte = source + from + step * first;
  for (std::int64_t x = first; x < last; ++x, byte += step) out[x * stride] = table[*byte];
  for (std::int64_t x = last; x < width; ++x) out[x * stride] = padding;
}

/// Rows or columns [first, second) that a cutout of `side` around `centre` covers.
[[nodiscard]] inline std::pair<std::int64_t, std::int64_t> cutout_range(std::int64_t centre,
                                                                        std::int64_t side,
                                                                        std::int64_t length) {
  const std::int64_t begin = centre - side / 2;
  return {std::max<std::int64_t>(begin, 0), std::min(begin + side, length)};
}

}  // namespace detail

/// Images [B, C, H, W] out of bytes [N, C, H, W] in host memory: one pass over the bytes, writing
/// `out` contiguous ([B, C, H, W]) or channels-last ([B, H, W, C] in memory). `table` [C, 256] is
/// `normalised_bytes` in the output's type. About 1 ns per value.
template <class Scalar>
void gather_on_host(const std::uint8_t* images, const ImageShape& shape, const Selection& chosen,
                    const Augmentation& augmentation, std::span<const Scalar> table,
                    bool channels_last, Scalar* out) {
  const auto& [channels, height, width] = shape;
  const std::int64_t pad = augmentation.pad;
  const std::int64_t stride = channels_last ? channels : 1;
  for (std::size_t b = 0; b < chosen.indices.size(); ++b, out += shape.size()) {
    const std::uint8_t* image = images + static_cast<std::size_t>(chosen.indices[b]) * shape.size();
    const ImageDraw draw =
        chosen.draws.empty() ? ImageDraw{.top = pad, .left = pad} : chosen.draws[b];
    const std::int64_t shift = draw.left - pad;
    const std::int64_t from = draw.mirrored ? width - 1 + shift : shift;
    const std::int64_t step = draw.mirrored ? -1 : 1;
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t row = y + draw.top - pad;
      for (std::int64_t c = 0; c < channels; ++c) {
        Scalar* to = out + (channels_last ? y * width * channels + c : (c * height + y) * width);
        const Scalar* values = table.data() + c * 256;
        if (row < 0 || row >= height) {
          for (std::int64_t x = 0; x < width; ++x) to[x * stride] = values[0];
        } else {
          detail::gather_row(image + (c * height + row) * width, width, from, step, values, to,
                             stride);
        }
      }
    }
    if (chosen.draws.empty() || augmentation.cutout <= 0) continue;
    const auto [top, bottom] = detail::cutout_range(draw.cut_y, augmentation.cutout, height);
    const auto [left, right] = detail::cutout_range(draw.cut_x, augmentation.cutout, width);
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t y = top; y < bottom; ++y)
        for (std::int64_t x = left; x < right; ++x)
          out[channels_last ? (y * width + x) * channels + c : (c * height + y) * width + x] =
              Scalar(0);
  }
}

/// The same values, bit for bit, by whole-batch tensor operations on the images' device; `images`
/// [N, C, H, W] bytes, `table` [C * 256] in the output's type. One copy from the host, of
/// 6 numbers per image; no synchronisation besides.
[[nodiscard]] inline at::Tensor gather_on_device(const at::Tensor& images, const ImageShape& shape,
                                                 const Selection& chosen,
                                                 const Augmentation& augmentation,
                                                 const at::Tensor& table, at::MemoryFormat format) {
  const auto& [channels, height, width] = shape;
  const auto count = static_cast<std::int64_t>(chosen.indices.size());
  const std::int64_t pad = augmentation.pad;
  std::vector<std::int64_t> packed(6 * chosen.indices.size());
  for (std::size_t b = 0; b < chosen.indices.size(); ++b) {
    const ImageDraw draw =
        chosen.draws.empty() ? ImageDraw{.top = pad, .left = pad} : chosen.draws[b];
    const std::array<std::int64_t, 6> row{chosen.indices[b],     draw.top - pad, draw.left - pad,
                                          draw.mirrored ? 1 : 0, draw.cut_y,     draw.cut_x};
    for (std::size_t k = 0; k < row.size(); ++k) packed[k * chosen.indices.size() + b] = row[k];
  }
  const auto numbers = at::from_blob(packed.data(), {6, count}, at::kLong).to(images.device());
  const auto integers = numbers.options();
  const auto column = [&](std::int64_t k) { return numbers.select(0, k).view({count, 1}); };
  const auto y = at::arange(height, integers).view({1, height});
  const auto x = at::arange(width, integers).view({1, width});
  const auto c = at::arange(channels, integers).view({1, channels, 1, 1});

  const auto rows = y + column(1);                                               // [B, H]
  const auto columns = at::where(column(3) == 1, width - 1 - x, x) + column(2);  // [B, W]
  const auto offset = column(0).view({count, 1, 1, 1}) * (channels * height * width) +
                      c * (height * width) +
                      rows.clamp(0, height - 1).view({count, 1, height, 1}) * width +
                      columns.clamp(0, width - 1).view({count, 1, 1, width});
  auto bytes = images.view({-1}).take(offset).to(at::kLong);  // [B, C, H, W]
  if (pad > 0 && !chosen.draws.empty()) {
    const auto padded_rows = ((rows < 0) | (rows >= height)).view({count, 1, height, 1});
    const auto padded_columns = ((columns < 0) | (columns >= width)).view({count, 1, 1, width});
    bytes = bytes.masked_fill(padded_rows | padded_columns, 0);
  }
  auto result = table.take(bytes + c * 256);
  if (augmentation.cutout > 0 && !chosen.draws.empty()) {
    const auto top = column(4) - augmentation.cutout / 2;
    const auto left = column(5) - augmentation.cutout / 2;
    const auto cut_rows =
        ((y >= top) & (y < top + augmentation.cutout)).view({count, 1, height, 1});
    const auto cut_columns =
        ((x >= left) & (x < left + augmentation.cutout)).view({count, 1, 1, width});
    result = result.masked_fill(cut_rows & cut_columns, 0);
  }
  return result.contiguous(format);
}

}  // namespace cleave::data
