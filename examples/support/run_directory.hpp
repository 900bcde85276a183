#pragma once

#include <cleave/archive/folder_lock.hpp>
#include <cleave/engine/events.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>

namespace example {

/// Where a run leaves what it found: result.json, events.jsonl, pictures.
class RunDirectory {
 public:
  /// Creates the folder and locks it against other processes. Throws `cleave::IoError` when it
  /// cannot be written or is in use.
  explicit RunDirectory(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Replaces a file as a whole: a reader, or a run cut off here, never meets half of it.
  void write(const std::string& name, const std::string& text) const;

  /// Appends one line to events.jsonl when a stage begins or ends.
  void log(const std::string& who, const cleave::Progress& progress);

 private:
  std::filesystem::path path_;
  cleave::archive::FolderLock lock_;
  std::ofstream events_;
  std::mutex mutex_;
};

}  // namespace example
