#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cleave {

namespace detail {
/// table[s][b]: the register after byte b and s zero bytes. Reflected Castagnoli polynomial. Made
/// at the first use, in microseconds: as a constant, every source that includes it would wait for
/// a compiler to count it out.
inline const auto& crc32c_tables() noexcept {
  static const auto tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> table;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      std::uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
      table[0][byte] = crc;
    }
    for (std::size_t slice = 1; slice < 8; ++slice)
      for (std::size_t byte = 0; byte < 256; ++byte) {
        const auto before = table[slice - 1][byte];
        table[slice][byte] = (before >> 8) ^ table[0][before & 0xffU];
      }
    return table;
  }();
  return tables;
}
}  // namespace detail

/// CRC-32C (Castagnoli; RFC 3720 section 12.1) of bytes, or continued from the CRC of what came
/// before: `crc32c(b, crc32c(a)) == crc32c(a + b)`. Eight bytes a step, above 1 GB/s. Finds
/// every error burst of up to 32 bits; it guards against damage, not against forgery.
[[nodiscard]] inline std::uint32_t crc32c(std::span<const std::byte> bytes,
                                          std::uint32_t before = 0) noexcept {
  const auto& table = detail::crc32c_tables();
  std::uint32_t crc = ~before;
  const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
  while (bytes.size() >= 8) {
    const std::uint32_t low = crc ^ (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24));
    crc = table[7][low & 0xffU] ^ table[6][(low >> 8) & 0xffU] ^ table[5][(low >> 16) & 0xffU] ^
          table[4][low >> 24] ^ table[3][byte(4)] ^ table[2][byte(5)] ^ table[1][byte(6)] ^
          table[0][byte(7)];
    bytes = bytes.subspan(8);
  }
  for (const auto next : bytes)
    crc = (crc >> 8) ^ table[0][(crc ^ std::to_integer<std::uint32_t>(next)) & 0xffU];
  return ~crc;
}

}  // namespace cleave
