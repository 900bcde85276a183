#pragma once

#include <algorithm>
#include <array>
#include <cleave/core/crc32c.hpp>
#include <cleave/space/nasbench201_index.hpp>
#include <cleave/tabular/nasbench201_column.hpp>
#include <cleave/tabular/nasbench201_csv.hpp>
#include <cleave/tabular/packed_column.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace cleave::tabular {

/// The binary table, version 1. All integers little-endian.
///
///     byte 0   magic "CLVNB201"
///          8   u32 version
///         12   u32 number of columns C
///         16   u64 size of the file in bytes
///         24   u32 number of rows, 15,625
///         28   u32 CRC-32C of bytes 0 to 27 and 32 to the end
///         32   C entries of 24 bytes:
///              u32 column number, u32 base, u32 dictionary entries,
///              u8 bits, u8 decimals, u8 has missing, u8 zero, u64 offset of the data
///              data of the columns in the same order (`PackedLayout`), without gaps
///              8 zero bytes, so that an 8-byte load of the last code stays inside the file
///
/// The offset is redundant with the sizes and checked against them.
struct NasBench201Binary {
  static constexpr std::string_view magic = "CLVNB201";
  static constexpr std::uint32_t version = 1;
  static constexpr std::size_t header_bytes = 32;
  static constexpr std::size_t entry_bytes = 24;
  static constexpr std::size_t crc_at = 28;

  using Columns = std::array<std::optional<PackedColumn>, column_count>;

  [[nodiscard]] static std::uint32_t checksum(std::span<const std::byte> file) {
    return crc32c(file.subspan(crc_at + 4), crc32c(file.first(crc_at)));
  }

  /// Packs columns of 15,625 rows each. Throws `ValueError` for another number of rows or more
  /// decimals than the format knows.
  [[nodiscard]] static std::vector<std::byte> encode(const NasBench201Columns& columns) {
    std::vector<std::size_t> present;
    std::vector<PackedPlan> plans;
    std::size_t bytes = header_bytes + PackedColumn::padding;
    for (std::size_t number = 0; number < column_count; ++number) {
      const auto& column = columns[number];
      if (!column) continue;
      if (column->values.size() != space::nasbench201_size ||
          column->decimals > DecimalColumn::max_decimals)
        throw ValueError(fmt::format(
            "nasbench201 table: column {} has {} rows and {} decimals, allowed are {} rows and up "
            "to {} decimals",
            column_name(column_of_number(number)), column->values.size(), column->decimals,
            space::nasbench201_size, DecimalColumn::max_decimals));
      present.push_back(number);
      plans.push_back(plan_packing(*column));
      bytes += entry_bytes + plans.back().layout.bytes(space::nasbench201_size);
    }
    std::vector<std::byte> file;
    file.reserve(bytes);
    for (const char c : magic) file.push_back(static_cast<std::byte>(c));
    append_little(file, version, 4);
    append_little(file, present.size(), 4);
    append_little(file, bytes, 8);
    append_little(file, space::nasbench201_size, 4);
    append_little(file, 0, 4);
    std::size_t offset = header_bytes + entry_bytes * present.size();
    for (std::size_t c = 0; c < present.size(); ++c) {
      const auto& layout = plans[c].layout;
      append_little(file, present[c], 4);
      append_little(file, layout.base, 4);
      append_little(file, layout.dictionary, 4);
      append_little(file, layout.bits, 1);
      append_little(file, layout.decimals, 1);
      append_little(file, layout.has_missing ? 1 : 0, 1);
      append_little(file, 0, 1);
      append_little(file, offset, 8);
      offset += layout.bytes(space::nasbench201_size);
    }
    for (std::size_t c = 0; c < present.size(); ++c)
      append_packed(file, *columns[present[c]], plans[c]);
    append_little(file, 0, PackedColumn::padding);
    std::vector<std::byte> crc;
    append_little(crc, checksum(file), 4);
    std::copy(crc.begin(), crc.end(), file.begin() + crc_at);
    return file;
  }

