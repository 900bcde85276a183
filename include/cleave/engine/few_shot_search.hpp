#pragma once

#include <algorithm>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/holdout.hpp>
#include <cleave/engine/alpha_health.hpp>
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
                "DARTS, SNAS and RSPS need a supernet whose context is a Mixture "
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

  /// Runs to the chosen architecture. `result` is filled as the run goes, so that what was found
  /// before an error or an interruption is there.
  template <data::DataSet D>
  void run(const D& data, const RunControl& control, Result& result) const {
    Run<D> run{*this, data, control, result,
               data::split_train(data.labels(data::Part::Train), settings_.holdout,
                                 stream().fork("holdout"))};
    run.go();
  }

  template <data::DataSet D>
  [[nodiscard]] Result run(const D& data, const RunControl& control = {}) const {
    Result result;
    run(data, control, result);
    return result;
  }

  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

 private:
  using State = typename Strategy::template State<Net>;

  /// A node's supernet and what trains it.
  struct Live {
    Net net;
    State state;
    SplitMemory memory{};
  };

  [[nodiscard]] Stream stream() const { return Stream(settings_.seed); }

  template <data::DataSet D>
  struct Run {
    const FewShotSearch& host;
    const D& data;
    const RunControl& control;
    Result& result;
    data::Holdout holdout;
    std::map<std::size_t, LeafRecord<Space>> finished{};  ///< by node, so that order is no matter

    void go() {
      result = {};
      result.tree = SplitTree<Space>(host.settings_.root);
      visit(0, nullptr);
      for (const auto leaf : result.tree.leaves()) result.leaves.push_back(finished.at(leaf));
      choose();
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

    void visit(std::size_t node, const Live* parent) {
      const auto depth = result.tree[node].depth;
      const auto& schedule = host.settings_.schedule;
      auto live = std::make_unique<Live>(begin(node, parent));
      train(node, *live);
      if (depth < schedule.levels() && split(node, *live)) {
        const bool hands_on = !schedule.restarts(depth + 1);
        if (!hands_on) live.reset();  // the children start afresh: free the memory now
        auto children = result.tree[node].children;
        if (host.settings_.last_child_first) std::reverse(children.begin(), children.end());
        for (const auto child : children) visit(child, live.get());
      } else {
        finish(node, *live);
      }
    }

    [[nodiscard]] Live begin(std::size_t node, const Live* parent) const {
      const auto stream = stream_of(node);
      Net net(result.tree[node].restriction, host.settings_.supernet, stream.fork("weights"));
      if (parent == nullptr) {
        auto state = host.strategy_.start(net, stream.fork("start"));
        return {std::move(net), std::move(state)};
      }
      net.arena().inherit(parent->net.arena(), parent->net.arena().values(), net.arena().values());
      auto state = host.strategy_.inherit(parent->net, parent->state, net);
      return {std::move(net), std::move(state)};
    }

    void train(std::size_t node, Live& live) {
      const auto depth = result.tree[node].depth;
      const auto& settings = host.settings_;
      const auto epochs = settings.schedule.epochs(depth);
      const auto phase = settings.schedule.phase(depth);
      const bool leaf = depth == settings.schedule.levels();
      const auto stream = stream_of(node);
      const auto steps = std::max<std::size_t>(1, holdout.weights.size() / settings.batch);
      StageClock clock(control, result.stages, Stage::Training, where(node), epochs * steps);
      strategy::FiniteGuard guard;
      for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        const auto of_epoch = stream.fork("epoch").fork(epoch);
        const data::EpochOrder weights(holdout.weights, settings.batch, of_epoch.fork("weights"));
        const data::EpochOrder search(holdout.search, settings.batch, of_epoch.fork("search"));
        for (std::size_t k = 0; k < weights.batches(); ++k) {
          const auto of_step = of_epoch.fork("step").fork(k);
          TrainingStep step;
          step.update_architecture = leaf || !settings.schedule.freeze_architecture;
          step.weights = data.batch(data::Part::Train, weights.batch(k), true,
                                    of_step.fork("weights"));
          if (step.update_architecture)
            step.search = data.batch(data::Part::Train, search.batch(k % search.batches()), true,
                                     of_step.fork("search"));
          step.progress = (static_cast<double>(phase.before + epoch) +
                           static_cast<double>(k) / static_cast<double>(weights.batches())) /
                          static_cast<double>(phase.epochs);
          const auto report =
              host.strategy_.step(live.net, live.state, step, of_step.fork("strategy"));
          guard.check(live.net.arena(), report.loss, report.gradient_norm, [&] {
            return fmt::format("training {}, epoch {}, step {}", where(node), epoch, k);
          });
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
        typename SplitScene<Net>::Sources sources{
            [&](Stream s) { return host.strategy_.context(live.net, live.state, s); },
            [&](Stream s) {
              const data::EpochOrder order(holdout.weights, host.settings_.batch, s.fork("images"));
              seen += order.batch(0).size();
              return data.batch(data::Part::Train, order.batch(0), true, s.fork("augment"));
            },
            [&](std::size_t, std::size_t) { clock.tick(std::exchange(seen, 0), 0); }};
        const SplitScene<Net> scene(live.net, open, groups, sources, live.memory, stream);
        outcome = host.criterion_(scene);
        clock.tick(std::exchange(seen, 0), outcome.passes);
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
      const Judge<Net> judge{[&](const typename Net::Context& context, std::size_t images) {
        const auto count = std::min(images, holdout.search.size());
        return accuracy(live.net, context, std::span(holdout.search).first(count));
      }};
      const auto stream = stream_of(node);
      LeafRecord<Space> leaf{.node = node,
                             .genotype = host.strategy_.derive(live.net, live.state, judge,
                                                               stream.fork("derive"))};
      leaf.supernet_accuracy =
          accuracy(live.net, live.net.context_of(leaf.genotype), holdout.validation);
      if constexpr (requires { host.strategy_.option_weights(live.net, live.state); })
        leaf.alpha = alpha_health(live.net.restriction(),
                                  host.strategy_.option_weights(live.net, live.state));
      finished.emplace(node, std::move(leaf));
    }

    /// Accuracy of a context under batch statistics, on images of the train part.
    [[nodiscard]] double accuracy(const Net& net, const typename Net::Context& context,
                                  std::span<const std::int64_t> images) const {
      if (images.empty()) return 0;
      const at::NoGradGuard no_grad;
      const data::SequentialBatches batches(images, evaluation_batch);
      at::Tensor correct;
      for (std::size_t k = 0; k < batches.batches(); ++k) {
        const auto batch = data.batch(data::Part::Train, batches.batch(k), false, Stream());
        const auto hits =
            net.forward(batch.images, context).argmax(1).eq(batch.labels).sum();
        correct = correct.defined() ? correct.add(hits) : hits;
      }
      return static_cast<double>(correct.template item<std::int64_t>()) /
             static_cast<double>(images.size());
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
      std::map<std::size_t, network::Training<Standalone>> running;
      const auto steps = std::max<std::size_t>(1, images.size() / host.settings_.trial.batch);
      const Trials trials{[&](std::size_t i, std::size_t epochs, std::size_t total) {
        const auto name = "network of " + where(candidates.at(i).node);
        // One stream for all: candidates differ in their architecture only.
        const auto stream = host.stream().fork("trial");
        auto it = running.find(i);
        if (it == running.end()) {
          auto recipe = host.settings_.trial;
          recipe.epochs = total;
          it = running
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
    }

    static constexpr std::size_t evaluation_batch = 256;
  };

  Settings settings_;
  Strategy strategy_;
  Criterion criterion_;
  Selection selection_;
};

}  // namespace cleave
