#pragma once

#include <atomic>
#include <csignal>

namespace example {

inline std::atomic<int> interrupt_signal{0};

/// Makes Ctrl-C and SIGTERM ask the run to stop after the step in progress; a second one kills.
inline void catch_interrupts() {
  const auto handler = [](int signal) {
    interrupt_signal = signal;
    std::signal(signal, SIG_DFL);
  };
  std::signal(SIGINT, handler);
  std::signal(SIGTERM, handler);
}

[[nodiscard]] inline bool interrupted() { return interrupt_signal != 0; }

}  // namespace example
