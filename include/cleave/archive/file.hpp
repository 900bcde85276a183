#pragma once

#include <cleave/archive/reader.hpp>
#include <cleave/archive/writer.hpp>
#include <cleave/core/crc32c.hpp>
#include <cleave/core/mapped_file.hpp>
#include <cleave/core/replace_file.hpp>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

namespace cleave::archive {

/// Writes an archive as `replace_file` does: the path leads to a whole one at every moment. Throws
/// `IoError`.
inline void write_file(const std::filesystem::path& path, const Writer& writer) {
  Writer head;
  head.bytes(std::as_bytes(std::span(magic)));
  head.raw(format_version);
  head.raw(std::uint32_t{0});
  head.raw(std::uint64_t{writer.buffer().size()});
  const std::uint32_t crc = crc32c(writer.buffer(), crc32c(head.buffer()));
  replace_file(path, {head.buffer(), writer.buffer(), std::as_bytes(std::span(&crc, 1))});
}

/// The value inside the bytes of an archive. Throws `DataError` for what is not one, is cut off or
/// damaged, or has another version; nothing is believed before the checksum was right.
[[nodiscard]] inline std::span<const std::byte> checked_payload(std::span<const std::byte> bytes,
                                                                const std::string& what) {
  const auto fail = [&](const std::string& why) {
    throw DataError(fmt::format("{}: {}", what, why));
  };
  if (bytes.size() < header_bytes ||
      std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    fail(fmt::format("not a cleave archive ({} bytes)", bytes.size()));
  Reader head(bytes.subspan(magic.size(), header_bytes - magic.size()), what);
  if (const auto version = head.raw<std::uint32_t>(); version != format_version)
    fail(fmt::format("archive format {}, this build reads format {}", version, format_version));
  if (head.raw<std::uint32_t>() != 0) fail("damaged at byte 12: not zero");
  const auto size = head.raw<std::uint64_t>();
  if (size != bytes.size() - header_bytes - crc_bytes ||
      bytes.size() < header_bytes + crc_bytes)
    fail(fmt::format("cut off or damaged: {} bytes, its header says {}", bytes.size(),
                     size + header_bytes + crc_bytes));
  std::uint32_t crc = 0;
  std::memcpy(&crc, bytes.data() + bytes.size() - crc_bytes, crc_bytes);
  if (crc32c(bytes.first(bytes.size() - crc_bytes)) != crc) fail("damaged: the checksum is wrong");
  return bytes.subspan(header_bytes, static_cast<std::size_t>(size));
}

/// An archive on disk, mapped and checked.
class File {
 public:
  /// Throws `IoError` when it cannot be read, `DataError` as `checked_payload`.
  explicit File(const std::filesystem::path& path)
      : name_(path.string()), file_(path, most_bytes), payload_(checked_payload(file_.bytes(), name_)) {}

  [[nodiscard]] Reader reader() const { return {payload_, name_}; }
  [[nodiscard]] std::size_t bytes() const noexcept { return file_.bytes().size(); }

 private:
  static constexpr std::size_t most_bytes = std::size_t{1} << 40;

  std::string name_;
  MappedFile file_;
  std::span<const std::byte> payload_;
};

}  // namespace cleave::archive
