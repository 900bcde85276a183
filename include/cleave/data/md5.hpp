#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cleave::data {

/// MD5 (RFC 1321) of some bytes in hexadecimal: to recognise public files whose hash is published.
/// It tells a damaged copy from a good one; against forgery it is worthless. About 0.5 GB/s.
/// (Ours, because a cryptography library would be a large dependency for one checksum.)
[[nodiscard]] inline std::string md5(std::span<const std::uint8_t> bytes) {
  // floor(2^32 |sin(k + 1)|), the RFC's own definition of its table
  static const auto sines = [] {
    std::array<std::uint32_t, 64> table{};
    for (std::size_t k = 0; k < table.size(); ++k)
      table[k] = static_cast<std::uint32_t>(
          std::floor(4294967296.0 * std::abs(std::sin(static_cast<double>(k + 1)))));
    return table;
  }();
  constexpr std::array<std::array<int, 4>, 4> rotations{
      {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};
  constexpr std::size_t block = 64;
  std::array<std::uint32_t, 4> state{0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U};

  const auto absorb = [&](const std::uint8_t* data) {
    std::array<std::uint32_t, 16> words{};
    for (std::size_t w = 0; w < words.size(); ++w)
      for (std::size_t k = 0; k < 4; ++k) words[w] |= std::uint32_t{data[4 * w + k]} << (8 * k);
    auto [a, b, c, d] = state;
    for (std::size_t k = 0; k < 64; ++k) {
      std::uint32_t mixed = 0;
      std::size_t word = 0;
      switch (k / 16) {
        case 0:
          mixed = (b & c) | (~b & d), word = k;
          break;
        case 1:
          mixed = (d & b) | (~d & c), word = 5 * k + 1;
          break;
        case 2:
          mixed = b ^ c ^ d, word = 3 * k + 5;
          break;
        default:
          mixed = c ^ (b | ~d), word = 7 * k;
          break;
      }
      const std::uint32_t turned =
          std::rotl(a + mixed + sines[k] + words[word % 16], rotations[k / 16][k % 4]);
      a = d, d = c, c = b, b += turned;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  };

  std::size_t done = 0;
  for (; bytes.size() - done >= block; done += block) absorb(bytes.data() + done);
  // The rest, a single one bit, zeros, and the length in bits in the last 8 bytes
  std::array<std::uint8_t, 2 * block> tail{};
  const std::size_t rest = bytes.size() - done;
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(done), bytes.end(), tail.begin());
  tail[rest] = 0x80;
  const std::size_t end = rest < block - 8 ? block : 2 * block;
  for (std::size_t k = 0; k < 8; ++k)
    tail[end - 8 + k] = static_cast<std::uint8_t>((std::uint64_t{bytes.size()} * 8) >> (8 * k));
  for (std::size_t at = 0; at < end; at += block) absorb(tail.data() + at);

  std::string text;
  for (const auto word : state)
    for (int shift = 0; shift < 32; shift += 8)
      text += fmt::format("{:02x}", (word >> shift) & 0xffU);
  return text;
}

}  // namespace cleave::data
