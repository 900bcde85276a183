#pragma once

#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace cleave::data {

/// Decodes base64 (RFC 4648 section 4) with padding and without line breaks. Throws `DataError`
/// with the position of the first wrong character.
[[nodiscard]] inline std::vector<std::uint8_t> decode_base64(std::string_view text) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0)
    throw DataError(fmt::format("base64: {} characters, a multiple of 4 is needed", text.size()));
  std::size_t length = text.size();
  for (int pads = 0; pads < 2 && length > 0 && text[length - 1] == '='; ++pads) --length;
  std::vector<std::uint8_t> bytes;
  bytes.reserve(length * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const auto value = alphabet.find(text[i]);
    if (value == std::string_view::npos)
      throw DataError(fmt::format("base64: character {} is byte {:#x}", i,
                                  static_cast<unsigned char>(text[i])));
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<std::uint8_t>((bits >> held) & 0xffU));
  }
  return bytes;
}

}  // namespace cleave::data
