#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

namespace cleave {

/// A file mapped read-only into memory for as long as the object lives. Move-only.
///
/// Only regular files of at most `max_bytes` are mapped, so that a pipe or a device given by
/// mistake is an error and not a hang. Throws `IoError` with path and the system's reason. If
/// another process shortens the file while it is mapped, reading beyond its new end is fatal:
/// writers in this library therefore replace files by rename and never edit them in place.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path,
                      std::size_t max_bytes = std::size_t{1} << 28) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.number < 0) fail(path, std::strerror(errno));
    struct stat status {};
    if (::fstat(file.number, &status) != 0) fail(path, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) fail(path, "not a regular file");
    const auto bytes = static_cast<std::size_t>(status.st_size);
    if (bytes > max_bytes)
      fail(path, fmt::format("{} bytes, at most {} allowed", bytes, max_bytes));
    if (bytes == 0) return;  // an empty mapping is not allowed; an empty span says it all
    void* start = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (start == MAP_FAILED) fail(path, std::strerror(errno));
    bytes_ = {static_cast<const std::byte*>(start), bytes};
  }

  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  struct Descriptor {
    int number;
    explicit Descriptor(int opened) : number(opened) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
      if (number >= 0) ::close(number);
    }
  };

  [[noreturn]] static void fail(const std::filesystem::path& path, std::string_view reason) {
    throw IoError(fmt::format("cannot read {}: {}", path.string(), reason));
  }

  std::span<const std::byte> bytes_;
};

}  // namespace cleave
