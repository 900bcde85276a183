#pragma once

#include <cleave/supernet/weight_arena.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace cleave::supernet {

/// Added to the batch variance before the square root (the framework default every space uses).
inline constexpr double batch_norm_epsilon = 1e-5;

/// A convolution without bias; weight [out, in / groups, kernel, kernel], fan-in initialisation.
struct Convolution {
  WeightId weight;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;

  struct Shape {
    std::int64_t in = 1;
    std::int64_t out = 1;
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t dilation = 1;
    std::int64_t groups = 1;
  };

  /// "Same" padding for odd kernels: dilation * (kernel - 1) / 2.
  static Convolution declare(WeightArena& arena, std::string name, WeightGroup group,
                             const Shape& s) {
    const auto in = s.in / s.groups;
    return {arena.declare(std::move(name), group, {s.out, in, s.kernel, s.kernel},
                          Initialiser::fan_in(in * s.kernel * s.kernel)),
            s.stride, s.dilation * (s.kernel - 1) / 2, s.dilation, s.groups};
  }

  /// x: [B, in, H, W] -> [B, out, H / stride, W / stride].
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& x) const {
    const auto& w = arena.weight(weight);
    // With AVX2, oneDNN's weight gradient of a strided 1x1 convolution writes past the end of its
    // memory below 8 channels (LibTorch 2.15), so the pixels that it looks at are taken first.
    if (stride > 1 && x.size(1) < 8 && w.size(2) == 1 && w.size(3) == 1)
      return at::conv2d(x.slice(2, 0, std::nullopt, stride).slice(3, 0, std::nullopt, stride), w, {},
                        1, padding, dilation, groups);
    return at::conv2d(x, w, {}, stride, padding, dilation, groups);
  }
};

/// Batch normalisation by the statistics of the batch alone: (x - mean) / sqrt(var + eps), with
/// scale and shift when affine. A supernet keeps no running statistics (docs/design.md), so
/// nothing can leak from one architecture's evaluation into another's.
struct BatchNorm {
  std::optional<WeightId> scale;
  std::optional<WeightId> shift;

  static BatchNorm declare_affine(WeightArena& arena, const std::string& name, WeightGroup group,
                                  std::int64_t channels) {
    BatchNorm norm;
    norm.scale = arena.declare(name + ".weight", group, {channels}, Initialiser::value(1));
    norm.shift = arena.declare(name + ".bias", group, {channels}, Initialiser::value(0));
    return norm;
  }

  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& x) const {
    const auto get = [&](const std::optional<WeightId>& id) {
      return id ? std::optional<at::Tensor>(arena.weight(*id)) : std::nullopt;
    };
    return at::batch_norm(x, get(scale), get(shift), {}, {}, /*training=*/true, 0.0,
                          batch_norm_epsilon, /*cudnn_enabled=*/true);
  }
};

/// y = x Wᵀ + b; x: [B, in], weight [out, in].
struct Linear {
  WeightId weight;
  WeightId bias;

  static Linear declare(WeightArena& arena, const std::string& name, WeightGroup group,
                        std::int64_t in, std::int64_t out) {
    return {arena.declare(name + ".weight", group, {out, in}, Initialiser::fan_in(in)),
            arena.declare(name + ".bias", group, {out}, Initialiser::fan_in(in))};
  }

  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& x) const {
    return at::linear(x, arena.weight(weight), arena.weight(bias));
  }
};

}  // namespace cleave::supernet
