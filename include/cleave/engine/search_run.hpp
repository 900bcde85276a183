#pragma once

#include <algorithm>
#include <cleave/data/accuracy.hpp>
#include <cleave/data/ahead.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/holdout.hpp>
#include <cleave/engine/alpha_health.hpp>
#include <cleave/engine/path_judge.hpp>
#include <cleave/engine/search_plan.hpp>
#include <cleave/engine/stage_clock.hpp>
#include <cleave/engine/step_runner.hpp>
#include <cleave/select/concept.hpp>
#include <cleave/split/concept.hpp>
#include <cleave/strategy/alpha_hessian.hpp>
#include <cleave/strategy/concept.hpp>
#include <cleave/strategy/recovery.hpp>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

/// Takes a state of a plan over a data set from wherever it is to the chosen leaf, node by node,
/// depth first. Where to split and which leaf to choose are asked of functions: once in hours, and
/// a program with several criteria compiles the rest of a run once.
template <class Plan, data::DataSet D>
class SearchRun {
  using Space = typename Plan::SpaceType;
  using Strategy = typename Plan::StrategyType;
  using Net = typename Plan::NetType;
  using Live = typename Plan::Live;

 public:
  using Decide = std::function<SplitOutcome(const SplitScene<Net>&)>;
  using Choose =
      std::function<std::size_t(std::span<const LeafCandidate<Space>>, const Trials&)>;

  /// All must outlive the run.
  SearchRun(const Plan& plan, const D& data, const RunControl& control,
            typename Plan::State& state)
      : plan_(plan),
        data_(data),
        control_(control),
        state_(state),
        result_(state.result),
        holdout_(data::split_train(data.labels(data::Part::Train), plan.settings().holdout,
                                   plan.stream().fork("holdout"))) {}

  /// Goes on until a leaf is chosen. The state is whole whenever the control is called.
  void go(const Decide& decide, const Choose& choose) {
    while (!state_.pending.empty()) visit(state_.pending.back(), decide);
    if (!result_.chosen) choose_leaf(choose);
  }

 private:
  [[nodiscard]] std::string where(std::size_t node) const {
    return plan_.where(result_.tree, node);
  }
  [[nodiscard]] Stream stream_of(std::size_t node) const {
    return plan_.stream_of(result_.tree, node);
  }

  /// Trains the node, then splits it or reads its architecture off; each part may have been done
  /// already when the run goes on from a saved state.
  void visit(std::size_t node, const Decide& decide) {
    const auto depth = result_.tree[node].depth;
    const auto& schedule = plan_.settings().schedule;
    auto found = state_.live.find(node);
    if (found == state_.live.end()) found = state_.live.emplace(node, begin(node)).first;
    Live& live = found->second;
    train(node, live);
    if (depth < schedule.levels()) {
      split(node, live, decide);
      state_.pending.pop_back();
      auto children = result_.tree[node].children;
      if (!plan_.settings().last_child_first) std::reverse(children.begin(), children.end());
      state_.pending.insert(state_.pending.end(), children.begin(), children.end());
      // Children that start afresh do not need the parent: free the memory now.
      if (starts_afresh(depth + 1)) state_.live.erase(node);
    } else {
      finish(node, live);
      state_.pending.pop_back();
      state_.live.erase(node);
    }
  }

  [[nodiscard]] Live begin(std::size_t node) {
    const auto& at = result_.tree[node];
    if (node == 0 || starts_afresh(at.depth)) return plan_.fresh_node(result_.tree, node);
    Net net(at.restriction, plan_.settings().supernet, stream_of(node).fork("weights"));
    const auto parent = state_.live.find(at.parent);
    if (parent == state_.live.end())
      throw DataError(fmt::format("{}: the supernet it inherits from is not there; the run that "
                                  "goes on is another one", where(node)));
    const auto& from = parent->second;
    net.arena().inherit(from.net.arena(), from.net.arena().values(), net.arena().values());
    auto inherited = inherit(at.depth, from, net);
    const bool last_heir =
        std::count_if(state_.pending.begin(), state_.pending.end(), [&](std::size_t other) {
          return other != 0 && result_.tree[other].parent == at.parent;
        }) == 1;
    if (last_heir) state_.live.erase(parent);
    return {std::move(net), std::move(inherited)};
  }

  /// Whether a node at this depth takes nothing from its parent.
  [[nodiscard]] bool starts_afresh(std::size_t depth) const {
    return plan_.settings().schedule.restarts(depth) &&
           !strategy::RestartsFromParent<Strategy, Net>;
  }

  [[nodiscard]] auto inherit(std::size_t depth, const Live& from, Net& child) const {
    if constexpr (strategy::RestartsFromParent<Strategy, Net>)
      if (plan_.settings().schedule.restarts(depth))
        return plan_.strategy().restart(from.net, from.state, child);
    return plan_.strategy().inherit(from.net, from.state, child);
  }

