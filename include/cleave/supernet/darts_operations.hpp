#pragma once

#include <array>
#include <cleave/space/darts_genotype.hpp>
#include <cleave/supernet/average_pool.hpp>
#include <cleave/supernet/operations.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cleave::supernet {

/// Depthwise k x k, then 1x1 to as many channels, then batch norm; its input is rectified already.
/// `Norm` is the batch norm of a supernet or of a stand-alone network, here and below.
template <class Norm>
struct SeparableConvolution {
  Convolution depthwise;
  Convolution pointwise;
  Norm norm;

  /// Weight names `PREFIX.N.weight`, `PREFIX.N+1.weight`, batch norm `PREFIX.N+2`.
  /// `declare_norm(name, group, channels)` declares a batch norm.
  template <class DeclareNorm>
  static SeparableConvolution declare(WeightArena& arena, const std::string& prefix, int first,
                                      WeightGroup group, const Convolution::Shape& shape,
                                      DeclareNorm declare_norm) {
    auto depthwise = shape;
    depthwise.groups = shape.in;
    depthwise.out = shape.in;
    const auto name = [&](int i) { return fmt::format("{}.{}", prefix, first + i); };
    return {Convolution::declare(arena, name(0) + ".weight", group, depthwise),
            Convolution::declare(arena, name(1) + ".weight", group,
                                 {.in = shape.in, .out = shape.out, .kernel = 1}),
            declare_norm(name(2), group, shape.out)};
  }

  /// rectified: [B, C, H, W] -> [B, C, H / stride, W / stride], batch norm still to come.
  [[nodiscard]] at::Tensor convolve(const WeightArena& arena, const at::Tensor& rectified) const {
    return pointwise.forward(arena, depthwise.forward(arena, rectified));
  }
};

/// Halves an image without losing pixels: two 1x1 convolutions of half the width with stride 2, the
/// second one moved by one pixel in both directions, side by side, then batch norm.
template <class Norm>
struct FactorisedReduction {
  Convolution even;
  Convolution odd;
  Norm norm;

  template <class DeclareNorm>
  static FactorisedReduction declare(WeightArena& arena, const std::string& prefix,
                                     WeightGroup group, std::int64_t in, std::int64_t out,
                                     DeclareNorm declare_norm) {
    const Convolution::Shape half{.in = in, .out = out / 2, .kernel = 1, .stride = 2};
    return {Convolution::declare(arena, prefix + ".conv_1.weight", group, half),
            Convolution::declare(arena, prefix + ".conv_2.weight", group, half),
            declare_norm(prefix + ".bn", group, out)};
  }

  /// rectified: [B, in, H, W], both sides even -> [B, out, H / 2, W / 2], batch norm still to come.
  [[nodiscard]] at::Tensor convolve(const WeightArena& arena, const at::Tensor& rectified) const {
    const auto moved = rectified.slice(2, 1).slice(3, 1);
    return at::cat({even.forward(arena, rectified), odd.forward(arena, moved)}, 1);
  }
};

/// The weights of one operation of the DARTS space on one edge; pooling and the plain skip have
/// none. Separable convolutions are applied twice, dilated ones once with dilation 2.
template <class Norm>
struct DartsOperationWeights {
  std::vector<SeparableConvolution<Norm>> chain{};
  std::optional<FactorisedReduction<Norm>> reduction{};  ///< the skip at stride 2

  /// Names are those of the public code: `PREFIX.op.1.weight`, ..., `PREFIX.conv_1.weight`.
  template <class DeclareNorm>
  static DartsOperationWeights declare(WeightArena& arena, const std::string& prefix,
                                       WeightGroup group, space::DartsOperation operation,
                                       std::int64_t channels, std::int64_t stride,
                                       DeclareNorm declare_norm) {
    using enum space::DartsOperation;
    DartsOperationWeights weights;
    const auto separable = [&](int first, std::int64_t kernel, std::int64_t step,
                               std::int64_t dilation) {
      weights.chain.push_back(SeparableConvolution<Norm>::declare(
          arena, prefix + ".op", first, group,
          {.in = channels, .out = channels, .kernel = kernel, .stride = step, .dilation = dilation},
          declare_norm));
    };
    switch (operation) {
      case max_pool_3x3:
      case avg_pool_3x3: break;
      case skip_connect:
        if (stride > 1)
          weights.reduction = FactorisedReduction<Norm>::declare(arena, prefix, group, channels,
                                                                 channels, declare_norm);
        break;
      case sep_conv_3x3:
      case sep_conv_5x5: {
        const std::int64_t kernel = operation == sep_conv_3x3 ? 3 : 5;
        separable(1, kernel, stride, 1);
        separable(5, kernel, 1, 1);
        break;
      }
      case dil_conv_3x3: separable(1, 3, stride, 2); break;
      case dil_conv_5x5: separable(1, 5, stride, 2); break;
    }
    return weights;
  }

