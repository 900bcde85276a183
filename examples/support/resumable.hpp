#pragma once

#include <cleave/engine/autosave.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "program.hpp"
#include "run_directory.hpp"

namespace example {

/// What the command line says about going on with a run.
struct ResumeOptions {
  bool resume = false;
  std::vector<std::string> may_change{};
  double every = 60;  ///< seconds between two checkpoints
};

inline void declare(CLI::App& app, ResumeOptions& options) {
  app.add_flag("--resume", options.resume,
               "go on with the run in the folder given by --out, from its last checkpoint (from the "
               "start where there is none yet)");
  app.add_option("--may-change", options.may_change,
                 "settings that may differ from the stopped run's, by the names the refusal lists");
  app.add_option("--checkpoint-every", options.every, "seconds between two checkpoints")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

/// A search and its retraining that lose nothing when the program dies: the whole state lies in
/// `checkpoint` in the run folder until the run is complete.
template <class Search>
class Resumable {
 public:
  /// Throws `cleave::ValueError` for a folder with an incomplete run that nobody asked to resume,
  /// and what `cleave::load_checkpoint` throws.
  Resumable(const Search& search, cleave::SettingsList settings, const RunDirectory& directory,
            const ResumeOptions& options)
      : search_(search),
        settings_(std::move(settings)),
        path_(directory.path() / "checkpoint"),
        every_(options.every),
        state_(search.start()) {
    const bool there = std::filesystem::exists(path_);
    if (there && !options.resume)
      throw cleave::ValueError(fmt::format(
          "{} holds a run that is not complete: --resume goes on with it, another --out leaves it "
          "alone", directory.path().string()));
    if (there)
      state_ = cleave::load_checkpoint(path_, search_, settings_, options.may_change);
    else if (options.resume && std::filesystem::exists(directory.path() / "result.json"))
      throw cleave::ValueError(
          fmt::format("{} holds a complete run and no checkpoint; there is nothing to resume",
                      directory.path().string()));
  }

  /// `run`, and whatever ends it: `write(result, trouble)` writes what was found, with an empty
  /// `trouble` when the run is complete; then the checkpoint goes.
  template <class Data, class Write>
  void run_and_write(const Data& data, const Data& retraining_data, cleave::RunControl control,
                     Write write) {
    try {
      run(data, retraining_data, std::move(control));
    } catch (const std::exception& error) {
      keep_what_was_found([&] { write(state_.result, std::string(error.what())); });
      throw;
    }
    write(state_.result, std::string());
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  /// Runs to the end, from wherever the state is; retraining may see other augmentation. When the
  /// run is asked to stop, what was done is saved first.
  template <class Data>
  void run(const Data& data, const Data& retraining_data, cleave::RunControl control) {
    cleave::Autosave autosave(std::chrono::duration<double>(every_), [this] { save(); });
    control.observe = [&autosave, observe = control.observe](const cleave::Progress& progress) {
      autosave(progress);
      observe(progress);
    };
    try {
      search_.run(data, control, state_);
      search_.retrain(retraining_data, control, state_);
    } catch (const cleave::Interrupted&) {
      autosave.now();
      throw;
    }
    autosave.now();  // until the results are written, this is where they are
  }

  void save() { cleave::save_checkpoint<Search>(path_, settings_, state_); }

  const Search& search_;
  cleave::SettingsList settings_;
  std::filesystem::path path_;
  double every_;
  typename Search::State state_;
};

}  // namespace example
