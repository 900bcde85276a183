#pragma once

#include <cleave/engine/retrain.hpp>
#include <cleave/engine/run_state.hpp>
#include <cleave/engine/search_settings.hpp>
#include <cleave/network/training.hpp>
#include <cstddef>
#include <string>
#include <utility>

namespace cleave {

/// What a search is told except for where to split and which leaf to choose, and how its parts
/// begin: supernets, candidates' networks, the chosen one. What is begun depends on the settings
/// and on names in the tree alone, so a stopped run makes the same again and fills it.
template <class Space, class Strategy, class Net, class Standalone>
class SearchPlan {
 public:
  using SpaceType = Space;
  using StrategyType = Strategy;
  using NetType = Net;
  using Settings = SearchSettings<Space, typename Net::Config, typename Standalone::Config>;
  using State = RunState<Space, Strategy, Net, Standalone>;
  using Live = typename State::Live;
  using Trial = typename State::Trial;

  /// Throws `ValueError` for settings that contradict each other.
  SearchPlan(Settings settings, Strategy strategy)
      : settings_(std::move(settings)), strategy_(std::move(strategy)) {
    settings_.schedule.check();
    check_decisions_left();
    if (settings_.schedule.levels() > 0 && settings_.holdout.validation == 0)
      throw ValueError("few-shot search: holdout.validation is 0, but leaves are compared on those "
                       "images; leave some, 0.1 is the default");
  }

  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
  [[nodiscard]] const Strategy& strategy() const noexcept { return strategy_; }

  /// A run's state before its first step.
  [[nodiscard]] State start() const {
    State state;
    state.result.tree = SplitTree<Space>(settings_.root);
    return state;
  }

  [[nodiscard]] Stream stream() const { return Stream(settings_.seed); }
  /// Of a node: named by its path.
  [[nodiscard]] Stream stream_of(const SplitTree<Space>& tree, std::size_t node) const {
    return stream().fork("node").fork(tree[node].path);
  }

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

  Settings settings_;
  Strategy strategy_;
};

}  // namespace cleave
