#pragma once

#include <algorithm>
#include <cleave/data/accuracy.hpp>
#include <cleave/data/ahead.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/holdout.hpp>
#include <cleave/engine/alpha_health.hpp>
#include <cleave/engine/path_judge.hpp>
#include <cleave/engine/retrain.hpp>
#include <cleave/engine/run_state.hpp>
#include <cleave/engine/search_settings.hpp>
#include <cleave/engine/stage_clock.hpp>
#include <cleave/engine/step_runner.hpp>
#include <cleave/network/training.hpp>
#include <cleave/select/successive_halving.hpp>
#include <cleave/split/concept.hpp>
#include <cleave/strategy/alpha_hessian.hpp>
#include <cleave/strategy/concept.hpp>
#include <cleave/strategy/recovery.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cleave {

/// Few-shot architecture search: train a supernet, split it where the criterion says, go on inside
/// the parts, derive one architecture per leaf, choose one by validation.
///
/// One-shot search is a schedule without splits, few-shot NAS is `split::Exhaustive`, GM-NAS is
/// `split::GradientMatching<>`. Nodes are visited depth first; every random stream is named by the
/// node's path, so the result does not depend on the order. Memory: one supernet in training, plus
/// one per level on the way when children inherit.
template <class Space, class Strategy, class Criterion, class Selection = select::SuccessiveHalving,
          class Net = typename SupernetFor<Space>::type,
          class Standalone = typename NetworkFor<Space>::type>
class FewShotSearch {
  static_assert(SearchSpace<Space>,
                "FewShotSearch: the space needs name, decision_count, option_count(DecisionId) and "
                "option_name(DecisionId, OptionId), all static (docs/policies.md, Search spaces)");
  static_assert(Supernet<Net>,
                "FewShotSearch: the supernet needs Space, Context, forward(images, context), "
                "probe(context, decision, option, kind), context_of(genotype), arena() and "
                "restriction() (docs/policies.md, Supernets)");
  static_assert(strategy::TrainsSupernet<Strategy, Net>,
                "FewShotSearch: the strategy cannot train this supernet; it needs State<Net>, "
                "start(net, stream) and StepReport step(net, state, training_step, stream), and "
                "DARTS and SNAS need a supernet whose context is a Mixture, OnceForAll one whose "
                "options are parts of the same tensors "
                "(docs/policies.md, Search strategies)");
  static_assert(strategy::Inherits<Strategy, Net>,
                "FewShotSearch: the strategy needs State inherit(parent_net, parent_state, "
                "child_net) const (docs/policies.md, Search strategies)");
  static_assert(strategy::GivesContexts<Strategy, Net>,
                "FewShotSearch: the strategy needs Net::Context context(net, state, stream) const "
                "(docs/policies.md, Search strategies)");
  static_assert(strategy::Derives<Strategy, Net>,
                "FewShotSearch: the strategy needs Genotype<Space> derive(net, state, judge, "
                "stream) const (docs/policies.md, Search strategies)");
  static_assert(split::DecidesSplit<Criterion, Net>,
                "FewShotSearch: the split criterion needs SplitOutcome operator()(const "
                "SplitScene<Net>&) const (docs/policies.md, Split criteria)");
  static_assert(select::Chooses<Selection, Space>,
                "FewShotSearch: the leaf selection needs std::size_t "
                "operator()(std::span<const LeafCandidate<Space>>, const Trials&) const "
                "(docs/policies.md, Leaf selection)");

 public:
  using SpaceType = Space;
  using Result = SearchResult<Space>;

  using Settings = SearchSettings<Space, typename Net::Config, typename Standalone::Config>;

  explicit FewShotSearch(Settings settings, Strategy strategy = {}, Criterion criterion = {},
                         Selection selection = {})
      : settings_(std::move(settings)),
        strategy_(std::move(strategy)),
        criterion_(std::move(criterion)),
        selection_(std::move(selection)) {
    settings_.schedule.check();
    check_decisions_left();
    if (settings_.schedule.levels() > 0 && settings_.holdout.validation == 0)
      throw ValueError("few-shot search: holdout.validation is 0, but leaves are compared on those "
                       "images; leave some, 0.1 is the default");
    if constexpr (requires { selection_.check(); }) selection_.check();
  }

