#pragma once

#include <algorithm>
#include <array>
#include <cleave/data/inflate.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace cleave::data {

/// An array of bytes as an IDX file holds it: row-major, sizes outermost first.
struct IdxArray {
  std::vector<std::size_t> sizes;
  std::vector<std::uint8_t> values;
};

namespace detail {

/// The bytes of an IDX file in order, whether it is compressed or not.
class IdxBytes {
 public:
  IdxBytes(std::span<const std::uint8_t> file, std::string_view what) : what_(what), file_(file) {
    if (file.size() >= 2 && file[0] == 0x1f && file[1] == 0x8b) inflater_.emplace(file, what);
  }

  /// Fills `out` or throws `DataError` with the (decompressed) byte where the data ends.
  void read(std::span<std::uint8_t> out, std::string_view expected) {
    std::size_t got = 0;
    if (inflater_) {
      got = inflater_->read(out);
    } else {
      got = std::min(out.size(), file_.size() - position_);
      std::copy_n(file_.begin() + static_cast<std::ptrdiff_t>(position_), got, out.begin());
    }
    position_ += got;
    if (got != out.size())
      throw DataError(
          fmt::format("{}: at byte {}: the data ends, expected {}", what_, position_, expected));
  }

  void expect_end() {
    if (inflater_) return inflater_->expect_end();
    if (position_ != file_.size())
      throw DataError(fmt::format("{}: at byte {}: {} bytes after the end of the array", what_,
                                  position_, file_.size() - position_));
  }

  /// No more bytes than these can follow: deflate shrinks at most 1032 times (zlib's
  /// documentation, "Maximum Compression Factor").
  [[nodiscard]] std::size_t most() const noexcept {
    return inflater_ ? file_.size() * 1032 : file_.size();
  }

 private:
  std::string_view what_;
  std::span<const std::uint8_t> file_;
  std::size_t position_ = 0;
  std::optional<Inflater> inflater_;
};

}  // namespace detail

/// Reads an IDX file of unsigned bytes (Yann LeCun's MNIST page), plain or gzip: two zero bytes,
/// type 0x08, the number of dimensions, their sizes as big-endian 32-bit numbers, the values.
/// The sizes are checked against `max_values` and against what the file can hold before memory is
/// taken. Throws `DataError` with `what` and the byte for anything else.
[[nodiscard]] inline IdxArray parse_idx(std::span<const std::uint8_t> file, std::size_t dimensions,
                                        std::string_view what,
                                        std::size_t max_values = std::size_t{1} << 30) {
  detail::IdxBytes bytes(file, what);
  std::array<std::uint8_t, 4> magic{};
  bytes.read(magic, "the 4 bytes of an IDX magic number");
  constexpr std::uint8_t unsigned_byte = 0x08;
  if (magic[0] != 0 || magic[1] != 0 || magic[2] != unsigned_byte || magic[3] != dimensions)
    throw DataError(fmt::format(
        "{}: at byte 0: magic number {:02x}{:02x}{:02x}{:02x}, expected "
        "0000{:02x}{:02x} (unsigned bytes, {} dimensions)",
        what, magic[0], magic[1], magic[2], magic[3], unsigned_byte, dimensions, dimensions));
  IdxArray array;
  std::size_t total = 1;
  for (std::size_t d = 0; d < dimensions; ++d) {
    std::array<std::uint8_t, 4> size{};
    bytes.read(size, "a dimension of 4 bytes");
    array.sizes.push_back((std::size_t{size[0]} << 24) | (std::size_t{size[1]} << 16) |
                          (std::size_t{size[2]} << 8) | std::size_t{size[3]});
    const auto here = array.sizes.back();
    if (here == 0 || here > max_values / total)
      throw DataError(fmt::format("{}: at byte {}: dimension {} is {}, allowed 1 to {}", what,
                                  4 + 4 * d, d, here, max_values / total));
    total *= here;
  }
  if (total > bytes.most())
    throw DataError(
        fmt::format("{}: at byte 4: {} values declared, a file of {} bytes cannot hold "
                    "more than {}",
                    what, total, file.size(), bytes.most()));
  array.values.resize(total);
  bytes.read(array.values, fmt::format("{} values", total));
  bytes.expect_end();
  return array;
}

}  // namespace cleave::data