  /// Checks a file and finds its columns; they point into `file`. Everything is checked before
  /// it is used, and nothing is allocated. Throws `DataError` naming `name`, byte, value and what
  /// is allowed.
  [[nodiscard]] static Columns decode(std::span<const std::byte> file, std::string_view name) {
    const auto require = [&](bool good, std::size_t byte, std::string_view problem) {
      if (!good) throw DataError(fmt::format("{}: at byte {}: {}", name, byte, problem));
    };
    const auto u32 = [&](std::size_t at) {
      return static_cast<std::uint32_t>(load_little<4>(file, at));
    };
    require(file.size() >= header_bytes, file.size(), "the file ends inside its header");
    for (std::size_t i = 0; i < magic.size(); ++i)
      require(file[i] == static_cast<std::byte>(magic[i]), i,
              "not a NAS-Bench-201 table of this library: wrong magic");
    require(u32(8) == version, 8,
            fmt::format("version {}, this library reads {}", u32(8), version));
    const auto bytes = load_little<8>(file, 16);
    require(bytes == file.size(), 16,
            fmt::format("the table has {} bytes, the file {}", bytes, file.size()));
    require(u32(24) == space::nasbench201_size, 24,
            fmt::format("{} rows, must be {}", u32(24), space::nasbench201_size));
    const std::size_t count = u32(12);
    require(count <= column_count, 12,
            fmt::format("{} columns, at most {} allowed", count, column_count));
    std::size_t offset = header_bytes + count * entry_bytes;
    require(offset + PackedColumn::padding <= file.size(), 12,
            fmt::format("{} columns do not fit into {} bytes", count, file.size()));
    const auto crc = checksum(file);
    require(crc == u32(crc_at), crc_at,
            fmt::format("damaged: checksum {:08x}, stored {:08x}", crc, u32(crc_at)));
    Columns columns;
    for (std::size_t c = 0; c < count; ++c) {
      const auto at = header_bytes + c * entry_bytes;
      const std::size_t number = u32(at);
      require(number < column_count && column_number(column_of_number(number)) == number, at,
              fmt::format("unknown column {}", number));
      require(!columns[number], at, fmt::format("column {} stands there twice", number));
      const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(file[at + i]); };
      const PackedLayout layout{.base = u32(at + 4),
                                .dictionary = u32(at + 8),
                                .bits = byte(12),
                                .decimals = byte(13),
                                .has_missing = byte(14) == 1};
      require(layout.bits >= 1 && layout.bits <= 32, at + 12,
              fmt::format("{} bits a value, allowed 1 to 32", layout.bits));
      require(layout.decimals <= DecimalColumn::max_decimals, at + 13,
              fmt::format("{} decimals, at most {}", layout.decimals, DecimalColumn::max_decimals));
      require(byte(14) <= 1 && byte(15) == 0, at + 14, "unknown flags");
      require(load_little<8>(file, at + 16) == offset, at + 16,
              fmt::format("offset {}, must be {}", load_little<8>(file, at + 16), offset));
      require(layout.dictionary <= space::nasbench201_size, at + 8,
              fmt::format("{} dictionary entries for {} rows", layout.dictionary,
                          space::nasbench201_size));
      const auto size = layout.bytes(space::nasbench201_size);
      require(size <= file.size() - PackedColumn::padding - offset, at + 16,
              "the data of the column leaves the file");
      columns[number] = PackedColumn(layout, file.subspan(offset, size + PackedColumn::padding));
      require(columns[number]->codes_are_valid(space::nasbench201_size), offset,
              "a code without a dictionary entry");
      offset += size;
    }
    require(offset + PackedColumn::padding == file.size(), offset,
            "bytes that belong to no column");
    return columns;
  }
};

}  // namespace cleave::tabular
