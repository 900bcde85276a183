#pragma once

#include <cleave/strategy/concept.hpp>
#include <cleave/strategy/optimisers.hpp>
#include <cleave/torch.hpp>

namespace cleave::strategy {

/// One optimiser step on the weights that `sgd` has prepared: cross entropy of a batch under a
/// context that asks for no gradient of its own.
template <Supernet Net>
StepReport apply_weight_step(Net& net, const typename Net::Context& context,
                             const data::Batch& batch, const Sgd& sgd, Sgd::State& moments) {
  net.arena().gradients().zero_();
  const auto loss = at::cross_entropy_loss(net.forward(batch.images, context), batch.labels);
  loss.backward();
  return {.loss = loss.detach(), .gradient_norm = sgd.apply(net.arena(), moments)};
}

/// The same with the preparation.
template <Supernet Net>
StepReport weight_step(Net& net, const typename Net::Context& context, const data::Batch& batch,
                       const Sgd& sgd, Sgd::State& moments, double progress) {
  sgd.prepare(moments, progress);
  return apply_weight_step(net, context, batch, sgd, moments);
}

/// A child's momentum: its parent's, weight by weight.
template <Supernet Net>
[[nodiscard]] Sgd::State inherit_moments(const Net& parent, const Sgd::State& moments,
                                         const Net& child, const Sgd& sgd) {
  auto result = sgd.start(child.arena());
  child.arena().inherit(parent.arena(), moments.momentum, result.momentum);
  return result;
}

}  // namespace cleave::strategy
