#pragma once

#include <cleave/archive/snapshot.hpp>
#include <cleave/archive/tensor.hpp>
#include <cleave/engine/result.hpp>
#include <cleave/network/training.hpp>
#include <cleave/strategy/concept.hpp>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace cleave {

/// A node's supernet, what trains it, and how far it is.
template <class Net, class Strategy>
struct LiveNode {
  Net net;
  typename Strategy::template State<Net> state;
  std::size_t epoch = 0;    ///< epochs done
  std::size_t step = 0;     ///< steps done of the epoch under way
  SplitMemory memory{};     ///< similarity matrices of the repeats scored so far
  std::vector<Hits> judged{};  ///< what `PathJudge` has answered so far
  archive::Snapshot epoch_began{};  ///< empty unless trouble is rolled back

  /// Everything that a training step changes.
  template <class F>
  void moving(F&& field) {
    auto weights = net.arena().values();
    field("weights", weights);
    field("strategy", state);
    field("epoch", epoch);
    field("step", step);
  }
  template <class F>
  void fields(F&& field) {
    moving(field);
    field("memory", memory);
    field("judged", judged);
    field("epoch_began", epoch_began);
  }
};

/// Everything a search is between two steps; `SearchRun` moves it on. Nothing else is
/// remembered: random streams are named by node, epoch and step, criteria keep their repeats in
/// `LiveNode::memory`, a strategy that derives again gets the answers it had from
/// `LiveNode::judged`, and a selection that is asked again the trials it had from `result`.
template <class Space, class Strategy, class Net, class Standalone>
struct RunState {
  using Live = LiveNode<Net, Strategy>;
  using Trial = network::Training<Standalone>;

  SearchResult<Space> result{};
  /// Nodes still to visit; the last is next, or under way when it is in `live`.
  std::vector<std::size_t> pending{0};
  /// Supernets under way, and parents that pending children will inherit from.
  std::map<std::size_t, Live> live{};
  /// Finished leaves by node.
  std::map<std::size_t, LeafRecord<Space>> finished{};
  /// Candidates' own networks in training, by candidate.
  std::map<std::size_t, Trial> trials{};
  /// The chosen network in retraining.
  std::optional<Trial> retraining{};

  /// Lists the finished leaves in the tree's order, whatever the order of visits.
  void list_leaves() {
    result.leaves.clear();
    for (const auto node : result.tree.leaves())
      if (const auto found = finished.find(node); found != finished.end())
        result.leaves.push_back(found->second);
  }
};

}  // namespace cleave
