#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace cleave::supernet::fused {

/// The upper half of a float, by which it is kept: 8 bits of precision, the range of float.
struct BFloat16 {
  std::uint16_t bits = 0;
};

/// The type that is computed in when numbers are kept as S, which is the same but for bfloat16.
template <class S>
using Arithmetic = std::conditional_t<std::is_same_v<S, BFloat16>, float, S>;

/// Products take numbers P in groups along their depth, side by side in memory: bfloat16 in pairs,
/// as the instruction for it does, all others one by one.
template <class P>
inline constexpr std::int64_t group = std::is_same_v<P, BFloat16> ? 2 : 1;
template <class P>
using Group = std::conditional_t<group<P> == 2, std::uint32_t, P>;

/// Edges that leave one node, at most: a cell of NAS-Bench-201 has four nodes.
inline constexpr int max_edges = 3;

/// What is computed on one edge: the numbers of its convolutions among those of the node, or -1.
struct EdgeOptions {
  int three = -1;  ///< its 3x3 convolution
  int one = -1;    ///< its 1x1 convolution
  bool skip = false;
  bool pool = false;

  [[nodiscard]] bool any() const noexcept { return three >= 0 || one >= 0 || skip || pool; }
};

/// Sizes of a node, of the convolutions that leave it, and how its images are cut into work.
///
/// Convolutions are numbered, and so are their outputs' channels, `outputs()` in all: the 3x3s,
/// edge by edge, then the 1x1s. 3x3 convolutions work on tiles of 2x2 pixels.
struct Shape {
  std::int64_t batch = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::int64_t threes = 0;  ///< how many 3x3 convolutions leave the node
  std::int64_t ones = 0;    ///< how many 1x1

  [[nodiscard]] std::int64_t pixels() const { return height * width; }
  [[nodiscard]] std::int64_t outputs() const { return (threes + ones) * channels; }
  [[nodiscard]] std::int64_t three_outputs() const { return threes * channels; }
  [[nodiscard]] std::int64_t one_outputs() const { return ones * channels; }

  [[nodiscard]] std::int64_t tile_rows() const { return (height + 1) / 2; }
  [[nodiscard]] std::int64_t tile_columns() const { return (width + 1) / 2; }
  /// Pixels of a rectified image with its zero border, tiles at the rim included.
  [[nodiscard]] std::int64_t padded_width() const { return 2 * tile_columns() + 2; }
  [[nodiscard]] std::int64_t padded_size() const {
    return (2 * tile_rows() + 2) * padded_width() * channels;
  }

  /// Tiles transformed at a time, about: they and their products stay in the second-level cache.
  static constexpr std::int64_t block_tiles = 64;
  /// Winograd's minimal filtering F(2x2, 3x3) has this many products per tile and channel pair.
  static constexpr std::int64_t points = 16;
  /// Values from a point of Winograd's to the next, `each` per tile: a cache line more than there
  /// are, since at a power of two all points of a tile would fall into the same set of the cache.
  [[nodiscard]] static std::int64_t point_stride(std::int64_t tiles, std::int64_t each) {
    return tiles * each + 16;
  }
  /// Values of all points of a block, whole pairs of tiles.
  [[nodiscard]] std::int64_t block_values(std::int64_t each) const {
    return points * point_stride((block_rows() * tile_columns() + 1) / 2 * 2, each);
  }
  /// Rows of tiles in a block.
  [[nodiscard]] std::int64_t block_rows() const {
    const auto tiles = channels > 32 ? block_tiles / 2 : block_tiles;
    return std::max<std::int64_t>(1, tiles / tile_columns());
  }
  /// Values of scratch memory that a pass over `images` images needs, forward and backward.
  [[nodiscard]] std::int64_t forward_scratch(std::int64_t images) const {
    return images * padded_size() + block_values(channels) + block_values(three_outputs()) +
           width * (one_outputs() + 2 * channels);
  }
  [[nodiscard]] std::int64_t backward_scratch(std::int64_t images) const {
    const auto spread = (height + 2) * (width + 2) * channels;
    return 2 * images * padded_size() + block_values(channels) + block_values(three_outputs()) +
           block_pixels() * (channels + one_outputs()) +
           std::max(block_pixels() * outputs(), spread);
  }
  /// Pixels of a block, tiles at the rim included.
  [[nodiscard]] std::int64_t block_pixels() const { return 4 * block_rows() * tile_columns(); }
  [[nodiscard]] std::int64_t row_scratch() const { return (2 * width + 2) * channels; }

  /// Images that one piece of work takes, so that a block is full and every thread has work.
  [[nodiscard]] std::int64_t unit_images(std::int64_t threads) const {
    const auto filling = (block_rows() + tile_rows() - 1) / tile_rows();
    return std::clamp<std::int64_t>(std::min(filling, (batch + threads - 1) / threads), 1, batch);
  }
};

/// What the passes over a node read and write. Tensors are [B, H, W, C] in memory. The
/// convolutions' outputs y, one such tensor each, are kept as S from the forward pass to the
/// backward one; products take their numbers as P, which is S where the machine multiplies S and
/// `Arithmetic<S>` elsewhere.
template <class S, class P>
struct Task {
  using T = Arithmetic<S>;
  static_assert(std::is_same_v<P, S> || std::is_same_v<P, T>);

  Shape shape;
  int edges = 0;
  std::array<EdgeOptions, max_edges> options{};

  const T* x = nullptr;
  S* y = nullptr;        ///< [convolutions, B, H, W, C]
  bool streams = false;  ///< y is written past the caches, since it would not stay in them

  // Transformed weights, in groups along a product's depth; see `pack`.
  std::array<const T*, max_edges> weights_three{};  ///< [C, 3, 3, C]: out, kernel, in
  std::array<const T*, max_edges> weights_one{};    ///< [C, C]: out, in
  P* three_by_input = nullptr;                      ///< [points, C, threes * C]
  P* three_by_output = nullptr;                     ///< [points, threes * C, C]
  P* one_by_input = nullptr;                        ///< [C, ones * C]
  P* one_by_output = nullptr;                       ///< [ones * C, C]
  P* three_rows = nullptr;  ///< the same one by one; `three_by_output` itself if groups are 1
  P* one_rows = nullptr;

  // Mixing: sum_e = [sum_e] + bias_e + sum over sources of factor * source.
  std::array<T*, max_edges> sums{};
  std::array<bool, max_edges> add{};         ///< to what is there
  const T* scales = nullptr;                 ///< [outputs]: weight / deviation
  std::array<const T*, max_edges> biases{};  ///< [C]
  std::array<T, max_edges> skip_weights{};
  std::array<T, max_edges> pool_weights{};

  // Backward: dy = scale * g + slope * (y - mean) + offset.
  std::array<const T*, max_edges> gradients{};  ///< of the sums; null for none
  const T* means = nullptr;                     ///< [outputs]
  const T* slopes = nullptr;                    ///< [outputs]
  const T* offsets = nullptr;                   ///< [outputs]
  bool with_alpha = false;                      ///< the sums that alpha's gradient needs
  bool with_weights = false;
  T* dx = nullptr;  ///< null when nobody asks

  /// The output of convolution `number`, from row `row` of image `image` on.
  [[nodiscard]] S* output(std::int64_t number, std::int64_t image, std::int64_t row) const {
    return y +
           ((number * shape.batch + image) * shape.height + row) * shape.width * shape.channels;
  }
};

}  // namespace cleave::supernet::fused
