#pragma once

#include <cleave/supernet/custom_function.hpp>
#include <cstdint>

namespace cleave::supernet {

/// 3x3 average, stride 1, same size, padding not counted (NAS-Bench-201's and DARTS' rule), as
/// separable sums of whole tensors times 1 / count; its backward is the same sums. LibTorch's own
/// pooling on the CPU costs more than a 16-channel 3x3 convolution (docs/performance.md).
class AveragePool3x3 final : public CustomFunction {
 public:
  /// [x] -> [pooled], both [B, C, H, W].
  Tensors forward(Context& context, at::TensorList inputs) override {
    const auto share = reciprocal_counts(inputs[0]);
    context.save_for_backward({share});
    return {sums(inputs[0]).mul_(share)};
  }
  Tensors backward(Context& context, const Tensors& gradients) override {
    return {sums(gradients[0].mul(context.get_saved_variables()[0]))};
  }

 private:
  /// out[i] = x[i - 1] + x[i] + x[i + 1] along height, then along width.
  static at::Tensor sums(const at::Tensor& x) {
    return sums_along(sums_along(x, 2), 3);
  }
  static at::Tensor sums_along(const at::Tensor& x, std::int64_t dimension) {
    auto out = x.clone();
    const auto n = x.size(dimension);
    if (n == 1) return out;
    out.narrow(dimension, 1, n - 1).add_(x.narrow(dimension, 0, n - 1));
    out.narrow(dimension, 0, n - 1).add_(x.narrow(dimension, 1, n - 1));
    return out;
  }
  /// 1 / (pixels under the window): [1, 1, H, W].
  static at::Tensor reciprocal_counts(const at::Tensor& x) {
    const auto ones = at::ones({1, 1, x.size(2), x.size(3)}, x.options().requires_grad(false));
    return sums(ones).reciprocal_();
  }
};

/// The pooling above; other strides go to LibTorch.
[[nodiscard]] inline at::Tensor average_pool_3x3(const at::Tensor& x, std::int64_t stride = 1) {
  if (stride == 1) return CustomFunction::apply(c10::make_intrusive<AveragePool3x3>(), {x})[0];
  return at::avg_pool2d(x, 3, stride, 1, /*ceil_mode=*/false, /*count_include_pad=*/false);
}

}  // namespace cleave::supernet
