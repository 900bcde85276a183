#pragma once

#include <cleave/strategy/alphas.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::strategy {

/// dL_val(w, alpha) / d alpha: the weights are taken as they are (DARTS, section 2.3, xi = 0).
struct FirstOrder {
  static constexpr std::string_view name = "first order";
};

/// The gradient through one unrolled weight step (DARTS, equations 6 to 8):
///
///     w' = w - rate (momentum m + dL_train(w)/dw + decay w)
///     dL_val(w', alpha)/d alpha - rate (dL_train(w+)/d alpha - dL_train(w-)/d alpha) / (2 e)
///     w+- = w +- e dL_val(w', alpha)/dw',   e = radius / |dL_val/dw'|
///
/// Weights are perturbed in place and restored: no second model.
struct SecondOrder {
  static constexpr std::string_view name = "second order";
  double radius = 0.01;
  template <class F>
  void fields(F&& field) const {
    field("radius", radius);
  }
};

/// DARTS (Liu, Simonyan, Yang, ICLR 2019): every decision is a softmax over its allowed options;
/// weights and alpha take turns on the two halves of the train part.
template <class Order = SecondOrder>
struct Darts {
  static constexpr std::string_view name = "DARTS";

  Sgd weights{};
  Adam alpha{};
  double alpha_deviation = 1e-3;  ///< alpha starts as this times a standard normal
  Order order{};
  template <class F>
  void fields(F&& field) const {
    field("weights", weights);
    field("alpha", alpha);
    field("alpha_deviation", alpha_deviation);
    field("order", order);
  }

  template <class Net>
  using State = AlphaState;

  template <MixtureSupernet Net>
  [[nodiscard]] AlphaState start(const Net& net, Stream stream) const {
    return start_alphas(net, weights, alpha, 0.0, alpha_deviation, stream);
  }

  /// softmax(alpha) over the options the restriction allows; 0 elsewhere. [decisions, options]
  [[nodiscard]] static at::Tensor probabilities(const AlphaState& state, const at::Tensor& alpha) {
    return strategy::probabilities(state, alpha);
  }

  /// What the host has to do with a step.
  void prepare(AlphaState& state, const TrainingStep& step, Stream) const {
    if (step.update_architecture) alpha.prepare(state.alpha_moments);
    weights.prepare(state.weight_moments, step.progress);
  }

  /// The rest of it.
  template <MixtureSupernet Net>
  StepReport apply(Net& net, AlphaState& state, const TrainingStep& step) const {
    at::Tensor search_loss;
    if (step.update_architecture) {
      const auto [loss, gradient] = alpha_gradient(net, state, step, state.weight_moments.rate);
      search_loss = loss;
      auto table = state.alpha.detach();
      alpha.apply(table, gradient, state.alpha_moments);
    }
    auto report = apply_weight_step(net, context(net, state, {}), step.weights, weights,
                                    state.weight_moments);
    report.search_loss = search_loss;
    return report;
  }

  template <MixtureSupernet Net>
  StepReport step(Net& net, AlphaState& state, const TrainingStep& step, Stream stream) const {
    prepare(state, step, stream);
    return apply(net, state, step);
  }

  /// The loss on the search batch and its gradient in alpha, of the chosen order. Weights
  /// and all moments are as before when it returns; the gradients' buffer is scratch space.
  template <MixtureSupernet Net>
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> alpha_gradient(const Net& net,
                                                                 const AlphaState& state,
                                                                 const TrainingStep& step) const {
    at::Tensor rate;
    tell(rate, weights.rate_at(state.weight_moments, step.progress), net.arena().values());
    return alpha_gradient(net, state, step, rate);
  }

  template <MixtureSupernet Net>
  [[nodiscard]] AlphaState inherit(const Net& parent, const AlphaState& state,
                                   const Net& child) const {
    return inherit_alphas(parent, state, child, weights);
  }

  /// Gradient matching on NASBench-201 scores under softmax(alpha); near uniform while frozen.
  template <MixtureSupernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const AlphaState& state,
                                              Stream) const {
    return weighed_by(net, probabilities(state, state.alpha.detach()));
  }

  template <MixtureSupernet Net>
  [[nodiscard]] Genotype<typename Net::Space> derive(const Net& net, const AlphaState& state,
                                                     const Judge<Net>&, Stream) const {
    return derive_by_probability(net, state);
  }

  /// softmax(alpha) on the host, [decision_count, max_options].
  template <MixtureSupernet Net>
  [[nodiscard]] static std::vector<double> option_weights(const Net&, const AlphaState& state) {
    return strategy::option_weights(state);
  }

 private:
  /// `rate`, a scalar tensor, is that of the unrolled step.
  template <class Net>
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> alpha_gradient(const Net& net,
                                                                 const AlphaState& state,
                                                                 const TrainingStep& step,
                                                                 const at::Tensor& rate) const {
    if constexpr (std::same_as<Order, FirstOrder>) {
      const auto loss = loss_of(net, probabilities(state, state.alpha), step.search);
      return {loss.detach(), gradient_of(loss, state.alpha)};
    } else {
      return unrolled_gradient(net, state, step, rate);
    }
  }

  template <class Net>
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> unrolled_gradient(const Net& net,
                                                                    const AlphaState& state,
                                                                    const TrainingStep& step,
                                                                    const at::Tensor& rate) const {
    const auto& arena = net.arena();
    auto values = arena.values();
    const auto frozen = state.alpha.detach();

    // w' in place; `before` brings w back bit for bit.
    const auto before = values.clone();
    arena.gradients().zero_();
    loss_of(net, probabilities(state, frozen), step.weights).backward();
    {
      const at::NoGradGuard no_grad;
      values.addcmul_(arena.gradients()
                          .add(before, weights.weight_decay)
                          .add_(state.weight_moments.momentum, weights.momentum),
                      rate, -1);
    }
    arena.gradients().zero_();
    const auto loss = loss_of(net, probabilities(state, state.alpha), step.search);
    auto inputs = arena.weights();
    inputs.push_back(state.alpha);
    auto alpha_part = state.alpha.detach().clone().zero_();
    state.alpha.mutable_grad() = alpha_part;
    torch::autograd::backward({loss}, {}, false, false, inputs);
    state.alpha.mutable_grad().reset();

    const at::NoGradGuard outside;
    const auto direction = arena.gradients().clone();
    const auto epsilon = direction.norm().reciprocal().mul(order.radius);
    const auto shifted = direction.mul(epsilon);
    const auto gradient_at = [&](const at::Tensor& shift, double sign) {
      values.copy_(before).add_(shift, sign);
      const at::AutoGradMode with_grad(true);
      const auto loss_there = loss_of(net, probabilities(state, state.alpha), step.weights);
      return gradient_of(loss_there, state.alpha);
    };
    const auto plus = gradient_at(shifted, 1.0);
    const auto minus = gradient_at(shifted, -1.0);
    values.copy_(before);
    arena.gradients().zero_();
    return {loss.detach(), alpha_part.sub(plus.sub(minus).div(epsilon.mul(2)).mul(rate))};
  }
};

}  // namespace cleave::strategy
