#pragma once

#include <algorithm>
#include <cleave/space/mobile_network.hpp>
#include <cleave/supernet/operations.hpp>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

namespace cleave::supernet {

// The parts of a MobileNet. `Norm` is the batch norm of a supernet or of a stand-alone network;
// `declare_norm(name, group, channels)` declares one, `normalise(norm, y)` applies it.

/// A MobileNet supernet's sizes: its space's shape, and what its tensors are.
template <class Shape>
struct MobileConfig {
  Shape shape{};
  at::ScalarType scalar = at::kFloat;
  at::Device device = at::kCPU;
  template <class F>
  void fields(F&& field) const {
    field("shape", shape);
    field("scalar", scalar);
    field("device", device.str());
  }

  [[nodiscard]] at::TensorOptions options() const {
    return at::TensorOptions(device).dtype(scalar);
  }
};

/// images [B, C, H, W] at a share of their height and width, rounded, by antialiased bilinear
/// interpolation.
[[nodiscard]] inline at::Tensor scaled_images(const at::Tensor& images, double share) {
  const auto scaled = [share](std::int64_t size) {
    return std::max<std::int64_t>(1, std::llround(share * static_cast<double>(size)));
  };
  const auto height = scaled(images.size(2));
  const auto width = scaled(images.size(3));
  if (height == images.size(2) && width == images.size(3)) return images;
  return at::_upsample_bilinear2d_aa(images, {height, width}, /*align_corners=*/false);
}

[[nodiscard]] inline at::Tensor activate(space::Activation activation, const at::Tensor& x) {
  switch (activation) {
    case space::Activation::relu6: return at::hardtanh(x, 0.0, 6.0);
    case space::Activation::h_swish: return at::hardswish(x);
    case space::Activation::relu: break;
  }
  return x.relu();
}

/// Squeeze-and-excitation (Hu, Shen, Sun, CVPR 2018) as MobileNetV3 has it: every channel is scaled
/// by h_sigmoid(W2 relu(W1 mean(x) + b1) + b2), with `space::squeezed_channels` in between.
struct SqueezeExcite {
  Linear reduce;
  Linear restore;

  static SqueezeExcite declare(WeightArena& arena, const std::string& prefix, WeightGroup group,
                               std::int64_t channels) {
    const auto squeezed = static_cast<std::int64_t>(
        space::squeezed_channels(static_cast<std::size_t>(channels)));
    return {Linear::declare(arena, prefix + ".reduce", group, channels, squeezed),
            Linear::declare(arena, prefix + ".restore", group, squeezed, channels)};
  }

  /// x: [B, C, H, W] -> the same shape. `weight(id)` gives a weight or the part of it that is used.
  template <class Weight>
  [[nodiscard]] at::Tensor forward(const at::Tensor& x, Weight weight) const {
    const auto hidden =
        at::linear(x.mean({2, 3}), weight(reduce.weight), weight(reduce.bias)).relu();
    const auto scale = at::linear(hidden, weight(restore.weight), weight(restore.bias));
    return x.mul(at::hardsigmoid(scale).unsqueeze(-1).unsqueeze(-1));
  }
};

/// A convolution and its batch norm, `PREFIX.conv.weight` and `PREFIX.bn`.
template <class Norm>
struct ConvNorm {
  Convolution conv;
  Norm norm;

  template <class DeclareNorm>
  static ConvNorm declare(WeightArena& arena, const std::string& prefix, WeightGroup group,
                          const Convolution::Shape& shape, DeclareNorm declare_norm) {
    return {Convolution::declare(arena, prefix + ".conv.weight", group, shape),
            declare_norm(prefix + ".bn", group, shape.out)};
  }
  template <class Normalise>
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& x,
                                   Normalise normalise) const {
    return normalise(norm, conv.forward(arena, x));
  }
};

/// The weights of an inverted-residual block (`space::MobileBlock`).
template <class Norm>
struct MobileBlockLayers {
  std::optional<ConvNorm<Norm>> expand;
  ConvNorm<Norm> depthwise;
  std::optional<SqueezeExcite> squeeze;
  ConvNorm<Norm> project;
  space::Activation activation = space::Activation::relu;
  bool shortcut = false;