  /// Everything about a run between two steps, as a value.
  using State = RunState<Space, Strategy, Net, Standalone>;

  /// A run's state before its first step.
  [[nodiscard]] State start() const {
    State state;
    state.result.tree = SplitTree<Space>(settings_.root);
    return state;
  }

  /// Takes a state to the chosen architecture. The state is whole whenever `control` is called,
  /// so what was found before an error or an interruption is there, and a run can go on from it.
  template <data::DataSet D>
  void run(const D& data, const RunControl& control, State& state) const {
    Run<D>{*this, data, control, state,
           data::split_train(data.labels(data::Part::Train), settings_.holdout,
                             stream().fork("holdout"))}
        .go();
  }

  /// The same from the start; `result` keeps what was found, also when this throws.
  template <data::DataSet D>
  void run(const D& data, const RunControl& control, Result& result) const {
    State state = start();
    const KeepResult keep{state.result, result};
    run(data, control, state);
  }

  template <data::DataSet D>
  [[nodiscard]] Result run(const D& data, const RunControl& control = {}) const {
    State state = start();
    run(data, control, state);
    return std::move(state.result);
  }

  /// Retrains the chosen architecture from fresh weights on the whole train part and tests it; goes
  /// on where the state stopped. Throws `ValueError` before one was chosen.
  template <data::DataSet D>
  void retrain(const D& data, const RunControl& control, State& state) const {
    if (state.result.retrained) return;
    if (!state.retraining) state.retraining.emplace(fresh_retraining(state.result.genotype()));
    state.result.retrained =
        finish_retraining(*state.retraining, data, control, state.result.stages, "network");
    state.result.note_trouble("network", state.retraining->trouble());
    state.retraining.reset();
  }

  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

  /// What a run depends on: space, policies and their settings. (`SettingsList` makes text of it.)
  template <class F>
  void fields(F&& field) const {
    field("space", std::string_view(Space::name));
    if constexpr (requires { typename Net::MixerType; })
      field("mixer", typename Net::MixerType{});  // numbers differ with how edges are computed
    field("strategy", strategy_);
    field("criterion", criterion_);
    field("selection", selection_);
    settings_.fields(field);
  }

  using Live = typename State::Live;
  using Trial = network::Training<Standalone>;

  /// "supernet", "supernet 0", "leaf 1.0": how a node is called.
  [[nodiscard]] std::string where(const SplitTree<Space>& tree, std::size_t node) const {
    const auto& at = tree[node];
    if (at.path.empty()) return "supernet";
    return (at.depth == settings_.schedule.levels() ? "leaf " : "supernet ") + at.path;
  }

  /// A node's supernet and strategy state at the start of a phase.
  [[nodiscard]] Live fresh_node(const SplitTree<Space>& tree, std::size_t node) const {
    const auto from = stream_of(tree, node);
    Net net(tree[node].restriction, settings_.supernet, from.fork("weights"));
    auto begun = strategy_.start(net, from.fork("start"));
    return {std::move(net), std::move(begun)};
  }

  /// Of a chosen architecture.
  [[nodiscard]] Trial fresh_retraining(const Genotype<Space>& genotype) const {
    return start_retraining<Standalone>(genotype,
                                        settings_.final_network.value_or(settings_.network),
                                        settings_.retraining, stream().fork("retrain"), "network");
  }

  /// A candidate's own network before its first step, of a schedule of `epochs`.
  [[nodiscard]] Trial fresh_trial(const Genotype<Space>& genotype, std::size_t epochs,
                                  const std::string& where) const {
    // One stream for all: candidates differ in their architecture only.
    const auto from = stream().fork("trial");
    auto recipe = settings_.trial;
    recipe.epochs = epochs;
    return Trial(Standalone(genotype, settings_.network, from.fork("weights")), recipe,
                 from.fork("training"), "network of " + where);
  }

 private:
  struct KeepResult {
    Result& from;
    Result& to;
    ~KeepResult() { to = std::move(from); }
  };

  [[nodiscard]] Stream stream() const { return Stream(settings_.seed); }
  [[nodiscard]] Stream stream_of(const SplitTree<Space>& tree, std::size_t node) const {
    return stream().fork("node").fork(tree[node].path);
  }

