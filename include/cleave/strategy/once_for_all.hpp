#pragma once

#include <algorithm>
#include <cleave/strategy/accuracy_estimator.hpp>
#include <cleave/strategy/cost_limits.hpp>
#include <cleave/strategy/ofa_stages.hpp>
#include <cleave/strategy/weight_step.hpp>
#include <cleave/supernet/ofa.hpp>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::strategy {

/// Once-for-all (Cai, Gan, Wang, Zhang, Han, ICLR 2020) inside a restriction: a network and its
/// subnets share weights, and training goes from the whole to the parts.
///
///     loss of a subnet = CE(labels, smoothed) + distillation * CE(softmax of the teacher's logits)
///
/// summed over the subnets of a step, with one update; the teacher is the node's own full network
/// as it was at the end of the full stage. Channels are sorted by importance before smaller widths
/// join. Weight decay spares batch norms and biases. A leaf's architecture is found by evolution
/// under hard limits, judged inside the supernet with batch statistics, all of them or those that an
/// estimator asks for; re-estimate the running ones of the extracted network afterwards
/// (network/extract.hpp).
template <class Sampler = Progressive, class Estimator = Measured>
struct OnceForAll {
  static_assert(AccuracyEstimator<Estimator, space::Ofa>,
                "OnceForAll: an accuracy estimator needs name and Estimate<S> operator()(const "
                "Restriction<S>&, const AccuracyOf<S>& measured, Stream) const (docs/policies.md, "
                "Accuracy estimators)");

  static constexpr std::string_view name = "once-for-all";
  static constexpr bool learns_architecture = false;

  Sampler sampler{};
  Sgd weights{.weight_decay = 3e-5, .clip = 0};  ///< its rate is the stage's
  double label_smoothing = 0.1;
  double distillation = 1.0;
  Evolution evolution{};
  Estimator estimator{};
  CostLimits limits{};
  std::size_t judged_batches = 0;  ///< of the judge's, to compare subnets on; 0: all
  /// A network's latency, for the limit on it; such as a LatencyTable's prediction.
  std::function<double(const space::MobileNetwork&)> latency{};
  /// Told of a leaf's supernet and every subnet of it that was judged: the moment to draw a Pareto
  /// front (`pareto_front`) or to take a subnet out (network/extract.hpp).
  std::function<void(const supernet::Ofa&, const std::vector<Individual<space::Ofa>>&)> judged{};
  /// Told before that how good the estimate is that led a leaf's search; not called when every
  /// subnet was judged.
  std::function<void(const supernet::Ofa&, const EstimateQuality&)> estimated{};
  template <class F>
  void fields(F&& field) const {
    field("sampler", sampler);
    field("weights", weights);
    field("label_smoothing", label_smoothing);
    field("distillation", distillation);
    field("evolution", evolution);
    field("estimator", estimator);
    field("limits", limits);
    field("judged_batches", judged_batches);
  }

  template <class Net>
  struct State {
    Sgd::State moments;
    at::Tensor teacher;      ///< the full network's weights, [P]; undefined before there is one
    std::size_t stage = 0;   ///< under way
    bool restarted = false;  ///< in the stages of a restart
    at::Tensor decays;       ///< where weights decay, [P]; made by `start`, so not a field to save

    template <class F>
    void fields(F&& field) {
      field("moments", moments);
      field("teacher", teacher);
      field("stage", stage);
      field("restarted", restarted);
    }
  };

  template <ElasticSupernet Net>
  [[nodiscard]] State<Net> start(const Net& net, Stream) const {
    static_assert(SubnetSampler<Sampler, Net>,
                  "OnceForAll: a sampler needs name, in_place, stages, after_restart and "
                  "std::vector<Context> subnets(net, stage, stream) const (docs/policies.md, "
                  "Samplers of subnets)");
    for (const auto* list : {&sampler.stages, &sampler.after_restart}) {
      if (list->empty()) throw ValueError("once-for-all: no stages; at least 1 is needed");
      for (const auto& stage : *list)
        if (!(stage.share > 0) || stage.subnets == 0)
          throw ValueError(
              fmt::format("once-for-all: stage {} has share {} and {} subnets; both "
                          "must be positive",
                          stage.called, stage.share, stage.subnets));
    }
    return {weights.start(net.arena()), {}, 0, false, net.arena().matrix_mask()};
  }