  template <class DeclareNorm>
  static MobileBlockLayers declare(WeightArena& arena, const std::string& prefix, WeightGroup group,
                                   const space::MobileBlock& block, DeclareNorm declare_norm) {
    const auto in = static_cast<std::int64_t>(block.in);
    const auto mid = static_cast<std::int64_t>(block.mid);
    MobileBlockLayers layers;
    if (block.expand != 1)
      layers.expand = ConvNorm<Norm>::declare(arena, prefix + ".expand", group,
                                              {.in = in, .out = mid}, declare_norm);
    layers.depthwise = ConvNorm<Norm>::declare(
        arena, prefix + ".depthwise", group,
        {.in = mid,
         .out = mid,
         .kernel = static_cast<std::int64_t>(block.kernel),
         .stride = static_cast<std::int64_t>(block.stride),
         .groups = mid},
        declare_norm);
    if (block.squeeze)
      layers.squeeze = SqueezeExcite::declare(arena, prefix + ".squeeze", group, mid);
    layers.project = ConvNorm<Norm>::declare(
        arena, prefix + ".project", group,
        {.in = mid, .out = static_cast<std::int64_t>(block.out)}, declare_norm);
    layers.activation = block.activation;
    layers.shortcut = block.shortcut;
    return layers;
  }

  /// x: [B, in, H, W] -> [B, out, H / stride, W / stride], the shortcut not yet added.
  template <class Normalise>
  [[nodiscard]] at::Tensor transform(const WeightArena& arena, const at::Tensor& x,
                                     Normalise normalise) const {
    auto y = x;
    if (expand) y = activate(activation, expand->forward(arena, y, normalise));
    y = activate(activation, depthwise.forward(arena, y, normalise));
    if (squeeze)
      y = squeeze->forward(y, [&arena](WeightId id) { return arena.weight(id); });
    return project.forward(arena, y, normalise);
  }
  /// The same with the shortcut.
  template <class Normalise>
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& x,
                                   Normalise normalise) const {
    const auto y = transform(arena, x, normalise);
    return shortcut ? x.add(y) : y;
  }
};

/// What a MobileNet begins with.
template <class Norm>
struct MobileStem {
  ConvNorm<Norm> first;
  space::Activation activation = space::Activation::relu6;

  template <class DeclareNorm>
  static MobileStem declare(WeightArena& arena, WeightGroup group,
                            const space::MobileNetwork& network, DeclareNorm declare_norm) {
    return {ConvNorm<Norm>::declare(
                arena, "first_conv", group,
                {.in = static_cast<std::int64_t>(network.image_channels),
                 .out = static_cast<std::int64_t>(network.first_conv_out),
                 .kernel = 3,
                 .stride = static_cast<std::int64_t>(network.first_stride)},
                declare_norm),
            network.first_activation};
  }
  template <class Normalise>
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& images,
                                   Normalise normalise) const {
    return activate(activation, first.forward(arena, images, normalise));
  }
};

/// What a MobileNet ends with: 1x1 convolutions around the global pooling, and the classifier.
template <class Norm>
struct MobileHead {
  std::optional<ConvNorm<Norm>> final_expand;
  Convolution mix;
  std::optional<Norm> mix_norm;  ///< a mix after pooling has none
  Linear classifier;
  space::Activation activation = space::Activation::relu6;

  template <class DeclareNorm>
  static MobileHead declare(WeightArena& arena, WeightGroup group,
                            const space::MobileNetwork& network, DeclareNorm declare_norm) {
    MobileHead head;
    auto width = static_cast<std::int64_t>(network.blocks.back().out);
    const auto mixed = static_cast<std::int64_t>(network.feature_mix_out);
    if (network.final_expand != 0) {
      const auto wide = static_cast<std::int64_t>(network.final_expand);
      head.final_expand = ConvNorm<Norm>::declare(arena, "final_expand", group,
                                                  {.in = width, .out = wide}, declare_norm);
      width = wide;
    }
    head.mix = Convolution::declare(arena, "feature_mix.conv.weight", group,
                                    {.in = width, .out = mixed});
    if (!network.mix_after_pooling) head.mix_norm = declare_norm("feature_mix.bn", group, mixed);
    head.classifier = Linear::declare(arena, "classifier", group, mixed,
                                      static_cast<std::int64_t>(network.classes));
    head.activation = network.head_activation;
    return head;
  }

  /// x: [B, width, H, W] -> features [B, feature_mix_out], what the classifier gets.
  template <class Normalise>
  [[nodiscard]] at::Tensor features(const WeightArena& arena, const at::Tensor& x,
                                    Normalise normalise) const {
    auto y = x;
    if (final_expand) y = activate(activation, final_expand->forward(arena, y, normalise));
    if (mix_norm) return activate(activation, normalise(*mix_norm, mix.forward(arena, y)))
        .mean({2, 3});
    y = mix.forward(arena, y.mean({2, 3}, /*keepdim=*/true));
    return activate(activation, y).flatten(1);
  }
};

}  // namespace cleave::supernet
