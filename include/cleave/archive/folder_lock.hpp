#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cleave/core/error.hpp>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <string>
#include <utility>

namespace cleave::archive {

/// Keeps a folder to one process for as long as the object lives: a lock on the file `lock` in
/// it, which names its owner. The system releases the lock when the owner dies, however it
/// dies, so a lock file left behind stops nobody. Move-only.
class FolderLock {
 public:
  /// Throws `IoError` when another process holds the lock (naming it) or the file cannot be made.
  explicit FolderLock(const std::filesystem::path& folder) {
    const auto path = folder / "lock";
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0)
      throw IoError(fmt::format("cannot create {}: {}", path.string(), std::strerror(errno)));
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      const auto owner = content();
      ::close(std::exchange(file_, -1));
      if (error != EWOULDBLOCK)
        throw IoError(fmt::format("cannot lock {}: {}", path.string(), std::strerror(error)));
      throw IoError(fmt::format("{} is in use by {}; let it end, or choose another folder",
                                folder.string(), owner.empty() ? "another process" : owner));
    }
    const auto owner = description();
    if (::ftruncate(file_, 0) != 0 ||
        ::pwrite(file_, owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size())) {
      const int error = errno;
      ::close(std::exchange(file_, -1));
      throw IoError(fmt::format("cannot write {}: {}", path.string(), std::strerror(error)));
    }
  }
  FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~FolderLock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  static std::string description() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> when{};
    std::strftime(when.data(), when.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return fmt::format("process {} on {} since {}", ::getpid(), host.data(), when.data());
  }
  /// What the lock file says, as far as it is plain text: it ends up on somebody's terminal.
  [[nodiscard]] std::string content() const {
    std::array<char, 512> text{};
    const auto count = ::pread(file_, text.data(), text.size() - 1, 0);
    auto* end = text.data() + std::max<ssize_t>(count, 0);
    return {text.data(), std::find_if(text.data(), end, [](char c) { return c < ' ' || c > '~'; })};
  }

  int file_ = -1;
};

}  // namespace cleave::archive
