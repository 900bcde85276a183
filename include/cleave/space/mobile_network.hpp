#pragma once

#include <array>
#include <cleave/space/network_cost.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace cleave::space {

enum class Activation : std::uint8_t { relu, relu6, h_swish };

inline constexpr std::array<std::string_view, 3> activation_names{"relu", "relu6", "h_swish"};

[[nodiscard]] constexpr std::string_view name_of(Activation activation) {
  return activation_names.at(static_cast<std::size_t>(activation));
}

/// The multiple of 8 next to a channel count (halves go up), but never below 90 % of it: the
/// rounding of the MobileNet family. At least 8.
[[nodiscard]] inline std::size_t make_divisible(double channels) {
  constexpr double divisor = 8.0;
  constexpr double least_share = 0.9;
  if (!(channels >= 0.0 && channels <= 1e9))
    throw ValueError(fmt::format("channels: {}, allowed 0 to 1e9", channels));
  double rounded = std::floor((channels + divisor / 2) / divisor) * divisor;
  if (rounded < divisor) rounded = divisor;
  if (rounded < least_share * channels) rounded += divisor;
  return static_cast<std::size_t>(rounded);
}

/// An inverted-residual block: 1x1 to `mid` channels (absent when `expand` is 1), depthwise
/// `kernel` x `kernel`, squeeze-and-excitation on demand, 1x1 to `out`; each convolution with BN.
struct MobileBlock {
  std::size_t in = 0;
  std::size_t out = 0;
  std::size_t kernel = 3;
  std::size_t stride = 1;
  std::size_t expand = 1;  ///< 1: no expansion layer; `mid` says how wide the block really is
  std::size_t mid = 0;
  bool squeeze = false;
  Activation activation = Activation::relu;
  bool shortcut = false;  ///< the block's input is added to its output

  friend bool operator==(const MobileBlock&, const MobileBlock&) = default;
};

/// A MobileNet-like network, block by block: what Proxyless and Ofa architectures stand for, and
/// what published networks are described by. Head, in order: an optional 1x1 to `final_expand`
/// channels with BN (MobileNetV3), global pooling before or after the 1x1 "feature mix", the
/// linear layer. A mix after pooling has no BN.
struct MobileNetwork {
  std::size_t image = 224;
  std::size_t image_channels = 3;
  std::size_t classes = 1000;
  std::size_t first_conv_out = 32;  ///< 3x3, with BN
  std::size_t first_stride = 2;     ///< 1 suits small images
  Activation first_activation = Activation::relu6;
  std::vector<MobileBlock> blocks;
  std::size_t final_expand = 0;  ///< 0: none
  std::size_t feature_mix_out = 1280;
  bool mix_after_pooling = false;
  Activation head_activation = Activation::relu6;

  friend bool operator==(const MobileNetwork&, const MobileNetwork&) = default;
};

/// Channels between the two layers of squeeze-and-excitation.
[[nodiscard]] inline std::size_t squeezed_channels(std::size_t mid) {
  return make_divisible(static_cast<double>(mid / 4));
}

/// Throws `ValueError` naming the first block that cannot follow its predecessor.
inline void validate(const MobileNetwork& network) {
  constexpr std::size_t widest = 1U << 16;
  require_dimension("mobile network image size", network.image, 1, 4096);
  require_dimension("mobile network image channels", network.image_channels, 1, 4096);
  require_dimension("mobile network first stride", network.first_stride, 1, 2);
  require_dimension("mobile network classes", network.classes, 1, 1U << 24);
  require_dimension("mobile network first convolution", network.first_conv_out, 1, widest);
  require_dimension("mobile network final expansion", network.final_expand, 0, widest);
  require_dimension("mobile network feature mix", network.feature_mix_out, 1, widest);
  require_dimension("mobile network blocks", network.blocks.size(), 1, 256);
  std::size_t before = network.first_conv_out;
  for (std::size_t i = 0; i < network.blocks.size(); ++i) {
    const auto& block = network.blocks[i];
    const auto bad = [i](std::string_view what, std::size_t value, std::string_view allowed) {
      throw ValueError(
          fmt::format("mobile network block {}: {} {}, allowed {}", i, what, value, allowed));
    };
    if (block.in != before) bad("in", block.in, fmt::format("{} (its input)", before));
    if (block.out < 1 || block.out > widest) bad("out", block.out, "1 to 65536");
    if (block.mid < 1 || block.mid > widest) bad("mid", block.mid, "1 to 65536");
    if (block.kernel % 2 == 0 || block.kernel > 15) bad("kernel", block.kernel, "odd, 1 to 15");
    if (block.stride < 1 || block.stride > 2) bad("stride", block.stride, "1 or 2");
    if (block.expand < 1 || block.expand > 64) bad("expand", block.expand, "1 to 64");
    if (block.expand == 1 && block.mid != block.in)
      bad("mid", block.mid, fmt::format("{}, without an expansion", block.in));
    if (block.shortcut && (block.stride != 1 || block.in != block.out))
      bad("shortcut with stride", block.stride, "stride 1 and equal channels");
    before = block.out;
  }
}

/// Cost of one block on an input of `size` x `size` pixels; `size` becomes that of its output.
/// Squeeze-and-excitation counts its two layers with bias, not the pooling and the scaling.
[[nodiscard]] inline NetworkCost cost(const MobileBlock& block, std::size_t& size) {
  NetworkCost total;
  if (block.expand != 1) {
    total += convolution_cost(block.in, block.mid, 1, size * size);
    total += batch_norm_cost(block.mid);
  }
  size = (size + block.stride - 1) / block.stride;
  const std::uint64_t area = size * size;
  total += convolution_cost(block.mid, block.mid, block.kernel, area, block.mid);
  total += batch_norm_cost(block.mid);
  if (block.squeeze) {
    const auto squeezed = squeezed_channels(block.mid);
    total += linear_cost(block.mid, squeezed);
    total += linear_cost(squeezed, block.mid);
  }
  total += convolution_cost(block.mid, block.out, 1, area);
  return total += batch_norm_cost(block.out);
}

/// Parameters and multiply-adds (convolutions, linear layers, squeeze-and-excitation) of the
/// whole network; equal to the published networks' to the last digit. Throws as `validate`.
[[nodiscard]] inline NetworkCost cost(const MobileNetwork& network) {
  validate(network);
  std::size_t size = (network.image + network.first_stride - 1) / network.first_stride;
  NetworkCost total =
      convolution_cost(network.image_channels, network.first_conv_out, 3, size * size);
  total += batch_norm_cost(network.first_conv_out);
  for (const auto& block : network.blocks) total += cost(block, size);
  std::size_t width = network.blocks.back().out;
  if (network.final_expand != 0) {
    total += convolution_cost(width, network.final_expand, 1, size * size);
    total += batch_norm_cost(network.final_expand);
    width = network.final_expand;
  }
  const std::uint64_t mix_area = network.mix_after_pooling ? 1 : size * size;
  total += convolution_cost(width, network.feature_mix_out, 1, mix_area);
  if (!network.mix_after_pooling) total += batch_norm_cost(network.feature_mix_out);
  return total += linear_cost(network.feature_mix_out, network.classes);
}

}  // namespace cleave::space
