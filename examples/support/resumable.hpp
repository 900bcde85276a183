#pragma once

#include <cleave/engine/autosave.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "command_line.hpp"
#include "program.hpp"
#include "run_directory.hpp"

namespace example {

/// What the command line says about going on with a run.
struct ResumeOptions {
  bool resume = false;
  std::vector<std::string> may_change{};
  double every = 60;  ///< seconds between two checkpoints
};

inline void declare(CommandLine& line, ResumeOptions& options) {
  line.option("--resume", options.resume,
              "go on with the run in the folder given by --out, from its last checkpoint (from the "
              "start where there is none yet)");
  line.option("--may-change", options.may_change,
              "settings that may differ from the stopped run's, by the names the refusal lists");
  line.option("--checkpoint-every", options.every, "seconds between two checkpoints",
              between(0.0, 1e6));
}

/// The options of every program that trains: seed, device, threads, `folder` (what --out is for),
/// resuming, quiet.
template <class Options>
void declare_run(CommandLine& line, Options& o, const std::string& folder) {
  line.setting("--seed", o.seed, "seed of everything random", at_least(0));
  line.setting("--device", o.device, "cpu, cuda or cuda:N");
  line.option("--threads", o.threads, "threads of the tensor operations; 0 = one per core",
              between(0, 1024));
  line.option("--out", o.out, folder);
  declare(line, o.resume);
  line.option("--quiet", o.quiet, "no progress");
}

/// The files in which a run folder keeps what is not complete: `checkpoint`, or one for each of
/// several searches. A draft that was being written does not count.
[[nodiscard]] inline std::vector<std::filesystem::path> checkpoints_in(
    const RunDirectory& directory) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    if (const auto name = entry.path().filename().string();
        name.starts_with("checkpoint") && !name.ends_with(".new"))
      found.push_back(entry.path());
  return found;
}

/// Throws `cleave::ValueError` for a folder with an incomplete run that nobody asked to resume, and
/// for one with a complete run, which has written `results`, that somebody did.
inline void check_resume(const RunDirectory& directory, const ResumeOptions& options,
                         const std::string& results = "result.json") {
  const bool there = !checkpoints_in(directory).empty();
  const auto folder = directory.path().string();
  if (there && !options.resume)
    throw cleave::ValueError(fmt::format(
        "{} holds a run that is not complete: --resume goes on with it, another --out leaves it "
        "alone", folder));
  if (!there && options.resume && std::filesystem::exists(directory.path() / results))
    throw cleave::ValueError(
        fmt::format("{} holds a complete run and no checkpoint; there is nothing to resume", folder));
}

/// When the results are written, what led to them may go.
inline void forget_checkpoints(const RunDirectory& directory) {
  std::error_code ignored;
  for (const auto& path : checkpoints_in(directory)) std::filesystem::remove(path, ignored);
}

/// `work(control)`, saved when a stage begins, every so many seconds, when the run is asked to stop,
/// and at the end: until the results are written, that is where they are.
template <class Save, class Work>
void keep_saving(double every, cleave::RunControl control, Save save, Work work) {
  cleave::Autosave autosave(std::chrono::duration<double>(every), save);
  control.observe = [&autosave, observe = control.observe](const cleave::Progress& progress) {
    autosave(progress);
    observe(progress);
  };
  try {
    work(control);
  } catch (const cleave::Interrupted&) {
    autosave.now();
    throw;
  }
  autosave.now();
}

/// A search and its retraining that lose nothing when the program dies: the whole state lies in a
/// file of the run folder.
template <class Search>
class Resumable {
 public:
  /// Goes on from the file where there is one (see `check_resume`). Throws what
  /// `cleave::load_checkpoint` throws.
  Resumable(const Search& search, cleave::SettingsList settings, const RunDirectory& directory,
            const ResumeOptions& options, const std::string& file = "checkpoint")
      : search_(search),
        settings_(std::move(settings)),
        path_(directory.path() / file),
        every_(options.every),
        state_(search.start()) {
    if (std::filesystem::exists(path_))
      state_ = cleave::load_checkpoint(path_, search_.plan(), settings_, options.may_change);
  }

  /// Runs to the end, from wherever the state is; retraining may see other augmentation.
  template <class Data>
  void run(const Data& data, const Data& retraining_data, cleave::RunControl control) {
    keep_saving(
        every_, std::move(control),
        [this] { cleave::save_checkpoint(path_, settings_, state_); },
        [&](const cleave::RunControl& saving) {
          search_.run(data, saving, state_);
          search_.retrain(retraining_data, saving, state_);
        });
  }
  [[nodiscard]] const typename Search::Result& result() const noexcept { return state_.result; }

 private:
  const Search& search_;
  cleave::SettingsList settings_;
  std::filesystem::path path_;
  double every_;
  typename Search::State state_;
};

/// The same for a retraining without a search; `run` is made afresh with the same arguments.
template <cleave::Network N, class Optimiser = cleave::strategy::Sgd>
class ResumableRetraining {
 public:
  ResumableRetraining(cleave::RetrainRun<N, Optimiser> run, cleave::SettingsList settings,
                      const RunDirectory& directory, const ResumeOptions& options,
                      const std::string& file = "checkpoint")
      : run_(std::move(run)),
        settings_(std::move(settings)),
        path_(directory.path() / file),
        every_(options.every) {
    if (std::filesystem::exists(path_))
      cleave::load_checkpoint(path_, run_, settings_, options.may_change);
  }

  template <class Data>
  void run(const Data& data, cleave::RunControl control) {
    keep_saving(
        every_, std::move(control), [this] { cleave::save_checkpoint(path_, settings_, run_); },
        [&](const cleave::RunControl& saving) { run_.finish(data, saving, "network"); });
  }
  [[nodiscard]] const cleave::RetrainRun<N, Optimiser>& state() const noexcept { return run_; }
  /// What was tested: the mean weights, where the recipe has them.
  [[nodiscard]] N& net() {
    run_.training.keep_mean();
    return run_.training.net();
  }

 private:
  cleave::RetrainRun<N, Optimiser> run_;
  cleave::SettingsList settings_;
  std::filesystem::path path_;
  double every_;
};

/// A program's one search, and whatever ends it: `write(result, settings, trouble)` writes what was
/// found and every setting by name, with an empty `trouble` when the run is complete; then the
/// checkpoint goes.
template <class Search, class Data, class Write>
void run_and_write(const Search& search, const cleave::SettingsList& settings,
                   const RunDirectory& directory, const ResumeOptions& options, const Data& data,
                   const Data& retraining_data, cleave::RunControl control, Write write) {
  check_resume(directory, options);
  Resumable<Search> resumable(search, settings, directory, options);
  try {
    resumable.run(data, retraining_data, std::move(control));
  } catch (const std::exception& error) {
    keep_what_was_found(
        [&] { write(resumable.result(), settings.values(), std::string(error.what())); });
    throw;
  }
  write(resumable.result(), settings.values(), std::string());
  forget_checkpoints(directory);
}

}  // namespace example
