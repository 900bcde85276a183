#pragma once

#include <cleave/core/error.hpp>
#include <exception>
#include <string>

#include "interrupt.hpp"
#include "progress.hpp"
#include "run_directory.hpp"

namespace example {

/// A run that is logged in its folder, shown as progress, and stopped by Ctrl-C.
inline cleave::RunControl watched(RunDirectory& directory, ProgressLine& progress,
                                  const std::string& who) {
  return {[&directory, &progress, who](const cleave::Progress& p) {
            directory.log(who, p);
            progress.show(who, p);
          },
          interrupted};
}

/// Writes what was found before trouble, without hiding the trouble behind its own.
template <class Write>
void keep_what_was_found(Write write) {
  try {
    write();
  } catch (const std::exception& error) {
    fmt::print(stderr, "\n{}\n", error.what());
  }
}

/// Runs a program's work and turns what it throws into one sentence and the exit code: 128 + the
/// signal when it was stopped, 1 for other trouble. `hint` says how to go on after a stop.
template <class Work>
int exit_code_of(const std::string& program, const std::string& out, Work work,
                 const std::string& hint = "; --resume goes on from there") {
  try {
    catch_interrupts();
    work();
  } catch (const cleave::Interrupted& error) {
    fmt::print(stderr, "\n{}; what was found before is in {}{}\n", error.what(), out, hint);
    return 128 + interrupt_signal;
  } catch (const std::exception& error) {
    fmt::print(stderr, "\n{}: {}\n", program, error.what());
    return 1;
  }
  return 0;
}

}  // namespace example
