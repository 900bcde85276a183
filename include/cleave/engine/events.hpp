#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace cleave {

/// What a run is doing.
enum class Stage : std::uint8_t { Training, Scoring, Judging, Selecting, Retraining };

[[nodiscard]] constexpr std::string_view stage_name(Stage stage) noexcept {
  constexpr std::string_view names[] = {"training", "scoring", "judging", "selecting",
                                        "retraining"};
  return names[static_cast<std::size_t>(stage)];
}

constexpr std::size_t count_of(Stage) noexcept { return 5; }

/// A sign of life. `done` counts steps (repeats while scoring, forward passes while judging paths);
/// it is 0 when the stage begins and equals `planned` or less when it ends. `planned` is 0 where
/// nobody knows, as while judging.
struct Progress {
  enum class Kind : std::uint8_t { Began, Advanced, Ended };
  Kind kind = Kind::Advanced;
  Stage stage = Stage::Training;
  std::string_view where{};  ///< "supernet", "supernet 0.1", "leaf 1.0", "network"
  std::size_t done = 0;
  std::size_t planned = 0;
  std::size_t images = 0;    ///< seen by this stage so far
  double seconds = 0;        ///< of this stage so far
};

/// How the outside follows and stops a run. The library itself prints nothing.
struct RunControl {
  std::function<void(const Progress&)> observe = [](const Progress&) {};
  /// Asked between steps; true ends the run after the step in progress with `Interrupted`.
  std::function<bool()> stop_requested = [] { return false; };
  /// Captures the training steps of supernets on a CUDA device as a graph (`StepRunner`), where the
  /// strategy can. Only time and memory depend on it.
  bool capture_steps = false;
};

}  // namespace cleave
