#pragma once

#include <cleave/engine/events.hpp>
#include <cleave/select/concept.hpp>
#include <cleave/space/genotype.hpp>
#include <cleave/split/evidence.hpp>
#include <cleave/split/tree.hpp>
#include <cleave/strategy/trouble.hpp>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

/// One stage at one place: what it cost, all its parts together when the run was interrupted.
struct StageRecord {
  Stage stage = Stage::Training;
  std::string where;
  std::size_t steps = 0;  ///< optimiser steps; forward-and-backward passes while scoring; forward
                          ///< passes while judging
  std::size_t images = 0;
  double seconds = 0;

  template <class F>
  void fields(F&& field) {
    field("stage", stage);
    field("where", where);
    field("steps", steps);
    field("images", images);
    field("seconds", seconds);
  }
};

/// How a leaf's architecture weights ended; what alpha collapse looks like from outside.
struct AlphaHealth {
  double entropy = 0;     ///< mean over decisions, 1 = uniform over the allowed options
  double skip_share = 0;  ///< mean weight of options named skip...
  double none_share = 0;  ///< mean weight of the option named none
  std::optional<double> sharpness{};  ///< dominant eigenvalue of the Hessian in alpha, if asked for

  template <class F>
  void fields(F&& field) {
    field("entropy", entropy);
    field("skip_share", skip_share);
    field("none_share", none_share);
    field("sharpness", sharpness);
  }
};

/// A finished leaf.
template <class Space>
struct LeafRecord {
  std::size_t node = 0;
  Genotype<Space> genotype{};
  double supernet_accuracy = 0;  ///< on held-out validation images
  std::optional<AlphaHealth> alpha{};
};

/// A split as it was decided.
struct SplitRecord {
  std::size_t node = 0;
  SplitOutcome outcome{};

  template <class F>
  void fields(F&& field) {
    field("node", node);
    field("outcome", outcome);
  }
};

/// Validation accuracies of one candidate's trials, by epochs.
struct TrialRecord {
  std::size_t candidate = 0;
  std::size_t epochs = 0;
  double accuracy = 0;

  template <class F>
  void fields(F&& field) {
    field("candidate", candidate);
    field("epochs", epochs);
    field("accuracy", accuracy);
  }
};

/// What retraining the chosen architecture gave.
struct RetrainRecord {
  double test_accuracy = 0;  ///< in [0, 1], on the whole test part, looked at once, at the end
  std::size_t parameters = 0;  ///< of the tested network: an auxiliary head does not count
  std::size_t test_images = 0;

  template <class F>
  void fields(F&& field) {
    field("test_accuracy", test_accuracy);
    field("parameters", parameters);
    field("test_images", test_images);
  }
};

/// Everything a search found, in the order in which it was found.
template <class Space>
struct SearchResult {
  SplitTree<Space> tree{};
  std::vector<SplitRecord> splits{};
  std::vector<LeafRecord<Space>> leaves{};
  std::vector<TrialRecord> trials{};
  std::optional<std::size_t> chosen{};  ///< index into `leaves`
  std::vector<StageRecord> stages{};
  std::optional<RetrainRecord> retrained{};
  /// What was not finite and was not the end of the run, by place ("leaf 1.0").
  std::map<std::string, strategy::Trouble> trouble{};

  /// Keeps what a network's training had to skip or begin again, if anything.
  void note_trouble(const std::string& where, const strategy::Trouble& what) {
    if (what.skipped + what.rolled_back > 0) trouble[where] = what;
  }

  /// Optimiser steps of supernet training, all nodes together.
  [[nodiscard]] std::size_t search_steps() const {
    std::size_t steps = 0;
    for (const auto& record : stages)
      if (record.stage == Stage::Training) steps += record.steps;
    return steps;
  }
  /// The leaves as a selection sees them.
  [[nodiscard]] std::vector<LeafCandidate<Space>> candidates() const {
    std::vector<LeafCandidate<Space>> list;
    for (const auto& leaf : leaves)
      list.push_back({leaf.node, leaf.genotype, leaf.supernet_accuracy});
    return list;
  }
  /// The leaf that some selection takes, on the trials that were made: what another one than the
  /// search's would have chosen. Throws `ValueError` when it asks for a trial that was not made, and
  /// when there is no leaf.
  template <class Selection>
  [[nodiscard]] std::size_t chosen_by(const Selection& selection) const {
    const auto list = candidates();
    if (list.empty()) throw ValueError("search result: no leaf to choose");
    const Trials made{[this](std::size_t candidate, std::size_t epochs, std::size_t) {
      for (const auto& trial : trials)
        if (trial.candidate == candidate && trial.epochs == epochs) return trial.accuracy;
      throw ValueError(fmt::format("search result: leaf {} was not tried for {} epochs", candidate,
                                   epochs));
    }};
    return selection(std::span<const LeafCandidate<Space>>(list), made);
  }
  /// The chosen architecture. Throws `ValueError` before one was chosen.
  [[nodiscard]] const Genotype<Space>& genotype() const {
    if (!chosen) throw ValueError("search result: no leaf has been chosen");
    return leaves.at(*chosen).genotype;
  }
};

}  // namespace cleave
