#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <span>

namespace cleave {

/// Writes a file, given in pieces, so that at every moment the path leads to a whole one, the old or
/// the new, whatever dies: into `PATH.new`, fsync, rename, fsync of the folder. Throws `IoError` with
/// the system's reason; what stood at the path is then still there.
inline void replace_file(const std::filesystem::path& path,
                         std::initializer_list<std::span<const std::byte>> pieces) {
  const auto draft = std::filesystem::path(path).concat(".new");
  const auto fail = [&](const char* what) {
    const int error = errno;
    std::remove(draft.c_str());
    throw IoError(fmt::format("cannot {} {}: {}; an earlier {} is untouched", what, draft.string(),
                              std::strerror(error), path.filename().string()));
  };
  const auto write_all = [](int file, std::span<const std::byte> data) {
    while (!data.empty()) {
      const auto done = ::write(file, data.data(), data.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return false;
      data = data.subspan(static_cast<std::size_t>(done));
    }
    return true;
  };
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) fail("create");
  bool written = true;
  for (const auto piece : pieces) written = written && write_all(file, piece);
  written = written && ::fsync(file) == 0;
  const int error = errno;
  const bool closed = ::close(file) == 0;
  if (!written) errno = error;
  if (!written || !closed) fail("write");
  if (std::rename(draft.c_str(), path.c_str()) != 0) fail("rename");
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;  // the file is whole; only its name may not outlive a power cut
  ::fsync(directory);
  ::close(directory);
}

}  // namespace cleave