  /// On every way down each split takes a decision of its own; what is left must have the options
  /// for the next. Throws `ValueError` otherwise: a node that cannot be split would end as a leaf
  /// trained by half.
  void check_decisions_left() const {
    const auto& splits = settings_.schedule.splits;
    for (std::size_t level = 0; level < splits.size(); ++level) {
      std::size_t able = 0;
      for (std::size_t d = 0; d < Space::decision_count; ++d)
        able += settings_.root[DecisionId(d)].size() >= splits[level].groups &&
                is_used(settings_.root, DecisionId(d));
      if (able <= level)
        throw ValueError(fmt::format(
            "few-shot search: split {} is into {} groups; {} has {} decisions with so many options "
            "inside the root restriction, and {} may have been split before",
            level + 1, splits[level].groups, Space::name, able, level));
    }
  }

  template <data::DataSet D>
  struct Run {
    const FewShotSearch& host;
    const D& data;
    const RunControl& control;
    State& state;
    data::Holdout holdout;
    Result& result = state.result;

    void go() {
      while (!state.pending.empty()) visit(state.pending.back());
      if (!result.chosen) choose();
    }

    [[nodiscard]] std::string where(std::size_t node) const {
      return host.where(result.tree, node);
    }
    [[nodiscard]] Stream stream_of(std::size_t node) const {
      return host.stream_of(result.tree, node);
    }

    /// Trains the node, then splits it or reads its architecture off; each part may have been done
    /// already when the run goes on from a saved state.
    void visit(std::size_t node) {
      const auto depth = result.tree[node].depth;
      const auto& schedule = host.settings_.schedule;
      auto found = state.live.find(node);
      if (found == state.live.end()) found = state.live.emplace(node, begin(node)).first;
      Live& live = found->second;
      train(node, live);
      if (depth < schedule.levels()) {
        split(node, live);
        state.pending.pop_back();
        auto children = result.tree[node].children;
        if (!host.settings_.last_child_first) std::reverse(children.begin(), children.end());
        state.pending.insert(state.pending.end(), children.begin(), children.end());
        // Children that start afresh do not need the parent: free the memory now.
        if (starts_afresh(depth + 1)) state.live.erase(node);
      } else {
        finish(node, live);
        state.pending.pop_back();
        state.live.erase(node);
      }
    }

    [[nodiscard]] Live begin(std::size_t node) {
      const auto& at = result.tree[node];
      if (node == 0 || starts_afresh(at.depth)) return host.fresh_node(result.tree, node);
      Net net(at.restriction, host.settings_.supernet, stream_of(node).fork("weights"));
      const auto parent = state.live.find(at.parent);
      if (parent == state.live.end())
        throw DataError(fmt::format("{}: the supernet it inherits from is not there; the run that "
                                    "goes on is another one", where(node)));
      const auto& from = parent->second;
      net.arena().inherit(from.net.arena(), from.net.arena().values(), net.arena().values());
      auto inherited = inherit(at.depth, from, net);
      const bool last_heir =
          std::count_if(state.pending.begin(), state.pending.end(), [&](std::size_t other) {
            return other != 0 && result.tree[other].parent == at.parent;
          }) == 1;
      if (last_heir) state.live.erase(parent);
      return {std::move(net), std::move(inherited)};
    }

    /// Whether a node at this depth takes nothing from its parent.
    [[nodiscard]] bool starts_afresh(std::size_t depth) const {
      return host.settings_.schedule.restarts(depth) &&
             !strategy::RestartsFromParent<Strategy, Net>;
    }

    [[nodiscard]] auto inherit(std::size_t depth, const Live& from, Net& child) const {
      if constexpr (strategy::RestartsFromParent<Strategy, Net>)
        if (host.settings_.schedule.restarts(depth))
          return host.strategy_.restart(from.net, from.state, child);
      return host.strategy_.inherit(from.net, from.state, child);
    }