  [[nodiscard]] bool empty() const noexcept { return chain.empty() && !reduction; }

  /// rectified: [B, C, H, W] -> [B, C, H / stride, W / stride]. `normalise(norm, y)` applies a batch
  /// norm, `finish(norm, y)` the last one. Only for an operation with weights.
  template <class Normalise, class Finish>
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& rectified,
                                   Normalise normalise, Finish finish) const {
    if (reduction) return finish(reduction->norm, reduction->convolve(arena, rectified));
    auto y = chain.front().convolve(arena, rectified);
    for (std::size_t i = 1; i < chain.size(); ++i)
      y = chain[i].convolve(arena, normalise(chain[i - 1].norm, y).relu_());
    return finish(chain.back().norm, y);
  }
};

/// What the operations that leave one node share, each made when first asked for: the node, its
/// ReLU, its two poolings. All edges that leave a node have the same stride.
class LeavingNode {
 public:
  LeavingNode(at::Tensor x, std::int64_t stride) : x_(std::move(x)), stride_(stride) {}

  [[nodiscard]] const at::Tensor& plain() const noexcept { return x_; }
  [[nodiscard]] const at::Tensor& rectified() {
    if (!rectified_.defined()) rectified_ = x_.relu();
    return rectified_;
  }
  /// 3x3 pooling, then `finish(y)`: the supernet's batch norm, or nothing.
  template <class Finish>
  [[nodiscard]] const at::Tensor& pooled(space::DartsOperation operation, Finish finish) {
    const bool largest = operation == space::DartsOperation::max_pool_3x3;
    auto& pooled = pooled_[largest ? 0 : 1];
    if (!pooled.defined())
      pooled = finish(largest ? at::max_pool2d(x_, 3, stride_, 1) : average_pool_3x3(x_, stride_));
    return pooled;
  }

 private:
  at::Tensor x_;
  std::int64_t stride_;
  at::Tensor rectified_;
  std::array<at::Tensor, 2> pooled_;
};

/// Brings one of a cell's two inputs to the cell's width and size: ReLU, 1x1 convolution, batch
/// norm; or, where the input is twice as large as the other one, a factorised reduction.
template <class Norm>
struct Preprocess {
  struct Pointwise {
    Convolution conv;
    Norm norm;
  };
  std::optional<Pointwise> pointwise{};
  std::optional<FactorisedReduction<Norm>> reduction{};

  template <class DeclareNorm>
  static Preprocess declare(WeightArena& arena, const std::string& prefix, WeightGroup group,
                            std::int64_t in, std::int64_t out, bool halve,
                            DeclareNorm declare_norm) {
    Preprocess result;
    if (halve)
      result.reduction =
          FactorisedReduction<Norm>::declare(arena, prefix, group, in, out, declare_norm);
    else
      result.pointwise =
          Pointwise{Convolution::declare(arena, prefix + ".op.1.weight", group,
                                         {.in = in, .out = out, .kernel = 1}),
                    declare_norm(prefix + ".op.2", group, out)};
    return result;
  }

  /// rectified: [B, in, H, W] -> [B, out, H, W], or half as high and wide.
  template <class Normalise>
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& rectified,
                                   Normalise normalise) const {
    if (reduction) return normalise(reduction->norm, reduction->convolve(arena, rectified));
    return normalise(pointwise->norm, pointwise->conv.forward(arena, rectified));
  }
};

}  // namespace cleave::supernet
