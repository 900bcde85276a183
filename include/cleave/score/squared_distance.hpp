#pragma once

#include <cleave/score/cosine.hpp>

namespace cleave::score {

/// -|g_i - g_j|², so that larger means more alike: the public code's "mse". Not scale-free: an
/// edge whose gradients are long looks torn, whatever their direction.
struct SquaredDistance {
  static constexpr std::string_view name = "squared distance";
  [[nodiscard]] at::Tensor operator()(const GradientView& view) const {
    const auto dots = gram(view);
    const auto squares = dots.diagonal();
    return dots.mul(2).sub(squares.unsqueeze(1).add(squares.unsqueeze(0))).clamp_max(0);
  }
};

static_assert(GradientSimilarity<SquaredDistance>);

}  // namespace cleave::score
