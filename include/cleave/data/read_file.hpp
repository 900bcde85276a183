#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace cleave::data {

/// The bytes of a regular file. Throws `IoError` when it is missing, unreadable, not a regular
/// file (a pipe given by mistake is an error and not a hang) or changes its size meanwhile, and
/// `DataError` when it is larger than `max_bytes`, before anything is allocated.
[[nodiscard]] inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path,
                                                         std::size_t max_bytes) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  const auto fail = [&](std::string_view reason) {
    throw IoError(fmt::format("cannot read {}: {}", path.string(), reason));
  };
  if (status.type() == std::filesystem::file_type::not_found) fail("no such file");
  if (!std::filesystem::status_known(status)) fail(error.message());
  if (!std::filesystem::is_regular_file(status)) fail("not a regular file");
  const auto size = std::filesystem::file_size(path, error);
  if (error) fail(error.message());
  if (size > max_bytes)
    throw DataError(
        fmt::format("{}: {} bytes, at most {} allowed", path.string(), size, max_bytes));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (!file) fail(std::strerror(errno));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  const std::size_t got = std::fread(bytes.data(), 1, bytes.size(), file.get());
  if (got != bytes.size() || std::fgetc(file.get()) != EOF)
    fail(fmt::format("the file changed while it was read, at byte {}", got));
  return bytes;
}

/// Reads one small file after another into memory that is kept. Three system calls where
/// `read_file` needs seven, which counts when a file is decoded in microseconds. One object per
/// thread.
class FileReader {
 public:
  /// The bytes of a file; valid until the next call. Throws as `read_file`.
  std::span<const std::uint8_t> operator()(const std::string& path, std::size_t max_bytes) {
    // A pipe given by mistake must not be waited for
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    std::size_t size = 0;
    bool whole = false;
    while (file >= 0 && size <= max_bytes && !whole) {
      if (size == bytes_.size()) bytes_.resize(std::max<std::size_t>(1 << 16, 2 * size));
      const auto room = bytes_.size() - size;
      const auto got = ::read(file, bytes_.data() + size, room);
      if (got < 0) break;
      size += static_cast<std::size_t>(got);
      whole = static_cast<std::size_t>(got) < room;  // of a regular file only the end is short
    }
    if (file >= 0) ::close(file);
    if (whole && size > 0 && size <= max_bytes) return {bytes_.data(), size};
    bytes_ = read_file(path, max_bytes);  // says what is the matter
    return bytes_;
  }

 private:
  std::vector<std::uint8_t> bytes_{};
};

}  // namespace cleave::data
