#pragma once

#include <cerrno>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
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

}  // namespace cleave::data
