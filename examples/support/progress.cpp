#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>

namespace example {

namespace {

/// Columns that a line may take: one that wraps could not be wiped again.
std::size_t width() {
  winsize size{};
  constexpr std::size_t most = 140;
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? std::min<std::size_t>(size.ws_col - 1U, most) : 79;
}

std::string describe(const std::string& who, const cleave::Progress& p) {
  const double rate = p.seconds > 0 ? static_cast<double>(p.done) / p.seconds : 0;
  std::string text = fmt::format("{}: {} {} {}", who, cleave::stage_name(p.stage), p.where, p.done);
  if (p.planned > 0) text += fmt::format("/{}", p.planned);
  if (rate > 0) text += fmt::format(", {:.1f}/s", rate);
  if (rate > 0 && p.planned > p.done)
    text += fmt::format(", {:.0f} s left", static_cast<double>(p.planned - p.done) / rate);
  return text;
}

}  // namespace

ProgressLine::ProgressLine(bool quiet)
    : quiet_(quiet), live_(!quiet && isatty(STDERR_FILENO) != 0) {}

void ProgressLine::show(const std::string& who, const cleave::Progress& progress) {
  if (quiet_) return;
  using Kind = cleave::Progress::Kind;
  const std::lock_guard lock(mutex_);
  if (progress.kind == Kind::Ended) {
    running_.erase(who);
    clear();
    const auto what =
        fmt::format("{} {}", cleave::stage_name(progress.stage), progress.where);
    fmt::print(stderr, "{:<9} {:<29} {:>6} steps {:>8} images {:>7.1f} s\n", who, what,
               progress.done, progress.images, progress.seconds);
    return;
  }
  if (!live_) return;
  running_[who] = describe(who, progress);
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < std::chrono::milliseconds(100)) return;
  drawn_ = now;
  std::string line;
  for (const auto& [name, text] : running_) line += (line.empty() ? "" : "  |  ") + text;
  if (const auto most = width(); line.size() > most) line.resize(most);
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (live_) fmt::print(stderr, "\r\x1b[K");
}

}  // namespace example
