#pragma once

#include <cleave/supernet/operations.hpp>
#include <cstdint>
#include <string>

namespace cleave::supernet {

/// The stride-2 block between the stages of NAS-Bench-201: two ReLU-conv3x3-BN (the first with
/// stride 2) beside a 2x2 average pool and a 1x1 convolution. Halves the image, doubles channels.
/// `Norm` is the batch norm of a supernet or of a stand-alone network.
template <class Norm>
struct ResidualReduction {
  Convolution conv_a;
  Norm norm_a;
  Convolution conv_b;
  Norm norm_b;
  Convolution downsample;

  /// Shared by all children and scored (method.md section 2: the blocks count as shared weights).
  /// `declare_norm(name, group, channels)` declares a batch norm.
  template <class DeclareNorm>
  static ResidualReduction declare(WeightArena& arena, const std::string& prefix, std::int64_t in,
                                   std::int64_t out, DeclareNorm declare_norm) {
    const auto group = WeightGroup::shared();
    ResidualReduction block;
    block.conv_a = Convolution::declare(arena, prefix + ".conv_a.op.1.weight", group,
                                        {.in = in, .out = out, .kernel = 3, .stride = 2});
    block.norm_a = declare_norm(prefix + ".conv_a.op.2", group, out);
    block.conv_b = Convolution::declare(arena, prefix + ".conv_b.op.1.weight", group,
                                        {.in = out, .out = out, .kernel = 3});
    block.norm_b = declare_norm(prefix + ".conv_b.op.2", group, out);
    block.downsample = Convolution::declare(arena, prefix + ".downsample.1.weight", group,
                                            {.in = in, .out = out, .kernel = 1});
    return block;
  }

  /// x: [B, in, H, W] -> [B, out, H / 2, W / 2]. `normalise(norm, y)` applies a batch norm.
  template <class Normalise>
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& x,
                                   Normalise normalise) const {
    const at::Tensor a = normalise(norm_a, conv_a.forward(arena, x.relu()));
    const at::Tensor b = normalise(norm_b, conv_b.forward(arena, a.relu()));
    return downsample.forward(arena, at::avg_pool2d(x, 2, 2)).add(b);
  }
};

}  // namespace cleave::supernet
