#pragma once

#include <cleave/archive/format.hpp>
#include <cleave/core/error.hpp>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace cleave::archive {

/// Takes values out of a buffer that somebody else may have made: every length is checked against
/// what is left before anything is allocated, and every error names the place, what was expected
/// and what was found (`DataError`). Fields are read in the order in which they were written.
class Reader {
 public:
  /// The buffer must outlive the reader; `what` names it in messages.
  Reader(std::span<const std::byte> buffer, std::string what)
      : buffer_(buffer), what_(std::move(what)) {}

  template <class T>
  void operator()(std::string_view name, T& value) {
    begin_field(name);
    inside(name, [&] { Codec<T>::read(*this, value); });
  }

  /// Errors that `read` throws name this place.
  template <class Read>
  void inside(std::string_view name, Read read) {
    const auto outer = path_.size();
    path_ += path_.empty() ? "" : ".";
    path_ += name;
    read();
    path_.resize(outer);
  }

  void begin_object() {
    if (++depth_ > most_depth) fail(fmt::format("at most {} levels", most_depth), "more");
    expect(Tag::Object);
  }
  void end_object() {
    expect(Tag::End);
    --depth_;
  }
  void begin_field(std::string_view name) {
    const auto start = position_;
    const auto found = field_name(fmt::format("field {}", name));
    if (found == name) return;
    position_ = start;
    fail(fmt::format("field {}", name), fmt::format("field {}", found));
  }
  /// The count of a list whose values take at least one byte each.
  [[nodiscard]] std::size_t begin_list() {
    expect(Tag::List);
    const auto count = raw<std::uint64_t>();
    if (count > left()) fail(fmt::format("at most {} values", left()), fmt::format("{}", count));
    return static_cast<std::size_t>(count);
  }
  [[nodiscard]] bool boolean() {
    expect(Tag::Boolean);
    const auto value = raw<std::uint8_t>();
    if (value > 1) fail("0 or 1", fmt::format("{}", value));
    return value == 1;
  }
  [[nodiscard]] std::uint64_t unsigned_number() {
    expect(Tag::Unsigned);
    return raw<std::uint64_t>();
  }
  [[nodiscard]] std::int64_t signed_number() {
    expect(Tag::Signed);
    return raw<std::int64_t>();
  }
  [[nodiscard]] double real() {
    expect(Tag::Real);
    return raw<double>();
  }
  [[nodiscard]] std::string text() {
    expect(Tag::Text);
    const auto data = bytes(raw<std::uint64_t>());
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }

  /// The tag of the next value; it is not passed.
  [[nodiscard]] Tag peek() const {
    if (left() == 0) fail("a value", "the end");
    return static_cast<Tag>(buffer_[position_]);
  }
  void expect(Tag tag) {
    const Tag found = peek();
    if (found != tag) fail(tag_name(tag), tag_name(found));
    ++position_;
  }
  /// The name of the field that comes next.
  [[nodiscard]] std::string field_name(std::string_view expected = "a field") {
    if (peek() != Tag::Name) fail(expected, tag_name(peek()));
    ++position_;
    const auto data = bytes(raw<std::uint16_t>());
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }
  template <class T>
  [[nodiscard]] T raw() {
    T value;
    std::memcpy(&value, bytes(sizeof(T)).data(), sizeof(T));
    return value;
  }
  /// The next `count` bytes, which stay where they are.
  [[nodiscard]] std::span<const std::byte> bytes(std::uint64_t count) {
    if (count > left()) fail(fmt::format("{} bytes", count), fmt::format("{} before the end", left()));
    const auto data = buffer_.subspan(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return data;
  }
  [[nodiscard]] std::size_t left() const noexcept { return buffer_.size() - position_; }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

  [[noreturn]] void fail(std::string_view expected, std::string_view found) const {
    throw DataError(fmt::format("{}: at byte {}{}{}: expected {}, found {}", what_, position_,
                                path_.empty() ? "" : ", in ", path_, expected, found));
  }

 private:
  std::span<const std::byte> buffer_;
  std::string what_;
  std::string path_;
  std::size_t position_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace cleave::archive
