#pragma once

#include <algorithm>
#include <chrono>
#include <cleave/core/error.hpp>
#include <cleave/engine/result.hpp>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

/// Times one stage, keeps its record up to date, and tells the observer. A stage that was
/// interrupted, or comes in parts (a trial's rungs), goes on with the record it has: a run that was
/// stopped reports what the unbroken one does.
class StageClock {
 public:
  /// `done` of the `planned` units of work are behind.
  StageClock(const RunControl& control, std::vector<StageRecord>& records, Stage stage,
             std::string where, std::size_t planned, std::size_t done = 0)
      : control_(control), records_(records), planned_(planned), done_(done) {
    const auto known = std::find_if(records.begin(), records.end(), [&](const StageRecord& record) {
      return record.stage == stage && record.where == where;
    });
    index_ = static_cast<std::size_t>(known - records.begin());
    if (known == records.end()) records.push_back({.stage = stage, .where = std::move(where)});
    before_ = record().seconds;
    tell(Progress::Kind::Began);
  }
  StageClock(const StageClock&) = delete;
  StageClock& operator=(const StageClock&) = delete;
  ~StageClock() {
    try {
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
    record().steps += steps;
    record().images += images;
    done_ = done;
    planned_ = planned;
    tell(Progress::Kind::Advanced);
    if (control_.stop_requested())
      throw Interrupted(fmt::format("stopped on request while {} {}, after {}{} steps",
                                    stage_name(record().stage), record().where, done_,
                                    planned_ > 0 ? fmt::format(" of {}", planned_) : ""));
  }

 private:
  [[nodiscard]] StageRecord& record() const { return records_[index_]; }

  void tell(Progress::Kind kind) const {
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - began_;
    record().seconds = before_ + since.count();
    control_.observe({.kind = kind,
                      .stage = record().stage,
                      .where = record().where,
                      .done = done_,
                      .planned = planned_,
                      .images = record().images,
                      .seconds = record().seconds});
  }

  const RunControl& control_;
  std::vector<StageRecord>& records_;
  std::size_t index_ = 0;  ///< of the record; others may be added meanwhile
  double before_ = 0;      ///< seconds of earlier parts
  std::size_t planned_;
  std::size_t done_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace cleave
