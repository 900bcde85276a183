#pragma once

#include <cctype>
#include <charconv>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace cleave {

/// A reading position in untrusted text. Every failure is a `ParseError` with the byte position,
/// what was expected and what stands there. Never allocates in proportion to a claimed length.
class Scanner {
 public:
  /// `what` names the thing read in error messages. Texts above `max_length` bytes are refused.
  Scanner(std::string_view what, std::string_view text, std::size_t max_length = 1 << 16)
      : what_(what), text_(text) {
    if (text.size() > max_length)
      throw ParseError(what, max_length, fmt::format("at most {} bytes", max_length),
                       fmt::format("{} bytes", text.size()));
  }

  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] bool at_end() const noexcept { return position_ == text_.size(); }
  [[nodiscard]] char peek() const noexcept { return at_end() ? '\0' : text_[position_]; }

  void skip_space() noexcept {
    while (!at_end() && std::isspace(static_cast<unsigned char>(text_[position_])) != 0)
      ++position_;
  }

  /// Consumes `token` if it stands here.
  bool accept(std::string_view token) noexcept {
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    return true;
  }

  void expect(std::string_view token) {
    if (!accept(token)) fail(fmt::format("'{}'", token));
  }

  /// The longest run of letters, digits and '_'. Throws when there is none.
  std::string_view word(std::string_view expected) {
    const auto start = position_;
    while (!at_end() && (std::isalnum(static_cast<unsigned char>(text_[position_])) != 0 ||
                         text_[position_] == '_'))
      ++position_;
    if (position_ == start) fail(expected);
    return text_.substr(start, position_ - start);
  }

  /// A non-negative decimal integer of at most `max`.
  std::size_t integer(std::string_view expected, std::size_t max) {
    const auto start = position_;
    std::size_t value = 0;
    const char* first = text_.data() + position_;
    const auto [last, error] = std::from_chars(first, text_.data() + text_.size(), value);
    if (error == std::errc::invalid_argument) fail(expected);
    if (error != std::errc{} || value > max) fail_at(start, expected);
    position_ += static_cast<std::size_t>(last - first);
    return value;
  }

  void expect_end() {
    if (!at_end()) fail("end of text");
  }

  [[noreturn]] void fail(std::string_view expected) const { fail_at(position_, expected); }

  /// Reports a failure found later, e.g. an unknown name that began at `position`.
  [[noreturn]] void fail_at(std::size_t position, std::string_view expected) const {
    throw ParseError(what_, position, expected, describe(text_, position));
  }

  /// What stands at a position, printable and short.
  [[nodiscard]] static std::string describe(std::string_view text, std::size_t position) {
    if (position >= text.size()) return "end of text";
    std::string shown = "'";
    for (char c : text.substr(position, 20)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte < 0x7f) shown += c;
      else shown += fmt::format("\\x{:02x}", byte);
    }
    return shown + "'" + (text.size() > position + 20 ? "..." : "");
  }

 private:
  std::string_view what_;
  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace cleave
