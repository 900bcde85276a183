#pragma once

#include <cleave/strategy/alphas.hpp>
#include <cmath>
#include <cstddef>

namespace cleave::strategy {

/// The eigenvalue of largest magnitude of d²L/d alpha², L the loss of one batch under softmax(alpha):
/// the sharpness that grows before DARTS collapses (Zela et al., ICLR 2020, section 4). Power
/// iteration from a random start, Hessian-vector products by central differences of the gradient
/// over `radius` along the unit vector; alphas of absent options stay out.
/// Cost: two forward and backward passes per iteration, one wait for the device. The alphas are as
/// before when it returns.
struct DominantEigenvalue {
  std::size_t iterations = 20;
  double radius = 1e-2;

  template <MixtureSupernet Net>
  [[nodiscard]] double operator()(const Net& net, const AlphaState& state, const data::Batch& batch,
                                  Stream stream) const {
    const auto alpha = state.alpha.detach();
    const auto gradient_at = [&](const at::Tensor& shift, double sign) {
      const auto moved = alpha.add(shift, sign).set_requires_grad(true);
      return gradient_of(loss_of(net, probabilities(state, moved), batch), moved);
    };
    const auto present = state.closed.isfinite().expand_as(alpha).to(alpha.scalar_type());
    auto direction = at::empty_like(alpha);
    {
      auto host = at::empty(alpha.sizes(), at::kDouble);
      auto* value = host.mutable_data_ptr<double>();
      for (std::int64_t i = 0; i < host.numel(); ++i) value[i] = stream.normal();
      direction.copy_(host);
    }
    direction.mul_(present);
    at::Tensor eigenvalue = at::zeros({}, alpha.options());
    for (std::size_t i = 0; i < iterations; ++i) {
      direction.div_(direction.norm());
      const auto product = gradient_at(direction, radius)
                               .sub_(gradient_at(direction, -radius))
                               .div_(2 * radius)
                               .mul_(present);
      eigenvalue = product.mul(direction).sum();  // Rayleigh quotient of a unit vector
      direction = product;
    }
    const at::Tensor result = eigenvalue;
    return result.item<double>();
  }
};

}  // namespace cleave::strategy
