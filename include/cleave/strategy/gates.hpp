#pragma once

#include <algorithm>
#include <array>
#include <cleave/strategy/alphas.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::strategy {

/// What options cost, for terms that weigh cost against loss: a network costs `fixed` plus the
/// entries of its options. table: [decision_count, max_options].
struct OptionCosts {
  at::Tensor table;
  double fixed = 0;
  double least = 0;  ///< of the cheapest network

  /// Of the average network under option probabilities; a scalar.
  [[nodiscard]] at::Tensor expected(const at::Tensor& probabilities) const {
    return probabilities.mul(table).sum().add(fixed);
  }
};

/// An option of a decision, drawn with the probability the table [decision_count, max_options]
/// gives it among `options`.
template <SearchSpace S>
[[nodiscard]] OptionId draw_option(std::span<const double> table, DecisionId decision,
                                   OptionSet options, Stream& stream) {
  const auto row = table.subspan(decision.index() * max_options<S>, max_options<S>);
  double total = 0;
  for (const auto option : options) total += row[option.index()];
  double left = stream.uniform() * total;
  OptionId last = options.nth(0);
  for (const auto option : options) {
    if (!(row[option.index()] > 0)) continue;
    last = option;
    left -= row[option.index()];
    if (left < 0) break;
  }
  return last;
}

/// One path, every decision drawn by itself.
template <SearchSpace S>
[[nodiscard]] Architecture<S> draw_path(std::span<const double> table,
                                        const Restriction<S>& allowed, Stream& stream) {
  Architecture<S> path;
  for (std::size_t d = 0; d < S::decision_count; ++d)
    path.set(DecisionId(d), draw_option<S>(table, DecisionId(d), allowed[DecisionId(d)], stream));
  return path;
}

/// How the gradient of two gates becomes one of alpha.
enum class GateRule : std::uint8_t {
  Unbiased,  ///< its expectation is the gradient of the expected loss, for a loss linear in the
             ///< gates
  Literal,   ///< the public code's: softmax over the two, and the open one drawn by it
};

/// Two options of every decision that has two: the gate of the first is open, the other's shut.
template <SearchSpace S>
struct GatePairs {
  std::array<std::pair<OptionId, OptionId>, S::decision_count> of{};  ///< equal: no choice

  /// Draws the open option by its probability and its partner by probability among the others.
  [[nodiscard]] static GatePairs draw(std::span<const double> table, const Restriction<S>& allowed,
                                      GateRule rule, Stream& stream) {
    GatePairs pairs;
    for (std::size_t d = 0; d < S::decision_count; ++d) {
      const DecisionId decision(d);
      const auto options = allowed[decision];
      const auto open = draw_option<S>(table, decision, options, stream);
      const auto others = options - OptionSet{open};
      const auto shut = others.empty() ? open : draw_option<S>(table, decision, others, stream);
      pairs.of[d] = {open, shut};
      if (rule == GateRule::Literal && open != shut &&
          draw_option<S>(table, decision, OptionSet{open, shut}, stream) == shut)
        std::swap(pairs.of[d].first, pairs.of[d].second);
    }
    return pairs;
  }

  /// Gates [decision_count, max_options]: 1 where open, 0 elsewhere.
  [[nodiscard]] at::Tensor gates(const at::TensorOptions& options) const {
    std::vector<float> open(S::decision_count * max_options<S>, 0.0F);
    for (std::size_t d = 0; d < S::decision_count; ++d)
      open[d * max_options<S> + of[d].first.index()] = 1.0F;
    return at::tensor(open).view({static_cast<std::int64_t>(S::decision_count), -1}).to(options);
  }

  /// Both options of each pair active, weighed by the gates.
  [[nodiscard]] Mixture<S> mixture(const at::Tensor& gates) const {
    Mixture<S> mixture;
    mixture.weights = gates;
    for (std::size_t d = 0; d < S::decision_count; ++d)
      mixture.active[d] = OptionSet{of[d].first, of[d].second};
    return mixture;
  }

