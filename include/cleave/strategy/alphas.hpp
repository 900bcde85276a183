#pragma once

#include <cleave/strategy/weight_step.hpp>
#include <cleave/supernet/mixture.hpp>
#include <limits>
#include <span>
#include <vector>

namespace cleave::strategy {

/// What DARTS and SNAS keep between steps: a score alpha for every option, and the moments of the
/// two optimisers.
struct AlphaState {
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

/// 0 for allowed options, -infinity for the others: what is added to alpha before a softmax.
template <SearchSpace Space>
[[nodiscard]] at::Tensor closed_options(const Restriction<Space>& allowed,
                                        const at::Tensor& alpha) {
  std::vector<float> mask(Space::decision_count * max_options<Space>, 0.0F);
  bool any = false;
  for (std::size_t d = 0; d < Space::decision_count; ++d)
    for (std::size_t o = 0; o < max_options<Space>; ++o)
      if (!allowed[DecisionId(d)].contains(OptionId(o))) {
        mask[d * max_options<Space> + o] = -std::numeric_limits<float>::infinity();
        any = true;
      }
  if (!any) return at::zeros({1}, alpha.options().requires_grad(false));
  return at::tensor(mask).view(alpha.sizes()).to(alpha.options().requires_grad(false));
}

/// Alphas drawn from N(mean, deviation^2), and optimisers at rest.
template <MixtureSupernet Net>
[[nodiscard]] AlphaState start_alphas(const Net& net, const Sgd& weights, const Adam& adam,
                                      double mean, double deviation, Stream stream) {
  using Space = typename Net::Space;
  std::vector<double> draws(Space::decision_count * max_options<Space>);
  for (auto& draw : draws) draw = mean + deviation * stream.normal();
  const auto table = at::tensor(draws, at::kDouble)
                         .view({static_cast<std::int64_t>(Space::decision_count), -1})
                         .to(net.arena().values().options())
                         .set_requires_grad(true);
  return {table, adam.start(table.detach()), weights.start(net.arena()),
          closed_options(net.restriction(), table)};
}

/// What a child goes on with: the parent's alphas and moments, behind its own restriction.
template <MixtureSupernet Net>
[[nodiscard]] AlphaState inherit_alphas(const Net& parent, const AlphaState& state,
                                        const Net& child, const Sgd& weights) {
  return {state.alpha.detach().clone().set_requires_grad(true),
          {state.alpha_moments.first.clone(), state.alpha_moments.second.clone(),
           state.alpha_moments.steps},
          inherit_moments(parent, state.weight_moments, child, weights),
          closed_options(child.restriction(), state.alpha)};
}

/// softmax(alpha) over the options the restriction allows; 0 elsewhere. [decisions, options]
[[nodiscard]] inline at::Tensor probabilities(const AlphaState& state, const at::Tensor& alpha) {
  return alpha.add(state.closed).softmax(1);
}

/// softmax(alpha) on the host, row-major [decision_count, max_options].
[[nodiscard]] inline std::vector<double> option_weights(const AlphaState& state) {
  const at::Tensor table =
      probabilities(state, state.alpha.detach()).to(at::kCPU, at::kDouble).contiguous();
  const double* first = table.const_data_ptr<double>();
  return {first, first + table.numel()};
}

/// The genotype of the most probable options.
template <MixtureSupernet Net>
[[nodiscard]] Genotype<typename Net::Space> derive_by_probability(const Net& net,
                                                                  const AlphaState& state) {
  const auto table = option_weights(state);
  return cleave::derive<typename Net::Space>(std::span<const double>(table), net.restriction());
}

/// All allowed options, weighed by a table.
template <MixtureSupernet Net>
[[nodiscard]] typename Net::Context weighed_by(const Net& net, const at::Tensor& table) {
  return Net::Context::weighted(net.restriction(), table);
}

/// Cross entropy of a batch when the options are weighed by a table.
template <MixtureSupernet Net>
[[nodiscard]] at::Tensor loss_of(const Net& net, const at::Tensor& table,
                                 const data::Batch& batch) {
  return at::cross_entropy_loss(net.forward(batch.images, weighed_by(net, table)), batch.labels);
}

/// d loss / d alpha and nothing else; zero where no active option depends on alpha (every edge held
/// at none).
[[nodiscard]] inline at::Tensor gradient_of(const at::Tensor& loss, const at::Tensor& alpha) {
  const auto gradient = torch::autograd::grad({loss}, {alpha}, {}, std::nullopt, false,
                                              /*allow_unused=*/true)[0];
  return gradient.defined() ? gradient : at::zeros_like(alpha);
}

}  // namespace cleave::strategy
