#pragma once

#include <cleave/strategy/concept.hpp>
#include <cleave/strategy/optimisers.hpp>
#include <cleave/supernet/mixture.hpp>
#include <limits>
#include <span>
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
  struct State {
    at::Tensor alpha;  ///< [decision_count, max_options]; columns of absent options are not used
    Adam::State alpha_moments;
    Sgd::State weight_moments;
    at::Tensor closed;  ///< what the restriction says; made by `start`, so not a field to save

    template <class F>
    void fields(F&& field) {
      field("alpha", alpha);
      field("alpha_moments", alpha_moments);
      field("weight_moments", weight_moments);
    }
  };

  template <MixtureSupernet Net>
  [[nodiscard]] State<Net> start(const Net& net, Stream stream) const {
    using Space = typename Net::Space;
    std::vector<double> draws(Space::decision_count * max_options<Space>);
    for (auto& draw : draws) draw = alpha_deviation * stream.normal();
    const auto table =
        torch::tensor(draws, torch::kDouble)
            .view({static_cast<std::int64_t>(Space::decision_count), -1})
            .to(net.arena().values().options())
            .set_requires_grad(true);
    return {table, alpha.start(table.detach()), weights.start(net.arena()),
            closed_options(net, table)};
  }

  /// softmax(alpha) over the options the restriction allows; 0 elsewhere. [decisions, options]
  template <MixtureSupernet Net>
  [[nodiscard]] static at::Tensor probabilities(const State<Net>& state, const at::Tensor& alpha) {
    return alpha.add(state.closed).softmax(1);
  }

  template <MixtureSupernet Net>
  StepReport step(Net& net, State<Net>& state, const TrainingStep& step, Stream) const {
    StepReport report;
    if (step.update_architecture) {
      const auto [loss, gradient] = alpha_gradient(net, state, step);
      report.search_loss = loss;
      auto table = state.alpha.detach();
      alpha.step(table, gradient, state.alpha_moments);
    }
    net.arena().gradients().zero_();
    const auto loss = loss_of(net, state, state.alpha.detach(), step.weights);
    loss.backward();
    report.loss = loss.detach();
    report.gradient_norm = weights.step(net.arena(), state.weight_moments, step.progress);
    return report;
  }

  /// The loss on the search batch and its gradient in alpha, of the chosen order. Weights
  /// and all moments are as before when it returns; the gradients' buffer is scratch space.
  template <MixtureSupernet Net>
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> alpha_gradient(const Net& net,
                                                                 const State<Net>& state,
                                                                 const TrainingStep& step) const {
    if constexpr (std::same_as<Order, FirstOrder>) {
      const auto loss = loss_of(net, state, state.alpha, step.search);
      return {loss.detach(), gradient_of(loss, state.alpha)};
    } else {
      return unrolled_gradient(net, state, step);
    }
  }

  template <MixtureSupernet Net>
  [[nodiscard]] State<Net> inherit(const Net& parent, const State<Net>& state,
                                   const Net& child) const {
    State<Net> result = start(child, Stream(0));
    result.alpha = state.alpha.detach().clone().set_requires_grad(true);
    result.alpha_moments = {state.alpha_moments.first.clone(), state.alpha_moments.second.clone(),
                            state.alpha_moments.steps};
    child.arena().inherit(parent.arena(), state.weight_moments.momentum,
                          result.weight_moments.momentum);
    return result;
  }

  /// Gradient matching on NASBench-201 scores under softmax(alpha); near uniform while frozen.
  template <MixtureSupernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const State<Net>& state,
                                              Stream) const {
    return Net::Context::weighted(net.restriction(),
                                  probabilities(state, state.alpha.detach()));
  }

  template <MixtureSupernet Net>
  [[nodiscard]] Genotype<typename Net::Space> derive(const Net& net, const State<Net>& state,
                                                     const Judge<Net>&, Stream) const {
    const auto table = option_weights(net, state);
    return cleave::derive<typename Net::Space>(std::span<const double>(table), net.restriction());
  }

  /// softmax(alpha) on the host, [decision_count, max_options].
  template <MixtureSupernet Net>
  [[nodiscard]] static std::vector<double> option_weights(const Net&, const State<Net>& state) {
    const at::Tensor table =
        probabilities(state, state.alpha.detach()).to(at::kCPU, at::kDouble).contiguous();
    const double* first = table.template const_data_ptr<double>();
    return {first, first + table.numel()};
  }

 private:
  /// 0 for allowed options, -infinity for the others.
  template <class Net>
  static at::Tensor closed_options(const Net& net, const at::Tensor& alpha) {
    using Space = typename Net::Space;
    std::vector<float> mask(Space::decision_count * max_options<Space>, 0.0F);
    bool any = false;
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      for (std::size_t o = 0; o < max_options<Space>; ++o)
        if (!net.restriction()[DecisionId(d)].contains(OptionId(o))) {
          mask[d * max_options<Space> + o] = -std::numeric_limits<float>::infinity();
          any = true;
        }
    if (!any) return at::zeros({1}, alpha.options().requires_grad(false));
    return torch::tensor(mask).view(alpha.sizes()).to(alpha.options().requires_grad(false));
  }

  /// d loss / d alpha; zero where no active option depends on alpha (every edge held at none).
  static at::Tensor gradient_of(const at::Tensor& loss, const at::Tensor& alpha) {
    const auto gradient = torch::autograd::grad({loss}, {alpha}, {}, std::nullopt, false,
                                                /*allow_unused=*/true)[0];
    return gradient.defined() ? gradient : at::zeros_like(alpha);
  }

  template <class Net>
  static at::Tensor loss_of(const Net& net, const State<Net>& state, const at::Tensor& alpha,
                            const data::Batch& batch) {
    const auto context =
        Net::Context::weighted(net.restriction(), probabilities(state, alpha));
    return at::cross_entropy_loss(net.forward(batch.images, context), batch.labels);
  }

  template <class Net>
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> unrolled_gradient(
      const Net& net, const State<Net>& state, const TrainingStep& step) const {
    const auto& arena = net.arena();
    auto values = arena.values();
    const auto frozen = state.alpha.detach();
    const auto rate = weights.rate.at(step.progress);

    // w' in place; `before` brings w back bit for bit.
    const auto before = values.clone();
    arena.gradients().zero_();
    loss_of(net, state, frozen, step.weights).backward();
    {
      const at::NoGradGuard no_grad;
      values.sub_(arena.gradients()
                      .add(before, weights.weight_decay)
                      .add_(state.weight_moments.momentum, weights.momentum),
                  rate);
    }
    arena.gradients().zero_();
    const auto loss = loss_of(net, state, state.alpha, step.search);
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
      return gradient_of(loss_of(net, state, state.alpha, step.weights), state.alpha);
    };
    const auto plus = gradient_at(shifted, 1.0);
    const auto minus = gradient_at(shifted, -1.0);
    values.copy_(before);
    arena.gradients().zero_();
    return {loss.detach(), alpha_part.sub(plus.sub(minus).div(epsilon.mul(2)).mul(rate))};
  }
};

}  // namespace cleave::strategy
