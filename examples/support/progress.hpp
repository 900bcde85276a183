#pragma once

#include <chrono>
#include <cleave/engine/events.hpp>
#include <map>
#include <mutex>
#include <string>

namespace example {

/// Shows what is going on: on a terminal one live line with rate and time left, and a plain line
/// for each stage that ends; when piped the plain lines only; nothing when quiet. Writes to
/// standard error, so that standard output holds the result alone. Thread-safe.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const std::string& who, const cleave::Progress& progress);

 private:
  void clear();

  bool quiet_;
  bool live_;
  std::mutex mutex_;
  std::map<std::string, std::string> running_;
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace example
