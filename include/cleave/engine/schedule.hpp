#pragma once

#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cleave {

/// When sub-supernets start from fresh weights, alphas, moments and schedule. Otherwise children
/// inherit all of them.
enum class Restart : std::uint8_t { None, EverySplit, LastSplit };

/// A split after `epoch` epochs since the start, into `groups` children.
struct SplitPoint {
  std::size_t epoch = 0;
  std::size_t groups = 2;
  template <class F>
  void fields(F&& field) const {
    field("epoch", epoch);
    field("groups", groups);
  }
};

/// Epochs, splits and restarts of a search (the rows of method.md section 3). No split is
/// one-shot search.
struct Schedule {
  std::vector<SplitPoint> splits{};  ///< epochs increasing
  std::size_t final_epochs = 30;     ///< of every leaf after the last split
  Restart restart = Restart::LastSplit;
  bool freeze_architecture = true;   ///< no alpha updates before the last split
  template <class F>
  void fields(F&& field) const {
    field("splits", splits);
    field("final_epochs", final_epochs);
    field("restart", restart);
    field("freeze_architecture", freeze_architecture);
  }

  [[nodiscard]] std::size_t levels() const noexcept { return splits.size(); }

  /// Epochs a node at `depth` trains itself.
  [[nodiscard]] std::size_t epochs(std::size_t depth) const {
    if (depth == levels()) return final_epochs;
    return splits[depth].epoch - (depth == 0 ? 0 : splits[depth - 1].epoch);
  }

  [[nodiscard]] bool restarts(std::size_t depth) const noexcept {
    return depth > 0 && (restart == Restart::EverySplit ||
                         (restart == Restart::LastSplit && depth == levels()));
  }

  /// The phase, from restart to restart, that a node at `depth` trains in: learning rates and
  /// temperatures run over it and end with it.
  struct Phase {
    std::size_t before = 0;  ///< epochs of the phase behind a node's start
    std::size_t epochs = 0;  ///< of the whole phase
  };
  [[nodiscard]] Phase phase(std::size_t depth) const {
    std::size_t first = depth;
    while (first > 0 && !restarts(first)) --first;
    Phase result;
    for (std::size_t d = first; d <= levels() && (d == first || !restarts(d)); ++d) {
      if (d < depth) result.before += epochs(d);
      result.epochs += epochs(d);
    }
    return result;
  }

  /// Throws `ValueError` for epochs that do not increase, fewer than two groups, no final epoch.
  void check() const {
    std::size_t last = 0;
    for (const auto& split : splits) {
      if (split.epoch < last || (split.epoch == last && &split != &splits.front()))
        throw ValueError(fmt::format("schedule: split at epoch {} after one at {}; epochs must "
                                     "increase", split.epoch, last));
      if (split.groups < 2)
        throw ValueError(fmt::format("schedule: a split into {} groups, at least 2 are needed",
                                     split.groups));
      last = split.epoch;
    }
    if (final_epochs == 0)
      throw ValueError("schedule: 0 final epochs, at least 1 is needed");
  }
};

}  // namespace cleave
