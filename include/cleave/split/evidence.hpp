#pragma once

#include <Eigen/Core>
#include <cleave/graph/to_split.hpp>
#include <cleave/split/split.hpp>
#include <cstddef>
#include <string>
#include <vector>

namespace cleave {

/// What a criterion saw at one decision: enough to draw the heat map and to question the choice.
struct DecisionEvidence {
  DecisionId decision;
  OptionSet options;             ///< row k of `similarity` is the k-th of these
  Eigen::MatrixXd similarity;    ///< mean over the repeats; empty when nothing was measured
  std::vector<OptionSet> groups; ///< the best partition found for this decision
  double cut = 0;                ///< similarity between groups
  double within = 0;             ///< similarity inside groups
  double normalised_cut = 0;     ///< cut per pair of options it separates

  template <class F>
  void fields(F&& field) {
    field("decision", decision);
    field("options", options);
    field("similarity", similarity);
    field("groups", groups);
    field("cut", cut);
    field("within", within);
    field("normalised_cut", normalised_cut);
  }
};

/// A criterion's answer.
struct SplitOutcome {
  Split split;
  std::vector<DecisionEvidence> evidence{};  ///< of every decision it looked at
  std::size_t repeats = 0;                   ///< contexts and batches used
  std::size_t passes = 0;                    ///< children looked at, at most a pass each

  template <class F>
  void fields(F&& field) {
    field("decision", split.decision);
    field("groups", split.groups);
    field("evidence", evidence);
    field("repeats", repeats);
    field("passes", passes);
  }
};

/// Similarity matrices of the repeats so far, [repeat][decision looked at]; 0 x 0 where a repeat no
/// longer looked at a decision. The engine owns it, so that a run stopped in the middle of scoring
/// goes on where it was.
using SplitMemory = std::vector<std::vector<Eigen::MatrixXd>>;

/// Children behind these repeats, one per option looked at: forward and backward passes, at most.
[[nodiscard]] inline std::size_t passes_in(const SplitMemory& memory) {
  std::size_t passes = 0;
  for (const auto& repeat : memory)
    for (const auto& matrix : repeat) passes += static_cast<std::size_t>(matrix.rows());
  return passes;
}

}  // namespace cleave
