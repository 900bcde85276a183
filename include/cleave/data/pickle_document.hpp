#pragma once

#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::data {

/// What a value of a pickle can be here. `Text` is unicode, `Bytes` raw (Python 2's plain strings
/// too). `Type` is an element type of numpy, `Callable` one of the few allowed names.
enum class PickleKind : std::uint8_t {
  None,
  Bool,
  Int,
  Text,
  Bytes,
  Tuple,
  List,
  Dict,
  Array,
  Type,
  Callable
};

[[nodiscard]] constexpr std::string_view name_of(PickleKind kind) noexcept {
  switch (kind) {
    case PickleKind::None:
      return "None";
    case PickleKind::Bool:
      return "a truth value";
    case PickleKind::Int:
      return "an integer";
    case PickleKind::Text:
      return "a text";
    case PickleKind::Bytes:
      return "bytes";
    case PickleKind::Tuple:
      return "a tuple";
    case PickleKind::List:
      return "a list";
    case PickleKind::Dict:
      return "a dict";
    case PickleKind::Array:
      return "an array";
    case PickleKind::Type:
      return "an element type";
    case PickleKind::Callable:
      return "a function";
  }
  return "nothing";
}

/// A numpy array: its elements lie in the file, or in the document if they had to be decoded.
struct PickleArray {
  std::string type{};  ///< letter and bytes of an element: "u1", "f8"; empty until it is filled
  bool big_endian = false;
  bool column_major = false;
  std::vector<std::size_t> sizes{};
  std::span<const std::uint8_t> bytes{};  ///< exactly the product of sizes times the element size
};

/// A value, by its place in the document: values refer to each other, in circles if the file
/// says so, so nothing here is ever walked recursively.
using PickleRef = std::uint32_t;

/// What a pickle holds; made by `read_pickle`, and refers to the file's bytes.
class PickleDocument {
 public:
  struct Value {
    PickleKind kind = PickleKind::None;
    std::uint32_t number = 0;  ///< which container, array, type or callable
    std::size_t offset = 0;    ///< the byte of the file where it was made
    std::int64_t integer = 0;  ///< an integer or truth value; the length of text and bytes
    const std::uint8_t* data = nullptr;  ///< of text and bytes
  };

  [[nodiscard]] PickleRef root() const noexcept { return root_; }
  [[nodiscard]] PickleKind kind(PickleRef ref) const { return values_[ref].kind; }
  [[nodiscard]] std::size_t offset(PickleRef ref) const { return values_[ref].offset; }
  [[nodiscard]] std::int64_t integer(PickleRef ref) const { return values_[ref].integer; }
  [[nodiscard]] std::span<const std::uint8_t> bytes(PickleRef ref) const {
    return {values_[ref].data, static_cast<std::size_t>(values_[ref].integer)};
  }
  [[nodiscard]] std::string_view text(PickleRef ref) const {
    const auto all = bytes(ref);
    return {reinterpret_cast<const char*>(all.data()), all.size()};
  }
  /// The members of a tuple, list or dict (there key, value, key, value, ...).
  [[nodiscard]] std::span<const PickleRef> items(PickleRef ref) const {
    return containers_[values_[ref].number];
  }
  [[nodiscard]] const PickleArray& array(PickleRef ref) const {
    return arrays_[values_[ref].number];
  }
  /// The value of a key, text or bytes; the last one if there are several, as in Python.
  [[nodiscard]] std::optional<PickleRef> find(PickleRef dict, std::string_view key) const {
    const auto pairs = items(dict);
    std::optional<PickleRef> found;
    for (std::size_t k = 0; k + 1 < pairs.size(); k += 2) {
      const auto kind_of_key = kind(pairs[k]);
      if ((kind_of_key == PickleKind::Text || kind_of_key == PickleKind::Bytes) &&
          text(pairs[k]) == key)
        found = pairs[k + 1];
    }
    return found;
  }

 private:
  friend class PickleMachine;

  std::vector<Value> values_;
  std::vector<std::vector<PickleRef>> containers_;
  std::deque<PickleArray> arrays_;
  std::deque<std::vector<std::uint8_t>> decoded_;
  PickleRef root_ = 0;
};

}  // namespace cleave::data
