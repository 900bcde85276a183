#pragma once

#include <unistd.h>

#include <chrono>
#include <cleave/archive/folder_lock.hpp>
#include <cleave/core/error.hpp>
#include <cleave/core/replace_file.hpp>
#include <cleave/engine/events.hpp>
#include <cleave/graph/partition.hpp>
#include <cleave/report/cell_svg.hpp>
#include <cleave/report/heat_map_svg.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/space/nasbench201.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace example {

/// Where a run leaves what it found: result.json, events.jsonl, pictures.
class RunDirectory {
 public:
  /// Creates the folder and locks it against other processes. Throws `cleave::IoError` when it
  /// cannot be written or is in use.
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)), lock_(created(path_)) {
    events_.open(path_ / "events.jsonl", std::ios::app);
    if (!events_)
      throw cleave::IoError(fmt::format("output folder {}: cannot write events.jsonl in it; is it "
                                        "writable?", path_.string()));
  }

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Replaces a file as a whole: a reader, or a run cut off here, never meets half of it.
  void write(const std::string& name, const std::string& text) const {
    cleave::replace_file(path_ / name, {std::as_bytes(std::span(text))});
  }

  /// Appends one line to events.jsonl when a stage begins or ends.
  void log(const std::string& who, const cleave::Progress& progress) {
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

 private:
  static const std::filesystem::path& created(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error)
      throw cleave::IoError(fmt::format("output folder {}: {}", path.string(), error.message()));
    return path;
  }

  std::filesystem::path path_;
  cleave::archive::FolderLock lock_;
  std::ofstream events_;
  std::mutex mutex_;
};

/// Heat maps of every split that measured similarities, one picture per split.
template <class Space>
void write_heat_maps(const RunDirectory& directory, const std::string& prefix,
                     const cleave::SearchResult<Space>& result) {
  for (const auto& record : result.splits) {
    std::vector<cleave::report::HeatMap> maps;
    for (const auto& seen : record.outcome.evidence) {
      const cleave::graph::SimilarityMatrix matrix(seen.similarity);
      std::vector<std::vector<std::size_t>> groups;
      for (const auto group : seen.groups) {
        auto& vertices = groups.emplace_back();
        std::size_t vertex = 0;
        for (const auto option : seen.options) {
          if (group.contains(option)) vertices.push_back(vertex);
          ++vertex;
        }
      }
      maps.push_back({.title = "edge " + cleave::decision_name<Space>(seen.decision),
                      .values = matrix,
                      .names = cleave::report::option_names<Space>(seen.decision, seen.options),
                      .partition = cleave::graph::Partition(matrix, groups),
                      .chosen = seen.decision == record.outcome.split.decision});
    }
    if (maps.empty()) continue;
    const auto& path = result.tree[record.node].path;
    const auto where = path.empty() ? std::string("root") : path;
    directory.write(
        fmt::format("{}_split_{}.svg", prefix, where),
        cleave::report::heat_map_svg(
            maps, {.title = fmt::format("Gradient similarity of the options, {} ({} repeats)",
                                        where == "root" ? "supernet" : "supernet " + where,
                                        record.outcome.repeats)}));
  }
}

}  // namespace example