  /// Columns of the open and of the shut options, [decision_count, 2] (int64).
  [[nodiscard]] at::Tensor columns(at::Device device) const {
    std::vector<std::int64_t> numbers;
    for (const auto& [open, shut] : of) {
      numbers.push_back(static_cast<std::int64_t>(open.index()));
      numbers.push_back(static_cast<std::int64_t>(shut.index()));
    }
    return at::tensor(numbers, at::kLong).view({-1, 2}).to(device);
  }

  /// dL/dalpha [decision_count, max_options] from gate gradients of that shape: for a pair (a, b)
  ///
  ///     w (g_a - g_b) for a, the opposite for b, 0 for the others,
  ///     w = (1 - p_a) (1 - p_b) / (2 - p_a - p_b)   (Unbiased)
  ///     w = p_a p_b / (p_a + p_b)^2                 (Literal)
  ///
  /// The pair comes up with probability p_a p_b (1/(1-p_a) + 1/(1-p_b)), so the first w makes the
  /// expectation sum_b p_a p_b (g_a - g_b), the gradient through softmax. With two options the
  /// rules agree.
  [[nodiscard]] at::Tensor alpha_gradient(const at::Tensor& gate_gradients,
                                          const at::Tensor& probabilities, GateRule rule) const {
    const auto where = columns(gate_gradients.device());
    const auto g = gate_gradients.gather(1, where);  // [D, 2]
    const auto p = probabilities.gather(1, where);
    const auto one = p.select(1, 0);
    const auto other = p.select(1, 1);
    const auto rest = p.neg().add(1).clamp_min(0);
    const auto weight = rule == GateRule::Unbiased
                            ? rest.prod(1).div(rest.sum(1).clamp_min(1e-12))
                            : one.mul(other).div(one.add(other).square().clamp_min(1e-30));
    // A decision without a choice has the same column twice, and g - g = 0.
    const auto pull = g.select(1, 0).sub(g.select(1, 1)).mul(weight);
    return at::zeros_like(gate_gradients).scatter_add(1, where, at::stack({pull, pull.neg()}, 1));
  }

  /// After alpha moved: shifts each pair so that the two keep the probability they had together
  /// (ProxylessNAS, section 3.2.1). Changes `alpha` in place.
  void rescale(at::Tensor& alpha, const at::Tensor& before) const {
    const at::NoGradGuard no_grad;
    const auto where = columns(alpha.device());
    const auto shift =
        alpha.gather(1, where).logsumexp(1).sub(before.gather(1, where).logsumexp(1));
    for (std::int64_t side = 0; side < 2; ++side) {
      const auto column = where.narrow(1, side, 1);
      const auto moved = alpha.gather(1, column).sub(shift.unsqueeze(1));
      if (side == 0)
        alpha.scatter_(1, column, moved);
      else  // a decision without a choice has been moved already
        alpha.scatter_(1, column,
                       at::where(column.eq(where.narrow(1, 0, 1)), alpha.gather(1, column), moved));
    }
  }
};

/// The loss alone.
struct NoCost {
  static constexpr std::string_view name = "no cost";
  [[nodiscard]] at::Tensor operator()(const at::Tensor& loss, const at::Tensor&) const {
    return loss;
  }
};

/// loss + weight (cost - reference) / reference.
struct AddLinear {
  static constexpr std::string_view name = "add-linear";
  double weight = 0.1;
  double reference = 320e6;
  template <class F>
  void fields(F&& field) const {
    field("weight", weight);
    field("reference", reference);
  }
  void check(const OptionCosts&) const {
    if (!(reference > 0))
      throw ValueError(fmt::format("add-linear: reference {}, it must be above 0", reference));
  }
  [[nodiscard]] at::Tensor operator()(const at::Tensor& loss, const at::Tensor& cost) const {
    return loss.add(cost.sub(reference), weight / reference);
  }
};

