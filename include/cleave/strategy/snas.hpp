#pragma once

#include <cleave/strategy/alphas.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::strategy {

/// A straight line from `first` at progress 0 to `last` at progress 1 of the phase.
struct LinearTemperature {
  double first = 1.0;
  double last = 0.1;

  template <class F>
  void fields(F&& field) const {
    field("first", first);
    field("last", last);
  }

  [[nodiscard]] double at(double progress) const noexcept {
    return first + (last - first) * progress;
  }
};

/// SNAS (Xie, Zheng, Liu, Lin, ICLR 2019): the options of every decision are weighed by a sample of
/// the concrete distribution over the allowed ones,
///
///     softmax((log softmax(alpha) + g) / temperature),   g standard Gumbel, a new one every step,
///
/// whose heaviest option is o with probability softmax(alpha)_o at any temperature, and which falls
/// to one option alone as the temperature does. Gradients go through the sample to alpha.
///
/// As in the public code, and unlike the SNAS paper, weights and alpha train on halves of their
/// own, each with its own sample. Numbers: method.md section 3; the DARTS space cools to 0.03.
struct Snas {
  static constexpr std::string_view name = "SNAS";

  Sgd weights{};
  Adam alpha{};
  double alpha_mean = 1.0;  ///< alpha starts normal around this
  double alpha_deviation = 0.01;
  LinearTemperature temperature{};
  template <class F>
  void fields(F&& field) const {
    field("weights", weights);
    field("alpha", alpha);
    field("alpha_mean", alpha_mean);
    field("alpha_deviation", alpha_deviation);
    field("temperature", temperature);
  }

  template <class Net>
  struct State : AlphaState {
    double temperature = 1;  ///< of the last step; scoring samples at it
    // Of the step under way, from `prepare`; not saved
    at::Tensor search_noise{};   ///< [decision_count, max_options]
    at::Tensor weights_noise{};  ///< the same
    at::Tensor cooled{};         ///< the temperature, a scalar

    template <class F>
    void fields(F&& field) {
      AlphaState::fields(field);
      field("temperature", temperature);
    }
  };

  /// Throws `ValueError` for a temperature that is not positive.
  template <MixtureSupernet Net>
  [[nodiscard]] State<Net> start(const Net& net, Stream stream) const {
    for (const double t : {temperature.first, temperature.last})
      if (!(t > 0)) throw ValueError(fmt::format("SNAS: temperature {}, it must be positive", t));
    return {start_alphas(net, weights, alpha, alpha_mean, alpha_deviation, stream),
            temperature.first};
  }

  /// Gumbel noise for every option, [decision_count, max_options]; from the host, so that it is the
  /// same on every device.
  [[nodiscard]] static at::Tensor noise(const AlphaState& state, Stream stream) {
    std::vector<double> draws(static_cast<std::size_t>(state.alpha.numel()));
    for (auto& draw : draws) draw = stream.gumbel();
    return at::tensor(draws, at::kDouble)
        .view(state.alpha.sizes())
        .to(state.alpha.options().requires_grad(false));
  }

  /// The sample that this noise makes of alpha at a temperature, a number or a scalar tensor; 0 for
  /// options outside the restriction.
  template <class S, class Temperature>
  [[nodiscard]] static at::Tensor sample(const S& state, const at::Tensor& alpha,
                                         const at::Tensor& noise, const Temperature& temperature) {
    return alpha.add(state.closed).log_softmax(1).add(noise).div(temperature).softmax(1);
  }
  template <class S>
  [[nodiscard]] static at::Tensor sample(const S& state, const at::Tensor& alpha,
                                         const at::Tensor& noise) {
    return sample(state, alpha, noise, state.temperature);
  }

  /// What the host has to do with a step.
  template <class S>
  void prepare(S& state, const TrainingStep& step, Stream stream) const {
    const auto keep = [](at::Tensor& kept, const at::Tensor& fresh) {
      kept.defined() ? kept.copy_(fresh) : kept = fresh;
    };
    state.temperature = temperature.at(step.progress);
    tell(state.cooled, state.temperature, state.weight_moments.momentum);
    if (step.update_architecture) {
      keep(state.search_noise, noise(state, stream.fork("search")));
      alpha.prepare(state.alpha_moments);
    }
    keep(state.weights_noise, noise(state, stream.fork("weights")));
    weights.prepare(state.weight_moments, step.progress);
  }

  /// The rest of it.
  template <MixtureSupernet Net>
  StepReport apply(Net& net, State<Net>& state, const TrainingStep& step) const {
    at::Tensor search_loss;
    if (step.update_architecture) {
      const auto [loss, gradient] =
          alpha_gradient(net, state, step.search, state.search_noise, state.cooled);
      search_loss = loss;
      auto table = state.alpha.detach();
      alpha.apply(table, gradient, state.alpha_moments);
    }
    const auto table = sample(state, state.alpha.detach(), state.weights_noise, state.cooled);
    auto report =
        apply_weight_step(net, weighed_by(net, table), step.weights, weights, state.weight_moments);
    report.search_loss = search_loss;
    return report;
  }

  template <MixtureSupernet Net>
  StepReport step(Net& net, State<Net>& state, const TrainingStep& step, Stream stream) const {
    prepare(state, step, stream);
    return apply(net, state, step);
  }

  /// The loss of a batch under the sample of this noise, and its gradient in alpha; the weights are
  /// taken as they are (first order).
  template <MixtureSupernet Net, class Temperature>
  [[nodiscard]] static std::pair<at::Tensor, at::Tensor> alpha_gradient(
      const Net& net, const State<Net>& state, const data::Batch& batch, const at::Tensor& noise,
      const Temperature& temperature) {
    const auto loss = loss_of(net, sample(state, state.alpha, noise, temperature), batch);
    return {loss.detach(), gradient_of(loss, state.alpha)};
  }
  template <MixtureSupernet Net>
  [[nodiscard]] static std::pair<at::Tensor, at::Tensor> alpha_gradient(const Net& net,
                                                                        const State<Net>& state,
                                                                        const data::Batch& batch,
                                                                        const at::Tensor& noise) {
    return alpha_gradient(net, state, batch, noise, state.temperature);
  }

  template <MixtureSupernet Net>
  [[nodiscard]] State<Net> inherit(const Net& parent, const State<Net>& state,
                                   const Net& child) const {
    return {inherit_alphas(parent, state, child, weights), state.temperature};
  }

  /// One sample at the temperature reached; gradient matching keeps it for all options of a repeat.
  template <MixtureSupernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const State<Net>& state,
                                              Stream stream) const {
    return weighed_by(net, sample(state, state.alpha.detach(), noise(state, stream)));
  }

  template <MixtureSupernet Net>
  [[nodiscard]] Genotype<typename Net::Space> derive(const Net& net, const State<Net>& state,
                                                     const Judge<Net>&, Stream) const {
    return derive_by_probability(net, state);
  }

  /// softmax(alpha) on the host, [decision_count, max_options].
  template <MixtureSupernet Net>
  [[nodiscard]] static std::vector<double> option_weights(const Net&, const State<Net>& state) {
    return strategy::option_weights(state);
  }
};

}  // namespace cleave::strategy
