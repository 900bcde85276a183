#pragma once

#include <cleave/supernet/weight_arena.hpp>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <numbers>

namespace cleave::strategy {

/// A cosine from `first` at progress 0 to `last` at progress 1; progress is the share of the
/// phase that has passed, so the schedule ends with the phase (method.md section 5.6).
struct CosineRate {
  double first = 0.025;
  double last = 0.001;
  template <class F>
  void fields(F&& field) const {
    field("first", first);
    field("last", last);
  }

  [[nodiscard]] double at(double progress) const noexcept {
    return last + 0.5 * (first - last) * (1.0 + std::cos(std::numbers::pi * progress));
  }
};

/// g <- g + weight_decay w, where `decays` is 1; everywhere when it is undefined. All [P].
inline void add_decay(at::Tensor& gradient, const at::Tensor& weights, double weight_decay,
                      const at::Tensor& decays) {
  if (decays.defined())
    gradient.addcmul_(weights, decays, weight_decay);
  else
    gradient.add_(weights, weight_decay);
}

/// Writes a number that the host works out to a scalar tensor beside `like`, and makes that when
/// there is none; infinite where the scalar's type does not reach, as when a saved state is damaged.
/// Nothing waits for the device.
inline void tell(at::Tensor& scalar, double value, const at::Tensor& like) {
  if (!scalar.defined()) scalar = at::empty({}, like.options());
  scalar.fill_(1.0).mul_(value);  // fill_ alone throws for what does not fit
}

/// SGD with momentum, weight decay and gradient clipping, each one operation on the arena:
///
///     g <- g min(1, clip / (|g| + 1e-6)) + decay w;   m <- momentum m + g;
///     w <- w - rate (nesterov ? g + momentum m : m)
///
/// Defaults: NAS-Bench-201 search (method.md section 3).
struct Sgd {
  CosineRate rate{};
  double momentum = 0.9;
  double weight_decay = 5e-4;
  bool nesterov = true;
  double clip = 5.0;  ///< 0 turns clipping off
  template <class F>
  void fields(F&& field) const {
    field("rate", rate);
    field("momentum", momentum);
    field("weight_decay", weight_decay);
    field("nesterov", nesterov);
    field("clip", clip);
  }

  struct State {
    at::Tensor momentum;    ///< [P]
    double rate_scale = 1;  ///< what is left of the rate after trouble (`strategy::NonFinite`)
    at::Tensor rate{};      ///< of the step under way, from `prepare`: a scalar; not saved

    template <class F>
    void fields(F&& field) {
      field("momentum", momentum);
      field("rate_scale", rate_scale);
    }
  };

  [[nodiscard]] State start(const WeightArena& arena) const {
    return {at::zeros_like(arena.values())};
  }

  [[nodiscard]] double rate_at(const State& state, double progress) const noexcept {
    return state.rate_scale * rate.at(progress);
  }

  /// What the host has to do with a step.
  void prepare(State& state, double progress) const {
    tell(state.rate, rate_at(state, progress), state.momentum);
  }

  /// The rest of it: operations on tensors that stay where they are, so that a device can capture
  /// them. Consumes `arena.gradients()`; returns the gradient's norm before clipping (a
  /// scalar tensor: no host synchronisation). A gradient whose norm is not finite moves nothing,
  /// neither weights nor momentum, and is left in the buffer so that its origin can be named.
  /// `decays`, when defined, is 1 where weights decay and 0 where they do not, [P]
  /// (`WeightArena::matrix_mask`).
  at::Tensor apply(WeightArena& arena, State& state, const at::Tensor& decays = {}) const {
    const at::NoGradGuard no_grad;
    auto gradient = arena.gradients();
    const auto norm = gradient.norm();
    const auto finite = norm.isfinite().to(norm.scalar_type());  // 1 or 0
    if (clip > 0) gradient.mul_(norm.add(1e-6).reciprocal().mul(clip).clamp_max(1.0));
    auto weights = arena.values();
    add_decay(gradient, weights, weight_decay, decays);
    // momentum m + g, or m where the gradient is of no use: 0 * NaN would be NaN, so it is masked.
    const auto usable = at::where(finite.gt(0), gradient, at::zeros({}, gradient.options()));
    state.momentum.mul_(finite.mul(momentum - 1.0).add(1.0)).add_(usable);
    const auto move = nesterov ? usable.add(state.momentum, momentum) : state.momentum;
    weights.addcmul_(move, finite.mul(state.rate), -1);
    return norm;
  }

