#pragma once

#include <algorithm>
#include <cleave/engine/autosave.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "run_directory.hpp"

namespace example {

/// What the command line says about going on with a run.
struct ResumeOptions {
  bool resume = false;
  std::vector<std::string> may_change{};
  double every = 60;  ///< seconds between two checkpoints
};

/// A search and its retraining that lose nothing when the program dies: the whole state lies in
/// `checkpoint` in the run folder until the run is complete.
template <class Search, class Data>
class Resumable {
 public:
  Resumable(const Search& search, const Data& data, const RunDirectory& directory,
            const ResumeOptions& options)
      : search_(search),
        data_(data),
        path_(directory.path() / "checkpoint"),
        options_(options),
        settings_(cleave::settings_of(search, data)),
        state_(search.start()) {
    const bool there = std::filesystem::exists(path_);
    if (there && !options.resume)
      throw cleave::ValueError(fmt::format(
          "{} holds a run that is not complete; --resume goes on with it, another --out leaves it "
          "alone", directory.path().string()));
    if (there)
      state_ = cleave::load_checkpoint(path_, search_, settings_, options.may_change);
  }

  [[nodiscard]] const typename Search::Result& result() const { return state_.result; }

  /// Runs to the end, from wherever the state is. On request to stop, and when something goes
  /// wrong, what was done is saved first.
  void run(cleave::RunControl control) {
    cleave::Autosave autosave(std::chrono::duration<double>(options_.every), [this] { save(); });
    control.observe = [&, observe = control.observe](const cleave::Progress& progress) {
      autosave(progress);
      observe(progress);
    };
    try {
      search_.run(data_, control, state_);
      search_.retrain(data_, control, state_);
    } catch (const cleave::Interrupted&) {
      autosave.now();
      throw;
    }
    autosave.now();  // until the results are written, this is where they are
  }

  /// Call it when the results are on disk: the run is complete.
  void complete() const {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  void save() { cleave::save_checkpoint<Search>(path_, settings_, state_); }

  const Search& search_;
  const Data& data_;
  std::filesystem::path path_;
  ResumeOptions options_;
  cleave::SettingsList settings_;
  typename Search::State state_;
};

}  // namespace example
