#pragma once

#include <algorithm>
#include <cleave/space/proxyless.hpp>
#include <cleave/strategy/gates.hpp>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::strategy {

/// ProxylessNAS (Cai, Zhu, Han, ICLR 2019): one path in memory. First the weights train alone on
/// uniform paths; then on paths drawn from softmax(alpha), while every few steps alpha moves on the
/// search half, by gate gradients or by REINFORCE. The leaf's architecture takes the most probable
/// option of every decision. Numbers: method.md section 3.
template <class Update = GateGradient<>>
struct Proxyless {
  static constexpr std::string_view name = "ProxylessNAS";

  Sgd weights{.rate = {0.025, 0.0}, .weight_decay = 4e-5, .clip = 0};  ///< after the warm-up
  double warm_up = 0.25;                 ///< share of the phase that trains weights alone
  CosineRate warm_up_rate{0.05, 0.0};
  Adam alpha{.rate = 1e-3, .beta1 = 0.0, .beta2 = 0.999, .weight_decay = 0.0};
  double alpha_deviation = 1e-3;         ///< alpha starts as this times a standard normal
  std::size_t alpha_every = 5;           ///< steps between two of alpha
  double label_smoothing = 0.1;          ///< of the weights' loss
  Update update{};
  /// What a network costs, for the update: a sum over its blocks, such as a LatencyTable's
  /// prediction; none: its multiply-adds.
  std::function<double(const space::MobileNetwork&)> cost{};
  template <class F>
  void fields(F&& field) const {
    field("weights", weights);
    field("warm_up", warm_up);
    field("warm_up_rate", warm_up_rate);
    field("alpha", alpha);
    field("alpha_deviation", alpha_deviation);
    field("alpha_every", alpha_every);
    field("label_smoothing", label_smoothing);
    field("update", update);
  }

  template <class Net>
  struct State : AlphaState {
    std::size_t steps = 0;      ///< behind, since the warm-up
    bool warm = false;          ///< the warm-up is over
    OptionCosts costs;          ///< made by `start`, so not a field to save
    std::vector<double> table;  ///< probabilities on the host; empty when alpha has moved since

    template <class F>
    void fields(F&& field) {
      AlphaState::fields(field);
      field("steps", steps);
      field("warm", warm);
      table.clear();  // alpha may have been read
    }
  };

  /// Throws `ValueError` for a warm-up outside [0, 1) and for 0 steps between those of alpha.
  template <MixtureSupernet Net>
  [[nodiscard]] State<Net> start(const Net& net, Stream stream) const {
    static_assert(
        requires(State<Net>& state, const data::Batch& batch, std::span<const double> table) {
          {
            update.step(net, state, alpha, state.costs, batch, table, Stream())
          } -> std::same_as<at::Tensor>;
        },
        "Proxyless: an update of alpha needs at::Tensor step(net, state, adam, costs, batch, table, "
        "stream) const (docs/policies.md, Updates of alpha)");
    if (!(warm_up >= 0 && warm_up < 1))
      throw ValueError(fmt::format("proxyless: warm-up {}, allowed 0 up to but not 1", warm_up));
    if (alpha_every == 0)
      throw ValueError("proxyless: alpha moves every 0 steps, at least 1 is needed");
    const auto costs = option_costs(net);
    if constexpr (requires { update.check(costs); }) update.check(costs);
    return {start_alphas(net, weights, alpha, 0.0, alpha_deviation, stream), 0, false, costs, {}};
  }

  template <MixtureSupernet Net>
  StepReport step(Net& net, State<Net>& state, const TrainingStep& step, Stream stream) const {
    using Space = typename Net::Space;
    const bool warm = step.progress >= warm_up;
    state.warm = warm;
    at::Tensor search_loss;
    if (warm && step.update_architecture && ++state.steps % alpha_every == 0) {
      search_loss = update.step(net, state, alpha, state.costs, step.search, host_table(net, state),
                                stream.fork("alpha"));
      state.table.clear();
    }
    auto from = stream.fork("path");
    const auto path = warm ? draw_path<Space>(host_table(net, state), net.restriction(), from)
                           : net.restriction().sample(from);
    auto sgd = weights;
    if (!warm) sgd.rate = warm_up_rate;
    const double progress =
        warm ? (step.progress - warm_up) / (1 - warm_up) : step.progress / warm_up;
    net.arena().gradients().zero_();
    const auto loss = at::cross_entropy_loss(net.forward(step.weights.images, net.context_of(path)),
                                             step.weights.labels, {}, at::Reduction::Mean, -100,
                                             label_smoothing);
    loss.backward();
    return {.loss = loss.detach(),
            .gradient_norm = sgd.step(net.arena(), state.weight_moments, progress),
            .search_loss = search_loss};
  }

  template <MixtureSupernet Net>
  [[nodiscard]] State<Net> inherit(const Net& parent, const State<Net>& state,
                                   const Net& child) const {
    return {inherit_alphas(parent, state, child, weights), state.steps, state.warm,
            option_costs(child), {}};
  }

  /// One path: uniform during the warm-up, later drawn from the probabilities; the probed option is
  /// then alone in its block.
  template <MixtureSupernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const State<Net>& state,
                                              Stream stream) const {
    if (!state.warm) return net.context_of(net.restriction().sample(stream));
    const auto table = strategy::option_weights(state);
    return net.context_of(
        draw_path<typename Net::Space>(table, net.restriction(), stream));
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

  /// What every option adds to the cost of the network in which all decisions are at their first;
  /// zeros for spaces whose architectures are no MobileNets.
  template <MixtureSupernet Net>
  [[nodiscard]] OptionCosts option_costs(const Net& net) const {
    using Space = typename Net::Space;
    std::vector<double> table(Space::decision_count * max_options<Space>);
    double fixed = 1;
    double least = 1;
    if constexpr (requires(const Architecture<Space>& a) { space::network(a, net.config().shape); }) {
      const auto cost_of = [&](const Architecture<Space>& architecture) {
        const auto network = space::network(architecture, net.config().shape);
        return cost ? cost(network) : static_cast<double>(space::cost(network).macs);
      };
      const Architecture<Space> first;
      least = fixed = cost_of(first);
      for (std::size_t d = 0; d < Space::decision_count; ++d) {
        const auto row = std::span(table).subspan(d * max_options<Space>, max_options<Space>);
        for (std::size_t o = 1; o < Space::option_count(DecisionId(d)); ++o)
          row[o] = cost_of(Architecture<Space>(first).set(DecisionId(d), OptionId(o))) - fixed;
        least += *std::min_element(row.begin(), row.end());  // what is no option adds nothing
      }
    }
    return {at::tensor(table, at::kDouble)
                .view({static_cast<std::int64_t>(Space::decision_count), -1})
                .to(net.arena().values().options()),
            fixed, least};
  }

 private:
  /// The probabilities on the host, copied once for each move of alpha: a path must be known there.
  template <class Net>
  static std::span<const double> host_table(const Net&, State<Net>& state) {
    if (state.table.empty()) state.table = strategy::option_weights(state);
    return state.table;
  }
};

}  // namespace cleave::strategy