  void train(std::size_t node, Live& live) {
    const auto depth = result_.tree[node].depth;
    const auto& settings = plan_.settings();
    const auto epochs = settings.schedule.epochs(depth);
    const auto phase = settings.schedule.phase(depth);
    const bool update =
        strategy::learns_architecture<Strategy> &&
        (depth == settings.schedule.levels() || !settings.schedule.freeze_architecture);
    const auto stream = stream_of(node);
    if (live.epoch == epochs) return;
    const auto steps = data::EpochOrder::batches_in(holdout_.weights.size(), settings.batch);
    StageClock clock(control_, result_.stages, Stage::Training, where(node), epochs * steps,
                     live.epoch * steps + live.step);
    strategy::FiniteGuard guard(settings.trouble);
    StepRunner<Strategy, Net> take_step(plan_.strategy(), live.net, live.state,
                                        control_.capture_steps);
    for (auto& epoch = live.epoch; epoch < epochs; ++epoch, live.step = 0, guard.epoch_done()) {
      const auto of_epoch = stream.fork("epoch").fork(epoch);
      const data::EpochOrder weights(holdout_.weights, settings.batch, of_epoch.fork("weights"));
      std::optional<data::EpochOrder> search;
      if (update) search.emplace(holdout_.search, settings.batch, of_epoch.fork("search"));
      while (live.step < weights.batches()) {
        if (live.step == 0 && settings.trouble == strategy::NonFinite::RollBack)
          live.epoch_began.take(live);
        const auto k = live.step;
        const auto stream_of_step = [&](std::size_t i) { return of_epoch.fork("step").fork(i); };
        const auto of_step = stream_of_step(k);
        TrainingStep step;
        step.update_architecture = update;
        step.weights = data::batch_of_loop(data_, k, weights.batches(), [&](std::size_t i) {
          return data::BatchRequest{data::Part::Train, weights.batch(i), true,
                                    stream_of_step(i).fork("weights")};
        });
        if (update)
          step.search = data::batch_of_loop(data_, k, weights.batches(), [&](std::size_t i) {
            return data::BatchRequest{data::Part::Train, search->batch(i % search->batches()), true,
                                      stream_of_step(i).fork("search")};
          });
        step.progress = (static_cast<double>(phase.before + epoch) +
                         static_cast<double>(k) / static_cast<double>(weights.batches())) /
                        static_cast<double>(phase.epochs);
        const auto report = take_step(step, of_step.fork("strategy"));
        const auto verdict = guard.check(
            live.net.arena(), step.weights.images, report.loss, report.gradient_norm, [&] {
              return fmt::format("training {}, epoch {}, step {}", where(node), epoch, k);
            });
        ++live.step;
        if (verdict != strategy::FiniteGuard::Verdict::Fine)
          strategy::recover(live, live.epoch_began, verdict, guard,
                            result_.trouble[where(node)]);
        clock.tick(weights.batch(k).size());
      }
    }
  }

  /// Asks the criterion and grows the tree.
  void split(std::size_t node, Live& live, const Decide& decide) {
    const auto& at = result_.tree[node];
    const auto groups = plan_.settings().schedule.splits[at.depth].groups;
    const auto open = open_decisions(node, groups);
    if (open.empty())
      throw ValueError(fmt::format("{}: no decision that still means something has {} options",
                                   where(node), groups));
    const auto stream = stream_of(node).fork("criterion");
    SplitOutcome outcome;
    {
      StageClock clock(control_, result_.stages, Stage::Scoring, where(node), 0);
      std::size_t seen = 0;
      std::size_t most = 0;  // repeats that the criterion planned
      // Passes of the repeats in memory are in the record of the part of the run that made them.
      std::size_t counted = passes_in(live.memory);
      typename SplitScene<Net>::Sources sources{
          [&](Stream s) { return plan_.strategy().context(live.net, live.state, s); },
          [&](Stream s) {
            const data::EpochOrder order(holdout_.weights, plan_.settings().batch,
                                         s.fork("images"));
            seen += order.batch(0).size();
            return data_.batch(data::Part::Train, order.batch(0), true, s.fork("augment"));
          },
          [&](std::size_t done, std::size_t planned) {
            most = planned;
            const auto passes = passes_in(live.memory);
            clock.at(done, planned, std::exchange(seen, 0),
                     passes - std::exchange(counted, passes));
          }};
      const SplitScene<Net> scene(live.net, open, groups, sources, live.memory, stream);
      try {
        outcome = decide(scene);
      } catch (const NumericalError& error) {
        throw NumericalError(fmt::format("scoring {}: {}", where(node), error.what()));
      }
      clock.at(outcome.repeats, std::max(most, outcome.repeats), std::exchange(seen, 0),
               outcome.passes - std::min(counted, outcome.passes));
    }
    result_.tree.split(node, outcome.split);
    result_.splits.push_back({node, std::move(outcome)});
  }

