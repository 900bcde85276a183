#pragma once

#include <chrono>
#include <cleave/engine/events.hpp>
#include <functional>
#include <utility>

namespace cleave {

/// Saves a run when a stage begins and, inside a stage, when `interval` has passed since the last
/// save. Call it from `RunControl::observe`; what `save` throws ends the run, and an earlier
/// checkpoint is still there.
class Autosave {
 public:
  using Clock = std::chrono::steady_clock;

  Autosave(std::chrono::duration<double> interval, std::function<void()> save)
      : interval_(interval), save_(std::move(save)) {}

  void operator()(const Progress& progress) {
    if (progress.kind == Progress::Kind::Ended) return;  // the next stage begins at once
    if (progress.kind == Progress::Kind::Advanced && Clock::now() - last_ < interval_) return;
    now();
  }

  /// Saves at once: before the program ends on request.
  void now() {
    save_();
    last_ = Clock::now();
  }

 private:
  std::chrono::duration<double> interval_;
  std::function<void()> save_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace cleave
