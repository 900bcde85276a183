#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace cleave::tabular {

/// Reads a little-endian integer of `Bytes` bytes at `at`; the caller has checked the range.
/// Alignment does not matter; on a big-endian machine the bytes are put together one by one.
template <std::size_t Bytes>
[[nodiscard]] inline std::uint64_t load_little(std::span<const std::byte> bytes, std::size_t at) {
  const std::byte* from = bytes.data() + at;
  std::uint64_t value = 0;
  if constexpr (std::endian::native == std::endian::little)
    std::memcpy(&value, from, Bytes);
  else
    for (std::size_t i = 0; i < Bytes; ++i)
      value |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
  return value;
}

/// Appends `value` as `count` little-endian bytes.
inline void append_little(std::vector<std::byte>& to, std::uint64_t value, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    to.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xffU));
}

/// Decimal numbers as printed: `values[row] / 10^decimals`, or `missing`. Kept as integers, so
/// that packing loses nothing: the double that comes back equals the double the text reads as.
struct DecimalColumn {
  static constexpr std::uint32_t missing = std::numeric_limits<std::uint32_t>::max();
  static constexpr unsigned max_decimals = 9;
  static constexpr std::array<double, max_decimals + 1> powers{1,   1e1, 1e2, 1e3, 1e4,
                                                               1e5, 1e6, 1e7, 1e8, 1e9};
  unsigned decimals = 0;
  std::vector<std::uint32_t> values{};

  friend bool operator==(const DecimalColumn&, const DecimalColumn&) = default;
};

/// How one column lies in the binary table. Code 0 means "missing" where `has_missing`, and other
/// codes then start at 1. Without a dictionary the number is `base + code`, else `dictionary[code]`
/// (u32 entries before the codes). Codes are `bits` wide, row after row, lowest bit first.
struct PackedLayout {
  std::uint32_t base = 0;
  std::uint32_t dictionary = 0;  ///< entries, 0 for none
  unsigned bits = 0;             ///< 1 to 32
  unsigned decimals = 0;         ///< at most DecimalColumn::max_decimals
  bool has_missing = false;

  /// Bytes of dictionary and codes for `rows` rows.
  [[nodiscard]] constexpr std::size_t bytes(std::size_t rows) const noexcept {
    return std::size_t{4} * dictionary + (rows * bits + 7) / 8;
  }
  friend constexpr bool operator==(const PackedLayout&, const PackedLayout&) = default;
};

/// The layout that needs the fewest bytes, and the distinct values when it uses them.
struct PackedPlan {
  PackedLayout layout;
  std::vector<std::uint32_t> dictionary{};
};

/// Chooses between base + offset and a dictionary. Throws `ValueError` without rows.
[[nodiscard]] inline PackedPlan plan_packing(const DecimalColumn& column) {
  if (column.values.empty()) throw ValueError("packed column: no rows");
  std::vector<std::uint32_t> distinct(column.values);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const bool has_missing = distinct.back() == DecimalColumn::missing;
  if (has_missing) distinct.pop_back();
  const std::uint64_t shift = has_missing ? 1 : 0;
  const auto width = [](std::uint64_t largest_code) {
    return std::max(1U, static_cast<unsigned>(std::bit_width(largest_code)));
  };
  PackedLayout offset{.decimals = column.decimals, .has_missing = has_missing};
  offset.bits = 1;
  if (!distinct.empty()) {
    offset.base = distinct.front();
    offset.bits = width(std::uint64_t{distinct.back()} - distinct.front() + shift);
  }
  PackedLayout table = offset;
  table.base = 0;
  table.dictionary = static_cast<std::uint32_t>(distinct.size());
  table.bits = width(distinct.size() + shift - (distinct.empty() ? 0 : 1));
  const auto rows = column.values.size();
  if (!distinct.empty() && table.bytes(rows) < offset.bytes(rows)) return {table, distinct};
  return {offset, {}};
}

/// Appends dictionary and codes to `to`.
inline void append_packed(std::vector<std::byte>& to, const DecimalColumn& column,
                          const PackedPlan& plan) {
  for (const auto entry : plan.dictionary) append_little(to, entry, 4);
  std::uint64_t pending = 0;
  unsigned pending_bits = 0;
  for (const auto value : column.values) {
    std::uint64_t code = 0;
    if (value != DecimalColumn::missing) {
      const auto& known = plan.dictionary;
      code = known.empty()
                 ? value - plan.layout.base
                 : static_cast<std::uint64_t>(std::lower_bound(known.begin(), known.end(), value) -
                                              known.begin());
      code += plan.layout.has_missing ? 1 : 0;
    }
    pending |= code << pending_bits;
    for (pending_bits += plan.layout.bits; pending_bits >= 8; pending_bits -= 8) {
      to.push_back(static_cast<std::byte>(pending & 0xffU));
      pending >>= 8;
    }
  }
  if (pending_bits != 0) to.push_back(static_cast<std::byte>(pending & 0xffU));
}

/// A validated column inside somebody else's bytes. Queries are O(1) and touch one cache line.
class PackedColumn {
 public:
  /// Bytes that must follow the last code, because a code is read with one 8-byte load.
  static constexpr std::size_t padding = 8;

  PackedColumn() = default;

  /// `bytes` hold dictionary, codes and at least `padding` more; the caller has checked that.
  PackedColumn(PackedLayout layout, std::span<const std::byte> bytes) noexcept
      : layout_(layout), bytes_(bytes) {}

  [[nodiscard]] const PackedLayout& layout() const noexcept { return layout_; }

  /// The stored integer, or `DecimalColumn::missing`.
  [[nodiscard]] std::uint32_t number(std::size_t row) const {
    auto code = code_of(row);
    if (layout_.has_missing && code-- == 0) return DecimalColumn::missing;
    if (layout_.dictionary != 0)
      return static_cast<std::uint32_t>(load_little<4>(bytes_, static_cast<std::size_t>(4 * code)));
    return static_cast<std::uint32_t>(layout_.base + code);
  }

  /// The number in its unit; NaN when missing.
  [[nodiscard]] double value(std::size_t row) const {
    const auto stored = number(row);
    if (stored == DecimalColumn::missing) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(stored) / DecimalColumn::powers[layout_.decimals];
  }

  /// True when every code has a dictionary entry: asked once, at load.
  [[nodiscard]] bool codes_are_valid(std::size_t rows) const {
    if (layout_.dictionary == 0) return true;
    const std::uint64_t codes = layout_.dictionary + (layout_.has_missing ? 1U : 0U);
    if ((std::uint64_t{1} << layout_.bits) == codes) return true;
    for (std::size_t row = 0; row < rows; ++row)
      if (code_of(row) >= codes) return false;
    return true;
  }

 private:
  [[nodiscard]] std::uint64_t code_of(std::size_t row) const {
    const std::size_t bit = row * layout_.bits;
    const auto word = load_little<8>(bytes_, std::size_t{4} * layout_.dictionary + bit / 8);
    return (word >> (bit % 8)) & ((std::uint64_t{1} << layout_.bits) - 1);
  }

  PackedLayout layout_{};
  std::span<const std::byte> bytes_{};
};

}  // namespace cleave::tabular
