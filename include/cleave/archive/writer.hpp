#pragma once

#include <cleave/archive/format.hpp>
#include <cleave/core/error.hpp>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::archive {

/// Puts values into a buffer. A visitor: `value.fields(writer)` writes a struct's fields by name.
class Writer {
 public:
  /// One field of the object under way.
  template <class T>
  void operator()(std::string_view name, T& value) {
    begin_field(name);
    Codec<T>::write(*this, value);
  }

  void begin_object() { put(Tag::Object); }
  void end_object() { put(Tag::End); }
  void begin_field(std::string_view name) {
    if (name.size() > std::numeric_limits<std::uint16_t>::max())
      throw ValueError(fmt::format("archive: a field name of {} bytes", name.size()));
    put(Tag::Name);
    raw(static_cast<std::uint16_t>(name.size()));
    bytes(std::as_bytes(std::span(name)));
  }
  void begin_list(std::size_t count) {
    put(Tag::List);
    raw(std::uint64_t{count});
  }
  void boolean(bool value) {
    put(Tag::Boolean);
    raw(static_cast<std::uint8_t>(value));
  }
  void unsigned_number(std::uint64_t value) {
    put(Tag::Unsigned);
    raw(value);
  }
  void signed_number(std::int64_t value) {
    put(Tag::Signed);
    raw(value);
  }
  void real(double value) {
    put(Tag::Real);
    raw(value);
  }
  void text(std::string_view value) {
    put(Tag::Text);
    raw(std::uint64_t{value.size()});
    bytes(std::as_bytes(std::span(value)));
  }

  void put(Tag tag) { buffer_.push_back(static_cast<std::byte>(tag)); }
  /// The bytes of a number, as they lie in memory.
  template <class T>
  void raw(const T& value) {
    bytes(std::as_bytes(std::span(&value, 1)));
  }
  void bytes(std::span<const std::byte> data) {
    buffer_.insert(buffer_.end(), data.begin(), data.end());
  }

  [[nodiscard]] std::span<const std::byte> buffer() const noexcept { return buffer_; }

 private:
  std::vector<std::byte> buffer_;
};

}  // namespace cleave::archive