/// loss * alpha (log cost / log reference)^beta.
struct MulLog {
  static constexpr std::string_view name = "mul-log";
  double alpha = 0.2;
  double beta = 0.3;
  double reference = 320e6;
  template <class F>
  void fields(F&& field) const {
    field("alpha", alpha);
    field("beta", beta);
    field("reference", reference);
  }
  /// Costs whose logarithm is not positive have no such power.
  void check(const OptionCosts& costs) const {
    if (!(reference > 1 && costs.least > 1))
      throw ValueError(
          fmt::format("mul-log: reference {} and cheapest network {}, both must be above "
                      "1; count in smaller units",
                      reference, costs.least));
  }
  [[nodiscard]] at::Tensor operator()(const at::Tensor& loss, const at::Tensor& cost) const {
    return loss.mul(cost.log().div(std::log(reference)).pow(beta).mul(alpha));
  }
};

/// How the expected cost of the network enters the loss.
///
/// Requirements on a const object: `C::name` and `term(loss, cost)`, scalars, differentiable.
/// Optional: `check(costs)`, which throws `ValueError` when the term has no value for them.
/// Models: NoCost, AddLinear, MulLog (ProxylessNAS, section 3.3).
template <class C>
concept CostTerm = requires(const C& term, const at::Tensor& loss, const at::Tensor& cost) {
  { C::name } -> std::convertible_to<std::string_view>;
  { term(loss, cost) } -> std::same_as<at::Tensor>;
};

static_assert(CostTerm<NoCost> && CostTerm<AddLinear> && CostTerm<MulLog>);

/// Alpha moves by the gradient of binary gates: two paths per decision in memory, one of them open
/// (ProxylessNAS, section 3.2). The cost enters through the gates too.
template <CostTerm Cost = NoCost>
struct GateGradient {
  static constexpr std::string_view name = "gate gradient";
  Cost cost{};
  GateRule rule = GateRule::Unbiased;
  template <class F>
  void fields(F&& field) const {
    field("cost", cost);
    field("rule", rule);
  }

  void check(const OptionCosts& costs) const {
    if constexpr (requires { cost.check(costs); }) cost.check(costs);
  }

  /// Moves alpha by one step on a batch; returns the loss, cost included.
  template <MixtureSupernet Net, class State>
  at::Tensor step(const Net& net, State& state, const Adam& adam, const OptionCosts& costs,
                  const data::Batch& batch, std::span<const double> table, Stream stream) const {
    using Space = typename Net::Space;
    const auto pairs = GatePairs<Space>::draw(table, net.restriction(), rule, stream);
    const auto chances = probabilities(state, state.alpha.detach());
    const auto [loss, gradients] = gate_gradients(net, pairs, chances, costs, batch);
    auto alpha = state.alpha.detach();
    const auto before = alpha.clone();
    adam.step(alpha, pairs.alpha_gradient(gradients, chances, rule), state.alpha_moments);
    pairs.rescale(alpha, before);
    return loss;
  }

  /// The loss with both paths of every decision in memory, and its gradient in the gates.
  template <MixtureSupernet Net, class Pairs>
  [[nodiscard]] std::pair<at::Tensor, at::Tensor> gate_gradients(const Net& net, const Pairs& pairs,
                                                                 const at::Tensor& chances,
                                                                 const OptionCosts& costs,
                                                                 const data::Batch& batch) const {
    const auto gates =
        pairs.gates(net.arena().values().options().requires_grad(false)).set_requires_grad(true);
    const auto entropy =
        at::cross_entropy_loss(net.forward(batch.images, pairs.mixture(gates)), batch.labels);
    // The cost has the value of the average network and the gates' gradient.
    const auto expected = costs.expected(chances.add(gates).sub(gates.detach()));
    const auto loss = cost(entropy, expected);
    return {loss.detach(), torch::autograd::grad({loss}, {gates})[0]};
  }
};