    void train(std::size_t node, Live& live) {
      const auto depth = result.tree[node].depth;
      const auto& settings = host.settings_;
      const auto epochs = settings.schedule.epochs(depth);
      const auto phase = settings.schedule.phase(depth);
      const bool update =
          strategy::learns_architecture<Strategy> &&
          (depth == settings.schedule.levels() || !settings.schedule.freeze_architecture);
      const auto stream = stream_of(node);
      if (live.epoch == epochs) return;
      const auto steps = data::EpochOrder::batches_in(holdout.weights.size(), settings.batch);
      StageClock clock(control, result.stages, Stage::Training, where(node), epochs * steps,
                       live.epoch * steps + live.step);
      strategy::FiniteGuard guard(settings.trouble);
      StepRunner<Strategy, Net> take_step(host.strategy_, live.net, live.state,
                                          control.capture_steps);
      for (auto& epoch = live.epoch; epoch < epochs; ++epoch, live.step = 0, guard.epoch_done()) {
        const auto of_epoch = stream.fork("epoch").fork(epoch);
        const data::EpochOrder weights(holdout.weights, settings.batch, of_epoch.fork("weights"));
        std::optional<data::EpochOrder> search;
        if (update) search.emplace(holdout.search, settings.batch, of_epoch.fork("search"));
        while (live.step < weights.batches()) {
          if (live.step == 0 && settings.trouble == strategy::NonFinite::RollBack)
            live.epoch_began.take(live);
          const auto k = live.step;
          const auto stream_of_step = [&](std::size_t i) { return of_epoch.fork("step").fork(i); };
          const auto of_step = stream_of_step(k);
          TrainingStep step;
          step.update_architecture = update;
          step.weights = data::batch_of_loop(data, k, weights.batches(), [&](std::size_t i) {
            return data::BatchRequest{data::Part::Train, weights.batch(i), true,
                                      stream_of_step(i).fork("weights")};
          });
          if (update)
            step.search = data::batch_of_loop(data, k, weights.batches(), [&](std::size_t i) {
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
            strategy::recover(live, live.epoch_began, verdict, guard, result.trouble[where(node)]);
          clock.tick(weights.batch(k).size());
        }
      }
    }

    /// Asks the criterion and grows the tree.
    void split(std::size_t node, Live& live) {
      const auto& at = result.tree[node];
      const auto groups = host.settings_.schedule.splits[at.depth].groups;
      const auto open = open_decisions(node, groups);
      if (open.empty())
        throw ValueError(fmt::format("{}: no decision that still means something has {} options",
                                     where(node), groups));
      const auto stream = stream_of(node).fork("criterion");
      SplitOutcome outcome;
      {
        StageClock clock(control, result.stages, Stage::Scoring, where(node), 0);
        std::size_t seen = 0;
        std::size_t most = 0;  // repeats that the criterion planned
        // Passes of the repeats in memory are in the record of the part of the run that made them.
        std::size_t counted = passes_in(live.memory);
        typename SplitScene<Net>::Sources sources{
            [&](Stream s) { return host.strategy_.context(live.net, live.state, s); },
            [&](Stream s) {
              const data::EpochOrder order(holdout.weights, host.settings_.batch, s.fork("images"));
              seen += order.batch(0).size();
              return data.batch(data::Part::Train, order.batch(0), true, s.fork("augment"));
            },
            [&](std::size_t done, std::size_t planned) {
              most = planned;
              const auto passes = passes_in(live.memory);
              clock.at(done, planned, std::exchange(seen, 0), passes - std::exchange(counted, passes));
            }};
        const SplitScene<Net> scene(live.net, open, groups, sources, live.memory, stream);
        try {
          outcome = host.criterion_(scene);
        } catch (const NumericalError& error) {
          throw NumericalError(fmt::format("scoring {}: {}", where(node), error.what()));
        }
        clock.at(outcome.repeats, std::max(most, outcome.repeats), std::exchange(seen, 0),
                 outcome.passes - std::min(counted, outcome.passes));
      }
      result.tree.split(node, outcome.split);
      result.splits.push_back({node, std::move(outcome)});
    }

    /// Decisions not split on the way to the node that mean something there, with enough options.
    [[nodiscard]] std::vector<DecisionId> open_decisions(std::size_t node,
                                                         std::size_t groups) const {
      std::vector<DecisionId> open;
      for (std::size_t d = 0; d < Space::decision_count; ++d) {
        const DecisionId decision(d);
        bool split_before = false;
        for (auto up = node; up != 0; up = result.tree[up].parent)
          split_before |= result.tree[result.tree[up].parent].split->decision == decision;
        const auto& restriction = result.tree[node].restriction;
        if (!split_before && restriction[decision].size() >= groups &&
            is_used(restriction, decision))
          open.push_back(decision);
      }
      return open;
    }

    void finish(std::size_t node, Live& live) {
      LeafRecord<Space> leaf{.node = node, .genotype = derive(node, live)};
      leaf.supernet_accuracy =
          accuracy(live.net, live.net.context_of(leaf.genotype), holdout.validation);
      if constexpr (requires { host.strategy_.option_weights(live.net, live.state); })
        leaf.alpha = alpha_health(live.net.restriction(),
                                  host.strategy_.option_weights(live.net, live.state));
      if constexpr (std::derived_from<typename Strategy::template State<Net>,
                                      strategy::AlphaState> && MixtureSupernet<Net>) {
        if (host.settings_.sharpness_images > 0) leaf.alpha->sharpness = sharpness(node, live);
      }
      state.finished.emplace(node, std::move(leaf));
      state.list_leaves();
    }

    [[nodiscard]] double sharpness(std::size_t node, const Live& live) const {
      const auto from = stream_of(node).fork("sharpness");
      const auto& images = holdout.validation.empty() ? holdout.search : holdout.validation;
      const data::EpochOrder order(images, host.settings_.sharpness_images, from.fork("images"));
      return strategy::DominantEigenvalue{}(
          live.net, live.state, data.batch(data::Part::Train, order.batch(0), false, Stream()),
          from.fork("start"));
    }

    [[nodiscard]] Genotype<Space> derive(std::size_t node, Live& live) {
      PathJudge<Net, D> judge(live.net, data, holdout.search, host.settings_.batch,
                              host.stream().fork("judge"),
                              {live.judged, control, result.stages, where(node)});
      return host.strategy_.derive(live.net, live.state, judge.judge(),
                                   stream_of(node).fork("derive"));
    }

    /// Accuracy of a context under batch statistics, on images of the train part; in random order,
    /// because in a set sorted by class every batch would be normalised by its own class.
    [[nodiscard]] double accuracy(const Net& net, const typename Net::Context& context,
                                  std::vector<std::int64_t> images) const {
      if (images.empty()) return 0;
      host.stream().fork("validation order").shuffle(images);
      return data::accuracy(data, data::Part::Train, images,
                            [&](const at::Tensor& x) { return net.forward(x, context); });
    }

    void choose() {
      const auto candidates = result.candidates();
      if (candidates.empty())
        throw DataError("few-shot search: no leaf is finished and no node is left to visit; the run "
                        "that goes on is another one");
      if (candidates.size() == 1) {
        result.chosen = 0;
        return;
      }
      auto images = holdout.weights;
      images.insert(images.end(), holdout.search.begin(), holdout.search.end());
      std::sort(images.begin(), images.end());
      const auto steps = data::EpochOrder::batches_in(images.size(), host.settings_.trial.batch);
      const Trials trials{[&](std::size_t i, std::size_t epochs, std::size_t total) {
        for (const auto& known : result.trials)  // asked before, in the part of the run behind us
          if (known.candidate == i && known.epochs == epochs) return known.accuracy;
        const auto leaf = where(candidates.at(i).node);
        auto it = state.trials.find(i);
        if (it == state.trials.end())
          it = state.trials.emplace(i, host.fresh_trial(candidates[i].genotype, total, leaf)).first;
        StageClock clock(control, result.stages, Stage::Selecting, "network of " + leaf,
                         epochs * steps, it->second.steps_done(steps));
        it->second.train_until(epochs, data, images,
                               [&](std::size_t count) { clock.tick(count); });
        result.note_trouble("network of " + leaf, it->second.trouble());
        const auto value = it->second.accuracy(data, data::Part::Train, holdout.validation);
        result.trials.push_back({i, epochs, value});
        return value;
      }};
      result.chosen = host.selection_(std::span<const LeafCandidate<Space>>(candidates), trials);
      state.trials.clear();
    }
  };

  Settings settings_;
  Strategy strategy_;
  Criterion criterion_;
  Selection selection_;
};

}  // namespace cleave