  /// Decisions not split on the way to the node that mean something there, with enough options.
  [[nodiscard]] std::vector<DecisionId> open_decisions(std::size_t node,
                                                       std::size_t groups) const {
    std::vector<DecisionId> open;
    for (std::size_t d = 0; d < Space::decision_count; ++d) {
      const DecisionId decision(d);
      bool split_before = false;
      for (auto up = node; up != 0; up = result_.tree[up].parent)
        split_before |= result_.tree[result_.tree[up].parent].split->decision == decision;
      const auto& restriction = result_.tree[node].restriction;
      if (!split_before && restriction[decision].size() >= groups &&
          is_used(restriction, decision))
        open.push_back(decision);
    }
    return open;
  }

  void finish(std::size_t node, Live& live) {
    LeafRecord<Space> leaf{.node = node, .genotype = derive(node, live)};
    leaf.supernet_accuracy =
        accuracy(live.net, live.net.context_of(leaf.genotype), holdout_.validation);
    if constexpr (requires { plan_.strategy().option_weights(live.net, live.state); })
      leaf.alpha = alpha_health(live.net.restriction(),
                                plan_.strategy().option_weights(live.net, live.state));
    if constexpr (std::derived_from<typename Strategy::template State<Net>,
                                    strategy::AlphaState> && MixtureSupernet<Net>) {
      if (plan_.settings().sharpness_images > 0) leaf.alpha->sharpness = sharpness(node, live);
    }
    state_.finished.emplace(node, std::move(leaf));
    state_.list_leaves();
  }

  [[nodiscard]] double sharpness(std::size_t node, const Live& live) const {
    const auto from = stream_of(node).fork("sharpness");
    const auto& images = holdout_.validation.empty() ? holdout_.search : holdout_.validation;
    const data::EpochOrder order(images, plan_.settings().sharpness_images, from.fork("images"));
    return strategy::DominantEigenvalue{}(
        live.net, live.state, data_.batch(data::Part::Train, order.batch(0), false, Stream()),
        from.fork("start"));
  }

  [[nodiscard]] Genotype<Space> derive(std::size_t node, Live& live) {
    PathJudge<Net, D> judge(live.net, data_, holdout_.search, plan_.settings().batch,
                            plan_.stream().fork("judge"),
                            {live.judged, control_, result_.stages, where(node)});
    return plan_.strategy().derive(live.net, live.state, judge.judge(),
                                   stream_of(node).fork("derive"));
  }

  /// Accuracy of a context under batch statistics, on images of the train part; in random order,
  /// because in a set sorted by class every batch would be normalised by its own class.
  [[nodiscard]] double accuracy(const Net& net, const typename Net::Context& context,
                                std::vector<std::int64_t> images) const {
    if (images.empty()) return 0;
    plan_.stream().fork("validation order").shuffle(images);
    return data::accuracy(data_, data::Part::Train, images,
                          [&](const at::Tensor& x) { return net.forward(x, context); });
  }

  void choose_leaf(const Choose& choose) {
    const auto candidates = result_.candidates();
    if (candidates.empty())
      throw DataError("few-shot search: no leaf is finished and no node is left to visit; the run "
                      "that goes on is another one");
    if (candidates.size() == 1) {
      result_.chosen = 0;
      return;
    }
    auto images = holdout_.weights;
    images.insert(images.end(), holdout_.search.begin(), holdout_.search.end());
    std::sort(images.begin(), images.end());
    const auto steps = data::EpochOrder::batches_in(images.size(), plan_.settings().trial.batch);
    const Trials trials{[&](std::size_t i, std::size_t epochs, std::size_t total) {
      for (const auto& known : result_.trials)  // asked before, in the part of the run behind us
        if (known.candidate == i && known.epochs == epochs) return known.accuracy;
      const auto leaf = where(candidates.at(i).node);
      auto it = state_.trials.find(i);
      if (it == state_.trials.end())
        it = state_.trials.emplace(i, plan_.fresh_trial(candidates[i].genotype, total, leaf)).first;
      StageClock clock(control_, result_.stages, Stage::Selecting, "network of " + leaf,
                       epochs * steps, it->second.steps_done(steps));
      it->second.train_until(epochs, data_, images,
                             [&](std::size_t count) { clock.tick(count); });
      result_.note_trouble("network of " + leaf, it->second.trouble());
      const auto value = it->second.accuracy(data_, data::Part::Train, holdout_.validation);
      result_.trials.push_back({i, epochs, value});
      return value;
    }};
    result_.chosen = choose(std::span<const LeafCandidate<Space>>(candidates), trials);
    state_.trials.clear();
  }

  const Plan& plan_;
  const D& data_;
  const RunControl& control_;
  typename Plan::State& state_;
  SearchResult<Space>& result_;
  data::Holdout holdout_;
};

}  // namespace cleave
