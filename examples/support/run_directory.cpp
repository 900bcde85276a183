#include "run_directory.hpp"

#include <chrono>
#include <cleave/core/error.hpp>
#include <cleave/core/replace_file.hpp>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <utility>

namespace example {

namespace {

const std::filesystem::path& created(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error)
    throw cleave::IoError(fmt::format("output folder {}: {}", path.string(), error.message()));
  return path;
}

}  // namespace

RunDirectory::RunDirectory(std::filesystem::path path)
    : path_(std::move(path)), lock_(created(path_)) {
  events_.open(path_ / "events.jsonl", std::ios::app);
  if (!events_)
    throw cleave::IoError(fmt::format("output folder {}: cannot write events.jsonl in it; is it "
                                      "writable?", path_.string()));
}

void RunDirectory::write(const std::string& name, const std::string& text) const {
  cleave::replace_file(path_ / name, {std::as_bytes(std::span(text))});
}

void RunDirectory::log(const std::string& who, const cleave::Progress& progress) {
  using Kind = cleave::Progress::Kind;
  if (progress.kind == Kind::Advanced) return;
  const nlohmann::json line = {
      {"time", std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
                   .count()},
      {"run", who},
      {"event", progress.kind == Kind::Began ? "began" : "ended"},
      {"stage", std::string(cleave::stage_name(progress.stage))},
      {"where", std::string(progress.where)},
      {"steps", progress.done},
      {"images", progress.images},
      {"seconds", progress.seconds}};
  const std::lock_guard lock(mutex_);
  events_ << line.dump() << '\n' << std::flush;
}

}  // namespace example
