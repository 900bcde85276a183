#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cleave::report {

namespace detail {

/// Length of the well-formed UTF-8 sequence at the start of `text`, or 0 (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF).
[[nodiscard]] constexpr std::size_t utf8_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) >= 0xa0;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool too_large = first == 0xf4 && byte(1) >= 0x90;
    return follows(1) && follows(2) && follows(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace detail

/// `text` as character data or attribute value of an XML 1.0 document: markup characters are
/// escaped; what no XML document may hold (control characters, bytes that are not UTF-8, U+FFFE
/// and U+FFFF) becomes U+FFFD, so that any option name gives a well-formed file.
[[nodiscard]] inline std::string xml_text(std::string_view text) {
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string escaped;
  while (!text.empty()) {
    const std::size_t length = detail::utf8_length(text);
    const std::string_view one = text.substr(0, length == 0 ? 1 : length);
    const bool control = length == 1 && static_cast<unsigned char>(one[0]) < 0x20 &&
                         one[0] != '\t' && one[0] != '\n' && one[0] != '\r';
    const bool noncharacter = one == "\xef\xbf\xbe" || one == "\xef\xbf\xbf";
    if (length == 0 || control || noncharacter)
      escaped += replacement;
    else if (one == "&")
      escaped += "&amp;";
    else if (one == "<")
      escaped += "&lt;";
    else if (one == ">")
      escaped += "&gt;";
    else if (one == "\"")
      escaped += "&quot;";
    else if (one == "'")
      escaped += "&apos;";
    else
      escaped += one;
    text.remove_prefix(one.size());
  }
  return escaped;
}

/// Number of characters (code points; a wrong byte counts as one).
[[nodiscard]] constexpr std::size_t character_count(std::string_view text) noexcept {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::size_t length = detail::utf8_length(text);
    text.remove_prefix(length == 0 ? 1 : length);
    ++count;
  }
  return count;
}

}  // namespace cleave::report
