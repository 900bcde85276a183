#pragma once

#include <chrono>
#include <cleave/core/error.hpp>
#include <cleave/engine/result.hpp>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

/// Times one stage, tells the observer, and writes the record when the stage ends, however it
/// ends.
class StageClock {
 public:
  StageClock(const RunControl& control, std::vector<StageRecord>& records, Stage stage,
             std::string where, std::size_t planned)
      : control_(control), records_(records), planned_(planned) {
    record_.stage = stage;
    record_.where = std::move(where);
    tell(Progress::Kind::Began);
  }
  StageClock(const StageClock&) = delete;
  StageClock& operator=(const StageClock&) = delete;
  ~StageClock() {
    record_.seconds = seconds();
    try {
      records_.push_back(record_);
      tell(Progress::Kind::Ended);
    } catch (...) {  // an observer that throws here must not hide the error under way
    }
  }

  /// Counts one unit of work. Throws `Interrupted` when the user asked the run to stop.
  void tick(std::size_t images, std::size_t steps = 1) {
    at(done_ + 1, planned_, images, steps);
  }

  /// The same for work that counts itself: `done` of at most `planned` units.
  void at(std::size_t done, std::size_t planned, std::size_t images, std::size_t steps) {
    record_.steps += steps;
    record_.images += images;
    done_ = done;
    planned_ = planned;
    tell(Progress::Kind::Advanced);
    if (control_.stop_requested())
      throw Interrupted(fmt::format("stopped on request while {} {}, after {}{} steps",
                                    stage_name(record_.stage), record_.where, done_,
                                    planned_ > 0 ? fmt::format(" of {}", planned_) : ""));
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

 private:
  void tell(Progress::Kind kind) const {
    control_.observe({.kind = kind,
                      .stage = record_.stage,
                      .where = record_.where,
                      .done = done_,
                      .planned = planned_,
                      .images = record_.images,
                      .seconds = seconds()});
  }

  const RunControl& control_;
  std::vector<StageRecord>& records_;
  StageRecord record_;
  std::size_t planned_;
  std::size_t done_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace cleave