  /// Which stage a share of the phase lies in, and how far that stage is.
  struct Moment {
    std::size_t stage = 0;
    double progress = 0;
  };
  [[nodiscard]] Moment moment(bool restarted, double progress) const {
    const auto& stages = restarted ? sampler.after_restart : sampler.stages;
    double total = 0;
    for (const auto& stage : stages) total += stage.share;
    double begin = 0;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const double share = stages[i].share / total;
      if (progress < begin + share || i + 1 == stages.size())
        return {i, std::clamp((progress - begin) / share, 0.0, 1.0)};
      begin += share;
    }
    return {};
  }

  template <ElasticSupernet Net>
  StepReport step(Net& net, State<Net>& state, const TrainingStep& step, Stream stream) const {
    const auto at = moment(state.restarted, step.progress);
    while (state.stage < at.stage) enter_next(net, state);
    const auto& stage = stages_of(state)[state.stage];
    const auto& [images, labels] = step.weights;
    const auto subnets = sampler.subnets(net, stage, stream.fork("subnets"));
    at::Tensor taught;  // the teacher's probabilities, [B, classes]
    if (stage.distil && state.teacher.defined())
      taught = teach(net, state.teacher, images, subnets.front());
    net.arena().gradients().zero_();
    StepReport report;
    for (const auto& subnet : subnets) {
      const auto logits = net.forward(images, subnet);
      at::Tensor loss;
      if (Sampler::in_place && taught.defined()) {
        loss = soft_entropy(logits, taught);
      } else {
        loss =
            at::cross_entropy_loss(logits, labels, {}, at::Reduction::Mean, -100, label_smoothing);
        if (taught.defined()) loss = loss.add(soft_entropy(logits, taught), distillation);
      }
      loss.backward();
      if (Sampler::in_place && !taught.defined()) taught = logits.detach().softmax(1);
      report.loss = report.loss.defined() ? report.loss.add(loss.detach()) : loss.detach();
    }
    report.loss = report.loss.div(static_cast<double>(subnets.size()));
    auto sgd = weights;
    sgd.rate = stage.rate;
    report.gradient_norm = sgd.step(net.arena(), state.moments, at.progress, state.decays);
    return report;
  }

  template <ElasticSupernet Net>
  [[nodiscard]] State<Net> inherit(const Net& parent, const State<Net>& state,
                                   const Net& child) const {
    State<Net> result = start(child, Stream());
    result.moments = inherit_moments(parent, state.moments, child, weights);
    if (state.teacher.defined()) {
      result.teacher = at::zeros_like(child.arena().values());
      child.arena().inherit(parent.arena(), state.teacher, result.teacher);
    }
    result.stage = state.stage;
    result.restarted = state.restarted;
    return result;
  }

  /// From the teacher: the child starts with the full network's weights and goes through
  /// `after_restart` (method.md section 3). Without a teacher it starts with its parent's.
  template <ElasticSupernet Net>
  [[nodiscard]] State<Net> restart(const Net& parent, const State<Net>& state, Net& child) const {
    State<Net> result = start(child, Stream());
    result.restarted = true;
    if (state.teacher.defined())
      child.arena().inherit(parent.arena(), state.teacher, child.arena().values());
    result.teacher = child.arena().values().clone();
    return result;
  }

  /// A random subnet of the stage under way; before there are subnets, the full network.
  template <ElasticSupernet Net>
  [[nodiscard]] typename Net::Context context(const Net& net, const State<Net>& state,
                                              Stream stream) const {
    return stages_of(state)[state.stage].within(net.restriction()).sample(stream);
  }

  /// Throws `ValueError`, with the least possible costs, when at every image size a limit lies
  /// below them; when evolution finds nothing that keeps all limits; and for a judge without
  /// images.
  template <ElasticSupernet Net>
  [[nodiscard]] Architecture<typename Net::Space> derive(const Net& net, const State<Net>&,
                                                         const Judge<Net>& judge,
                                                         Stream stream) const {
    using Space = typename Net::Space;
    if (judge.images == 0)
      throw ValueError(
          "once-for-all: no images to compare subnets on; the search half must not be "
          "empty");
    const auto cheapest = cheapest_within(limits, net.restriction(), net.config().shape, latency);
    const auto batches =
        judged_batches == 0 ? judge.batches : std::min(judged_batches, judge.batches);
    const AccuracyOf<Space> accuracies = [&](std::span<const Architecture<Space>> subnets) {
      std::vector<double> right(subnets.size());
      std::size_t images = 0;
      for (std::size_t k = 0; k < batches; ++k) {
        const auto rows = judge.hits(subnets, k);
        for (std::size_t i = 0; i < rows.size(); ++i)
          right[i] += static_cast<double>(std::count(rows[i].begin(), rows[i].end(), 1));
        if (!rows.empty()) images += rows.front().size();
      }
      for (auto& value : right) value /= static_cast<double>(std::max<std::size_t>(images, 1));
      return right;
    };
    const auto evolved = evolve(
        evolution, estimator, net.restriction(),
        [&](const Architecture<Space>& subnet) { return keeps_limits(net, subnet); }, accuracies,
        stream, cheapest);
    if constexpr (std::same_as<Net, supernet::Ofa>) {
      if (estimated && evolved.quality) estimated(net, *evolved.quality);
      if (judged) judged(net, evolved.individuals);
    }
    return best_of(evolved.individuals).architecture;
  }

  template <ElasticSupernet Net>
  [[nodiscard]] bool keeps_limits(const Net& net,
                                  const Architecture<typename Net::Space>& subnet) const {
    const auto network = space::network(subnet, net.config().shape);
    const auto cost = space::cost(network);
    const auto macs = static_cast<double>(cost.macs);
    return macs >= limits.least_macs && macs <= limits.most_macs &&
           static_cast<double>(cost.params) <= limits.most_params &&
           (!latency || latency(network) <= limits.most_latency);
  }

 private:
  template <class State>
  [[nodiscard]] const std::vector<OfaStage>& stages_of(const State& state) const {
    return state.restarted ? sampler.after_restart : sampler.stages;
  }

  /// Ends a stage: the full network becomes the teacher, channels are sorted where smaller widths
  /// are about to join, and the optimiser starts afresh.
  template <class Net>
  void enter_next(Net& net, State<Net>& state) const {
    const auto& before = stages_of(state)[state.stage];
    const auto& next = stages_of(state)[++state.stage];
    const bool first = !before.distil && next.distil;
    const bool wider = !(next.expansions - before.expansions).empty();
    std::vector<at::Tensor> companions;
    if (state.teacher.defined()) companions.push_back(state.teacher);
    if (first || wider) net.sort_channels(before.expansions, companions);
    if (first) state.teacher = net.arena().values().clone();
    state.moments.momentum.zero_();
  }

  /// softmax of the full network's logits under the teacher's weights, [B, classes]. The weights
  /// are lent to the network for one pass.
  template <class Net>
  [[nodiscard]] static at::Tensor teach(const Net& net, const at::Tensor& teacher,
                                        const at::Tensor& images,
                                        const typename Net::Context& like) {
    struct Lent {
      at::Tensor values;
      at::Tensor own = values.clone();
      ~Lent() { values.copy_(own); }
    };
    const at::NoGradGuard no_grad;
    const Lent lent{net.arena().values()};
    at::Tensor(lent.values).copy_(teacher);
    return net.forward_full(images, like).softmax(1);
  }

  static at::Tensor soft_entropy(const at::Tensor& logits, const at::Tensor& probabilities) {
    return logits.log_softmax(1).mul(probabilities).sum(1).mean().neg();
  }
};

}  // namespace cleave::strategy
