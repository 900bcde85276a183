#pragma once

#include <cleave/strategy/optimisers.hpp>

namespace cleave::strategy {

/// A rate that falls by `factor` in `falls` equal steps of the phase: first factor^floor(falls p)
/// at progress p. The defaults are 0.97 every 2.4 epochs of 450 (method.md section 3).
struct StepRate {
  double first = 0.064;
  double factor = 0.97;
  double falls = 450 / 2.4;
  template <class F>
  void fields(F&& field) const {
    field("first", first);
    field("factor", factor);
    field("falls", falls);
  }

  [[nodiscard]] double at(double progress) const noexcept {
    return first * std::pow(factor, std::floor(falls * progress));
  }
};

/// RMSprop as TensorFlow has it and MobileNets are trained with (method.md section 3): the mean
/// square starts at 1, epsilon stands inside the root, and the rate goes into the momentum, so a
/// fall of the rate reaches the weights over several steps:
///
///     g <- g + weight_decay w;   s <- s + (1 - memory) (g^2 - s);
///     m <- momentum m + rate g / sqrt(s + epsilon);   w <- w - m
struct RmsProp {
  StepRate rate{};
  double memory = 0.9;  ///< how much of the mean square a step keeps
  double momentum = 0.9;
  double weight_decay = 1e-5;
  double epsilon = 1e-3;
  template <class F>
  void fields(F&& field) const {
    field("rate", rate);
    field("memory", memory);
    field("momentum", momentum);
    field("weight_decay", weight_decay);
    field("epsilon", epsilon);
  }

  struct State {
    at::Tensor square;      ///< [P]
    at::Tensor momentum;    ///< [P]
    double rate_scale = 1;  ///< what is left of the rate after trouble (`strategy::NonFinite`)

    template <class F>
    void fields(F&& field) {
      field("square", square);
      field("momentum", momentum);
      field("rate_scale", rate_scale);
    }
  };

  [[nodiscard]] State start(const WeightArena& arena) const {
    return {at::ones_like(arena.values()), at::zeros_like(arena.values())};
  }

  /// As `Sgd::step`; after a gradient whose norm is not finite nothing has moved.
  at::Tensor step(WeightArena& arena, State& state, double progress,
                  const at::Tensor& decays = {}) const {
    const at::NoGradGuard no_grad;
    auto gradient = arena.gradients();
    const auto norm = gradient.norm();
    const auto finite = norm.isfinite();
    auto weights = arena.values();
    add_decay(gradient, weights, weight_decay, decays);
    const auto square = state.square.lerp(gradient.square(), 1 - memory);
    const auto moved = state.momentum.mul(momentum).addcdiv_(gradient, square.add(epsilon).sqrt_(),
                                                             state.rate_scale * rate.at(progress));
    state.square.copy_(at::where(finite, square, state.square));
    state.momentum.copy_(at::where(finite, moved, state.momentum));
    weights.sub_(at::where(finite, moved, at::zeros({}, moved.options())));
    return norm;
  }
};

static_assert(WeightOptimiser<RmsProp>);

}  // namespace cleave::strategy