/// Alpha moves by REINFORCE (Williams, 1992): paths drawn from the probabilities are rewarded by
/// their accuracy on one batch, times (cost / reference)^tradeoff,
///
///     gradient = - mean over paths of (reward - baseline) d log p(path) / d alpha,
///
/// where d log p / d alpha is 1 - p for the chosen option and -p for the others. A path's baseline
/// is the mean reward of the step's other paths (Kool, van Hoof, Welling, 2019): it keeps the
/// expectation exact, takes out how easy the batch is, and is right from the first step on; one
/// that starts at 0 and follows slowly rewards whatever is drawn at first. Needs no gradient of the
/// network.
struct Reinforce {
  static constexpr std::string_view name = "reinforce";
  std::size_t paths = 10;  ///< per step, at least 2
  double tradeoff = 0;     ///< negative: dear networks are rewarded less
  double reference = 320e6;
  template <class F>
  void fields(F&& field) const {
    field("paths", paths);
    field("tradeoff", tradeoff);
    field("reference", reference);
  }

  /// Throws `ValueError` for fewer than 2 paths, and for costs without a price.
  void check(const OptionCosts& costs) const {
    if (paths < 2)
      throw ValueError(
          fmt::format("reinforce: {} paths per step, at least 2 are needed (each is "
                      "compared with the others)",
                      paths));
    if (!(reference > 0) || (tradeoff != 0 && !(costs.least > 0)))
      throw ValueError(
          fmt::format("reinforce: reference {} and cheapest network {}, both must be "
                      "above 0",
                      reference, costs.least));
  }

  template <MixtureSupernet Net, class State>
  at::Tensor step(const Net& net, State& state, const Adam& adam, const OptionCosts& costs,
                  const data::Batch& batch, std::span<const double> table, Stream stream) const {
    using Space = typename Net::Space;
    const at::NoGradGuard no_grad;
    const auto chances = probabilities(state, state.alpha);
    std::vector<at::Tensor> chosen;
    std::vector<at::Tensor> rewards;
    std::vector<at::Tensor> losses;
    for (std::size_t i = 0; i < paths; ++i) {
      const auto path = draw_path<Space>(table, net.restriction(), stream);
      const auto logits = net.forward(batch.images, net.context_of(path));
      chosen.push_back(one_hot<Space>(path, chances.options()));
      const auto accuracy = logits.argmax(1).eq(batch.labels).to(chances.scalar_type()).mean();
      const auto price = costs.expected(chosen.back()).div(reference).pow(tradeoff);
      rewards.push_back(accuracy.mul(price));
      losses.push_back(at::cross_entropy_loss(logits, batch.labels));
    }
    auto alpha = state.alpha.detach();
    adam.step(alpha, gradient(chances, at::stack(chosen), at::stack(rewards)), state.alpha_moments);
    return at::stack(losses).mean();
  }

  /// 1 for the options of a path, 0 elsewhere: [decision_count, max_options].
  template <SearchSpace S>
  [[nodiscard]] static at::Tensor one_hot(const Architecture<S>& path,
                                          const at::TensorOptions& options) {
    GatePairs<S> only;
    for (std::size_t d = 0; d < S::decision_count; ++d)
      only.of[d] = {path[DecisionId(d)], path[DecisionId(d)]};
    return only.gates(options);
  }

  /// The gradient that N >= 2 paths stand for. probabilities: [decision_count, max_options],
  /// chosen: [N, decision_count, max_options], rewards: [N].
  [[nodiscard]] static at::Tensor gradient(const at::Tensor& probabilities,
                                           const at::Tensor& chosen, const at::Tensor& rewards) {
    const auto n = static_cast<double>(rewards.size(0));
    // r - (sum - r) / (n - 1), the reward less the mean of the others.
    const auto advantages = rewards.sub(rewards.mean()).mul(n / (n - 1));
    return probabilities.unsqueeze(0).sub(chosen).mul(advantages.view({-1, 1, 1})).mean(0);
  }
};

}  // namespace cleave::strategy