  at::Tensor step(WeightArena& arena, State& state, double progress,
                  const at::Tensor& decays = {}) const {
    prepare(state, progress);
    return apply(arena, state, decays);
  }
};

/// Moves all weights of an arena by their gradients.
///
/// Requirements on a const object: `O::State` with `rate_scale`, what is left of the rate after
/// trouble; `start(arena)`; `step(arena, state, progress, decays)`, which consumes
/// `arena.gradients()` and returns their norm as a scalar tensor. `decays`, when defined, is 1 where
/// weights decay and 0 where they do not, [P].
/// Laws: a gradient whose norm is not finite moves nothing; a rate scale of 0 moves no weight.
/// Accepted: Sgd (default), RmsProp (rms_prop.hpp). Rejected: Adam, which moves a tensor.
template <class O>
concept WeightOptimiser =
    requires(const O& optimiser, WeightArena& arena, const WeightArena& fixed,
             typename O::State& state, double progress, const at::Tensor& decays) {
      { optimiser.start(fixed) } -> std::same_as<typename O::State>;
      { optimiser.step(arena, state, progress, decays) } -> std::same_as<at::Tensor>;
      { state.rate_scale } -> std::convertible_to<double>;
    };

static_assert(WeightOptimiser<Sgd>);

/// Adam (Kingma and Ba, ICLR 2015) with the weight decay added to the gradient. Defaults: alpha of
/// DARTS (method.md section 3).
struct Adam {
  double rate = 3e-4;
  double beta1 = 0.5;
  double beta2 = 0.999;
  double weight_decay = 1e-3;
  double epsilon = 1e-8;
  template <class F>
  void fields(F&& field) const {
    field("rate", rate);
    field("beta1", beta1);
    field("beta2", beta2);
    field("weight_decay", weight_decay);
    field("epsilon", epsilon);
  }

  struct State {
    at::Tensor first;
    at::Tensor second;
    std::int64_t steps = 0;
    at::Tensor rate{};  ///< of the step under way and corrected for the moments' start, negative
    at::Tensor root{};  ///< the correction of the second moment's root; both scalars, not saved

    template <class F>
    void fields(F&& field) {
      field("first", first);
      field("second", second);
      field("steps", steps);
    }
  };

  [[nodiscard]] State start(const at::Tensor& like) const {
    return {at::zeros_like(like), at::zeros_like(like), 0};
  }

  /// What the host has to do with a step.
  void prepare(State& state) const {
    const auto t = static_cast<double>(++state.steps);
    tell(state.rate, -rate / (1.0 - std::pow(beta1, t)), state.first);
    tell(state.root, std::sqrt(1.0 - std::pow(beta2, t)), state.first);
  }

  /// The rest of it, see `Sgd::apply`. A gradient that is not finite moves neither weights nor
  /// moments.
  void apply(at::Tensor& weights, at::Tensor gradient, State& state) const {
    const at::NoGradGuard no_grad;
    const auto finite = gradient.isfinite().all();
    const auto kept = [&](at::Tensor& moment, const at::Tensor& next) {
      moment.copy_(at::where(finite, next, moment));
    };
    gradient = gradient.add(weights, weight_decay);
    kept(state.first, state.first.mul(beta1).add_(gradient, 1.0 - beta1));
    kept(state.second, state.second.mul(beta2).addcmul_(gradient, gradient, 1.0 - beta2));
    const auto scale = state.second.sqrt().div_(state.root).add_(epsilon);
    const auto move = state.first.div(scale).mul_(state.rate);
    weights.add_(at::where(finite, move, at::zeros({}, move.options())));
  }

  void step(at::Tensor& weights, const at::Tensor& gradient, State& state) const {
    prepare(state);
    apply(weights, gradient, state);
  }
};

}  // namespace cleave::strategy
