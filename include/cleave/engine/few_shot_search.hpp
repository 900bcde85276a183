#pragma once

#include <algorithm>
#include <cleave/data/accuracy.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/holdout.hpp>
#include <cleave/engine/alpha_health.hpp>
#include <cleave/engine/path_judge.hpp>
#include <cleave/engine/run_state.hpp>
#include <cleave/engine/schedule.hpp>
#include <cleave/engine/stage_clock.hpp>
#include <cleave/network/training.hpp>
#include <cleave/select/successive_halving.hpp>
#include <cleave/split/concept.hpp>
#include <cleave/strategy/concept.hpp>
#include <cleave/strategy/finite.hpp>
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
                "DARTS and SNAS need a supernet whose context is a Mixture "
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
  using Result = SearchResult<Space>;

  struct Settings {
    Schedule schedule{};
    typename Net::Config supernet{};
    typename Standalone::Config network{};  ///< of selection trials
    network::Recipe trial{};                ///< its `epochs` come from the selection
    data::HoldoutOptions holdout{};
    std::size_t batch = 48;
    std::uint64_t seed = 0;
    Restriction<Space> root{};
    bool last_child_first = false;  ///< visits children backwards; the result is the same
  };

  explicit FewShotSearch(Settings settings, Strategy strategy = {}, Criterion criterion = {},
                         Selection selection = {})
      : settings_(std::move(settings)),
        strategy_(std::move(strategy)),
        criterion_(std::move(criterion)),
        selection_(std::move(selection)) {
    settings_.schedule.check();
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

  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

 private:
  using Live = typename State::Live;

  struct KeepResult {
    Result& from;
    Result& to;
    ~KeepResult() { to = std::move(from); }
  };

  [[nodiscard]] Stream stream() const { return Stream(settings_.seed); }

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
      const auto& at = result.tree[node];
      const bool leaf = at.depth == host.settings_.schedule.levels() && at.depth > 0;
      if (at.path.empty()) return "supernet";
      return (leaf ? "leaf " : "supernet ") + at.path;
    }
    [[nodiscard]] Stream stream_of(std::size_t node) const {
      return host.stream().fork("node").fork(result.tree[node].path);
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
      if (depth < schedule.levels() && split(node, live)) {
        state.pending.pop_back();
        auto children = result.tree[node].children;
        if (!host.settings_.last_child_first) std::reverse(children.begin(), children.end());
        state.pending.insert(state.pending.end(), children.begin(), children.end());
        // Children that start afresh do not need the parent: free the memory now.
        if (schedule.restarts(depth + 1)) state.live.erase(node);
      } else {
        finish(node, live);
        state.pending.pop_back();
        state.live.erase(node);
      }
    }

    [[nodiscard]] Live begin(std::size_t node) {
      const auto stream = stream_of(node);
      const auto& at = result.tree[node];
      Net net(at.restriction, host.settings_.supernet, stream.fork("weights"));
      if (node == 0 || host.settings_.schedule.restarts(at.depth)) {
        auto fresh = host.strategy_.start(net, stream.fork("start"));
        return {std::move(net), std::move(fresh)};
      }
      const auto parent = state.live.find(at.parent);
      const auto& from = parent->second;
      net.arena().inherit(from.net.arena(), from.net.arena().values(), net.arena().values());
      auto inherited = host.strategy_.inherit(from.net, from.state, net);
      const bool last_heir =
          std::count_if(state.pending.begin(), state.pending.end(), [&](std::size_t other) {
            return other != 0 && result.tree[other].parent == at.parent;
          }) == 1;
      if (last_heir) state.live.erase(parent);
      return {std::move(net), std::move(inherited)};
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
      StageClock clock(control, result.stages, Stage::Training, where(node), epochs * steps);
      strategy::FiniteGuard guard;
      for (auto& epoch = live.epoch; epoch < epochs; ++epoch, live.step = 0) {
        const auto of_epoch = stream.fork("epoch").fork(epoch);
        const data::EpochOrder weights(holdout.weights, settings.batch, of_epoch.fork("weights"));
        std::optional<data::EpochOrder> search;
        if (update) search.emplace(holdout.search, settings.batch, of_epoch.fork("search"));
        while (live.step < weights.batches()) {
          const auto k = live.step;
          const auto of_step = of_epoch.fork("step").fork(k);
          TrainingStep step;
          step.update_architecture = update;
          step.weights = data.batch(data::Part::Train, weights.batch(k), true,
                                    of_step.fork("weights"));
          if (update)
            step.search = data.batch(data::Part::Train, search->batch(k % search->batches()), true,
                                     of_step.fork("search"));
          step.progress = (static_cast<double>(phase.before + epoch) +
                           static_cast<double>(k) / static_cast<double>(weights.batches())) /
                          static_cast<double>(phase.epochs);
          const auto report =
              host.strategy_.step(live.net, live.state, step, of_step.fork("strategy"));
          guard.check(live.net.arena(), report.loss, report.gradient_norm, [&] {
            return fmt::format("training {}, epoch {}, step {}", where(node), epoch, k);
          });
          ++live.step;
          clock.tick(weights.batch(k).size());
        }
      }
    }

    /// Asks the criterion; false when no decision is left to split.
    bool split(std::size_t node, Live& live) {
      const auto& at = result.tree[node];
      const auto groups = host.settings_.schedule.splits[at.depth].groups;
      const auto open = open_decisions(node, groups);
      if (open.empty()) return false;
      const auto stream = stream_of(node).fork("criterion");
      SplitOutcome outcome;
      {
        StageClock clock(control, result.stages, Stage::Scoring, where(node), 0);
        std::size_t seen = 0;
        std::size_t most = 0;  // repeats that the criterion planned
        typename SplitScene<Net>::Sources sources{
            [&](Stream s) { return host.strategy_.context(live.net, live.state, s); },
            [&](Stream s) {
              const data::EpochOrder order(holdout.weights, host.settings_.batch, s.fork("images"));
              seen += order.batch(0).size();
              return data.batch(data::Part::Train, order.batch(0), true, s.fork("augment"));
            },
            [&](std::size_t done, std::size_t planned) {
              most = planned;
              clock.at(done, planned, std::exchange(seen, 0), 0);
            }};
        const SplitScene<Net> scene(live.net, open, groups, sources, live.memory, stream);
        outcome = host.criterion_(scene);
        clock.at(outcome.repeats, std::max(most, outcome.repeats), std::exchange(seen, 0),
                 outcome.passes);
      }
      result.tree.split(node, outcome.split);
      result.splits.push_back({node, std::move(outcome)});
      return true;
    }

    /// Decisions not split on the way to the node, with enough options.
    [[nodiscard]] std::vector<DecisionId> open_decisions(std::size_t node,
                                                         std::size_t groups) const {
      std::vector<DecisionId> open;
      for (std::size_t d = 0; d < Space::decision_count; ++d) {
        const DecisionId decision(d);
        bool split_before = false;
        for (auto up = node; up != 0; up = result.tree[up].parent)
          split_before |= result.tree[result.tree[up].parent].split->decision == decision;
        if (!split_before && result.tree[node].restriction[decision].size() >= groups)
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
      state.finished.emplace(node, std::move(leaf));
      result.leaves.clear();  // in the tree's order, whatever the order of visits
      for (const auto number : result.tree.leaves())
        if (const auto found = state.finished.find(number); found != state.finished.end())
          result.leaves.push_back(found->second);
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
      std::vector<LeafCandidate<Space>> candidates;
      for (const auto& leaf : result.leaves)
        candidates.push_back({leaf.node, leaf.genotype, leaf.supernet_accuracy});
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
        const auto name = "network of " + where(candidates.at(i).node);
        // One stream for all: candidates differ in their architecture only.
        const auto stream = host.stream().fork("trial");
        auto it = state.trials.find(i);
        if (it == state.trials.end()) {
          auto recipe = host.settings_.trial;
          recipe.epochs = total;
          it = state.trials
                   .emplace(i, network::Training<Standalone>(
                                   Standalone(candidates[i].genotype, host.settings_.network,
                                              stream.fork("weights")),
                                   recipe, stream.fork("training"), name))
                   .first;
        }
        StageClock clock(control, result.stages, Stage::Selecting, name, epochs * steps);
        it->second.train_until(epochs, data, images,
                               [&](std::size_t count) { clock.tick(count); });
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
