#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cleave/data/pickle_document.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cleave::data {

/// Reads the part of Python's pickle format (protocols 2 to 4; pickletools.py describes it) in
/// which dicts of numbers, texts, lists and numpy arrays are written, and **executes nothing**.
///
/// A pickle is a program for a machine with a stack. Loading one in Python may call any function
/// that it names; here a name is a value, and only these may be written at all: numpy's
/// `_reconstruct` (of numpy.core.multiarray, or numpy._core.multiarray since numpy 2), `ndarray`
/// and `dtype`, and `_codecs.encode`, by which Python 3 writes bytes in protocol 2. What they
/// would have built is built by the few lines below. Everything else is a `DataError` with the
/// byte and what was found.
///
/// Lengths are compared with what is left of the file before anything is taken; `max_values` bounds
/// the number of values, marks and memos (some 200 bytes each at most); text that has to be
/// decoded needs no more memory than the file is long. Nothing recurses.
class PickleMachine {
 public:
  PickleMachine(std::span<const std::uint8_t> file, std::string_view what, std::size_t max_values)
      : file_(file), what_(what), max_values_(max_values) {}

  [[nodiscard]] PickleDocument run() {
    if (file_.empty()) fail(0, "the file is empty");
    if (file_[0] != op_proto)
      fail(0, fmt::format("not a pickle of protocol 2 to 4: it begins with 0x{:02x}", file_[0]));
    while (!stopped_) step();
    if (at_ != file_.size())
      fail(at_, fmt::format("{} bytes after the end of the pickle", file_.size() - at_));
    return std::move(document_);
  }

 private:
  enum class Callable : std::uint32_t { Reconstruct, NdArray, DType, Encode };
  using Kind = PickleKind;
  using Value = PickleDocument::Value;

  // Opcodes, by pickletools' names. Nothing beyond these is known here.
  static constexpr std::uint8_t op_proto = 0x80, op_frame = 0x95, op_stop = '.', op_mark = '(';
  static constexpr std::uint8_t op_none = 'N', op_true = 0x88, op_false = 0x89;
  static constexpr std::uint8_t op_int = 'J', op_int1 = 'K', op_int2 = 'M', op_long1 = 0x8a;
  static constexpr std::uint8_t op_text = 'X', op_text1 = 0x8c, op_text8 = 0x8d;
  static constexpr std::uint8_t op_bytes = 'B', op_bytes1 = 'C', op_bytes8 = 0x8e;
  static constexpr std::uint8_t op_string = 'T', op_string1 = 'U';
  static constexpr std::uint8_t op_dict = '}', op_list = ']', op_tuple0 = ')', op_tuple = 't';
  static constexpr std::uint8_t op_tuple1 = 0x85, op_tuple2 = 0x86, op_tuple3 = 0x87;
  static constexpr std::uint8_t op_append = 'a', op_appends = 'e', op_set = 's', op_sets = 'u';
  static constexpr std::uint8_t op_global = 'c', op_stack_global = 0x93;
  static constexpr std::uint8_t op_reduce = 'R', op_build = 'b';
  static constexpr std::uint8_t op_put1 = 'q', op_put4 = 'r', op_get1 = 'h', op_get4 = 'j';
  static constexpr std::uint8_t op_memoize = 0x94;

  void step() {
    here_ = at_;
    const auto op = static_cast<std::uint8_t>(number(1));
    switch (op) {
      case op_proto: {
        const auto protocol = number(1);
        if (protocol < 2 || protocol > 4)
          fail(here_, fmt::format("pickle protocol {}, allowed 2 to 4", protocol));
        return;
      }
      case op_frame:
        return check_length(number(8));
      case op_stop:
        return stop();
      case op_mark:
        check_room(marks_.size());
        return marks_.push_back(stack_.size());
      case op_none:
        return push({.kind = Kind::None});
      case op_true:
      case op_false:
        return push({.kind = Kind::Bool, .integer = op == op_true ? 1 : 0});
      case op_int1:
      case op_int2:
        return push_integer(static_cast<std::int64_t>(number(op == op_int1 ? 1 : 2)));
      case op_int:
        return push_integer(static_cast<std::int32_t>(number(4)));
      case op_long1:
        return push_long();
      case op_text1:
        return push_bytes(Kind::Text, number(1));
      case op_text:
        return push_bytes(Kind::Text, number(4));
      case op_text8:
        return push_bytes(Kind::Text, number(8));
      case op_bytes1:
      case op_string1:
        return push_bytes(Kind::Bytes, number(1));
      case op_bytes:
      case op_string:
        return push_bytes(Kind::Bytes, number(4));
      case op_bytes8:
        return push_bytes(Kind::Bytes, number(8));
      case op_dict:
        return push_container(Kind::Dict, {});
      case op_list:
        return push_container(Kind::List, {});
      case op_tuple0:
        return push_container(Kind::Tuple, {});
      case op_tuple1:
      case op_tuple2:
      case op_tuple3:
        return push_container(Kind::Tuple, pop(std::size_t{op} - op_tuple1 + 1));
      case op_tuple:
        return push_container(Kind::Tuple, pop_to_mark());
      case op_append:
        return extend(Kind::List, pop(1));
      case op_appends:
        return extend(Kind::List, pop_to_mark());
      case op_set:
        return extend(Kind::Dict, pop(2));
      case op_sets:
        return extend(Kind::Dict, pop_to_mark());
      case op_global: {
        const auto module = line();
        return push_callable(module, line());
      }
      case op_stack_global: {
        const auto names = pop(2);
        for (const auto name : names) expect(name, Kind::Text, "the name of a function");
        return push_callable(document_.text(names[0]), document_.text(names[1]));
      }
      case op_reduce:
        return reduce();
      case op_build:
        return build();
      case op_put1:
        return memoize(number(1));
      case op_put4:
        return memoize(number(4));
      case op_memoize:
        return memoize(memo_.size());
      case op_get1:
        return recall(number(1));
      case op_get4:
        return recall(number(4));
      default:
        fail(here_, fmt::format("pickle opcode 0x{:02x}, which a file of images and labels does "
                                "not need; nothing of it was executed",
                                op));
    }
  }

  [[noreturn]] void fail(std::size_t offset, std::string_view reason) const {
    throw DataError(fmt::format("{}: at byte {}: {}", what_, offset, reason));
  }

  // ---- the file

  void check_length(std::uint64_t length) const {
    if (length > file_.size() - at_)
      fail(here_, fmt::format("{} bytes announced, {} are left", length, file_.size() - at_));
  }
  /// The next `count` bytes, little-endian.
  std::uint64_t number(std::size_t count) {
    if (count > file_.size() - at_) fail(file_.size(), "the file ends in the middle of the pickle");
    std::uint64_t value = 0;
    for (std::size_t k = 0; k < count; ++k) value |= std::uint64_t{file_[at_ + k]} << (8 * k);
    at_ += count;
    return value;
  }
  std::string_view line() {
    const auto rest = file_.subspan(at_);
    const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{'\n'});
    if (end == rest.end()) fail(here_, "a name without an end");
    const auto length = static_cast<std::size_t>(end - rest.begin());
    at_ += length + 1;
    return {reinterpret_cast<const char*>(rest.data()), length};
  }

  // ---- the stack

  void check_room(std::size_t taken) const {
    if (taken >= max_values_)
      fail(here_, fmt::format("more than {} values, marks or memos", max_values_));
  }
  void push(Value value) {
    auto& values = document_.values_;
    check_room(values.size());
    value.offset = here_;
    stack_.push_back(static_cast<PickleRef>(values.size()));
    values.push_back(value);
  }
  void push_integer(std::int64_t integer) { push({.kind = Kind::Int, .integer = integer}); }
  void push_long() {
    const auto count = static_cast<std::size_t>(number(1));
    if (count > 8) fail(here_, fmt::format("an integer of {} bytes, at most 8 allowed", count));
    auto bits = number(count);
    const bool negative = count > 0 && ((bits >> (8 * count - 1)) & 1U) != 0;
    if (negative && count < 8) bits |= ~std::uint64_t{0} << (8 * count);
    push_integer(static_cast<std::int64_t>(bits));
  }
  void push_bytes(Kind kind, std::uint64_t length) {
    check_length(length);
    push({.kind = kind, .integer = static_cast<std::int64_t>(length), .data = file_.data() + at_});
    at_ += static_cast<std::size_t>(length);
  }
  void push_container(Kind kind, std::vector<PickleRef> items) {
    push({.kind = kind, .number = static_cast<std::uint32_t>(document_.containers_.size())});
    document_.containers_.push_back(std::move(items));
  }
  /// The top `count` values, in the order in which they were pushed.
  std::vector<PickleRef> pop(std::size_t count) {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < count)
      fail(here_, fmt::format("{} values are needed from the stack, which has {}", count,
                              stack_.size() - floor));
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<PickleRef> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    return items;
  }
  std::vector<PickleRef> pop_to_mark() {
    if (marks_.empty()) fail(here_, "no mark on the stack");
    auto items = pop(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }
  PickleRef top() {
    if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) fail(here_, "the stack is empty");
    return stack_.back();
  }
  void extend(Kind kind, const std::vector<PickleRef>& items) {
    const auto owner = top();
    expect(owner, kind, "what is extended");
    if (kind == Kind::Dict && items.size() % 2 != 0) fail(here_, "a key without a value");
    auto& container = document_.containers_[document_.values_[owner].number];
    container.insert(container.end(), items.begin(), items.end());
  }
  void memoize(std::uint64_t name) {
    check_room(memo_.size());
    memo_[name] = top();
  }
  void recall(std::uint64_t name) {
    const auto found = memo_.find(name);
    if (found == memo_.end()) fail(here_, fmt::format("memo {} was never written", name));
    check_room(stack_.size());
    stack_.push_back(found->second);
  }
  void stop() {
    if (!marks_.empty() || stack_.size() != 1)
      fail(here_,
           fmt::format("the pickle ends with {} values on the stack, not one", stack_.size()));
    document_.root_ = stack_[0];
    stopped_ = true;
  }

  // ---- numpy

  void expect(PickleRef ref, Kind kind, std::string_view role) const {
    if (document_.kind(ref) != kind)
      fail(here_, fmt::format("{} must be {}, found {}", role, name_of(kind),
                              name_of(document_.kind(ref))));
  }
  void expect_items(std::span<const PickleRef> items, std::size_t count,
                    std::string_view role) const {
    if (items.size() != count)
      fail(here_, fmt::format("{} must have {} entries, found {}", role, count, items.size()));
  }
  [[nodiscard]] std::string_view text_of(PickleRef ref, std::string_view role) const {
    if (document_.kind(ref) != Kind::Bytes) expect(ref, Kind::Text, role);
    return document_.text(ref);
  }

  void push_callable(std::string_view module, std::string_view name) {
    const auto push_it = [&](Callable which) {
      push({.kind = Kind::Callable, .number = static_cast<std::uint32_t>(which)});
    };
    const bool core = module == "numpy.core.multiarray" || module == "numpy._core.multiarray";
    if (core && name == "_reconstruct") return push_it(Callable::Reconstruct);
    if (module == "numpy" && name == "ndarray") return push_it(Callable::NdArray);
    if (module == "numpy" && name == "dtype") return push_it(Callable::DType);
    if (module == "_codecs" && name == "encode") return push_it(Callable::Encode);
    fail(here_, fmt::format("the pickle names {}, which an array does not need; nothing of it was "
                            "executed",
                            printable(module) + "." + printable(name)));
  }
  /// At most 60 characters of an untrusted name, none of which can disturb a terminal.
  static std::string printable(std::string_view name) {
    std::string shown(name.substr(0, 60));
    for (auto& c : shown)
      if (c < ' ' || c > '~') c = '?';
    return shown;
  }

  void reduce() {
    const auto call = pop(2);
    expect(call[0], Kind::Callable, "what is called");
    expect(call[1], Kind::Tuple, "the arguments of a call");
    const auto arguments = document_.items(call[1]);
    switch (static_cast<Callable>(document_.values_[call[0]].number)) {
      case Callable::Reconstruct:
        expect_items(arguments, 3, "the arguments of _reconstruct");
        expect(arguments[0], Kind::Callable, "the class of an array");
        push({.kind = Kind::Array, .number = static_cast<std::uint32_t>(document_.arrays_.size())});
        document_.arrays_.emplace_back();
        return;
      case Callable::DType:
        return push_type(arguments);
      case Callable::Encode:
        return encode(arguments);
      case Callable::NdArray:
        break;
    }
    fail(here_, "numpy.ndarray is called, which an array in a file does not need");
  }

  /// dtype("u1", False, True): an element type, kept as an array without elements.
  void push_type(std::span<const PickleRef> arguments) {
    expect_items(arguments, 3, "the arguments of dtype");
    const auto code = text_of(arguments[0], "the code of an element type");
    constexpr std::string_view letters = "uifb", sizes = "1248";
    if (code.size() != 2 || letters.find(code[0]) == std::string_view::npos ||
        sizes.find(code[1]) == std::string_view::npos)
      fail(here_, fmt::format("element type `{}`, allowed are plain numbers such as u1, i8, f4",
                              printable(code)));
    push({.kind = Kind::Type, .number = static_cast<std::uint32_t>(document_.arrays_.size())});
    document_.arrays_.push_back({.type = std::string(code)});
  }

  /// _codecs.encode(text, "latin1"): bytes that were written as the text of the same code points.
  void encode(std::span<const PickleRef> arguments) {
    expect_items(arguments, 2, "the arguments of encode");
    expect(arguments[0], Kind::Text, "what is encoded");
    if (const auto name = text_of(arguments[1], "the encoding"); name != "latin1")
      fail(here_, fmt::format("encoding `{}`, allowed latin1", printable(name)));
    const auto text = document_.bytes(arguments[0]);
    // One text encoded again and again would need more memory than there is file
    if (text.size() > file_.size() - decoded_bytes_)
      fail(here_, "more text is encoded than the file has bytes");
    decoded_bytes_ += text.size();
    std::vector<std::uint8_t> bytes;
    bytes.reserve(text.size());
    for (std::size_t k = 0; k < text.size(); ++k) {
      std::uint8_t byte = text[k];
      if (byte >= 0x80) {  // the code points 128 to 255 have two bytes, C2 or C3 first
        if ((byte != 0xc2 && byte != 0xc3) || k + 1 == text.size() || (text[k + 1] & 0xc0U) != 0x80)
          fail(document_.offset(arguments[0]), "a text that is not latin1");
        byte = static_cast<std::uint8_t>((std::uint32_t{byte} << 6U) | (text[++k] & 0x3fU));
      }
      bytes.push_back(byte);
    }
    document_.decoded_.push_back(std::move(bytes));
    const auto& kept = document_.decoded_.back();
    push({.kind = Kind::Bytes,
          .integer = static_cast<std::int64_t>(kept.size()),
          .data = kept.data()});
  }

  /// Fills in an element type (byte order) or an array (sizes, type, order, elements).
  void build() {
    const auto state = pop(1)[0];
    const auto owner = top();
    const auto kind = document_.kind(owner);
    if (kind != Kind::Type) expect(owner, Kind::Array, "what is filled in");
    expect(state, Kind::Tuple, "the state of an array");
    const auto items = document_.items(state);
    auto& array = document_.arrays_[document_.values_[owner].number];
    if (kind == Kind::Type) {
      if (items.size() < 2) fail(here_, "an element type without a byte order");
      const auto order = text_of(items[1], "a byte order");
      if (order != "|" && order != "<" && order != ">")
        fail(here_, fmt::format("byte order `{}`, allowed are |, < and >", printable(order)));
      array.big_endian = order == ">";
      return;
    }
    expect_items(items, 5, "the state of an array");
    if (!array.type.empty()) fail(here_, "an array that is filled in twice");
    expect(items[1], Kind::Tuple, "the sizes of an array");
    expect(items[2], Kind::Type, "the element type of an array");
    if (document_.kind(items[3]) != Kind::Int) expect(items[3], Kind::Bool, "an array's order");
    expect(items[4], Kind::Bytes, "the elements of an array");
    const auto& type = document_.arrays_[document_.values_[items[2]].number];
    const auto bytes = document_.bytes(items[4]);
    // numpy's own limit; one tuple of a million sizes could serve any number of arrays
    constexpr std::size_t max_dimensions = 64;
    if (document_.items(items[1]).size() > max_dimensions)
      fail(here_, fmt::format("an array of {} dimensions, at most {} allowed",
                              document_.items(items[1]).size(), max_dimensions));
    // Compared with the bytes at every factor, so that no product can overflow
    auto product = static_cast<std::size_t>(type.type[1] - '0');
    std::vector<std::size_t> sizes;
    bool empty = false, too_many = false;
    for (const auto size : document_.items(items[1])) {
      expect(size, Kind::Int, "a size of an array");
      if (document_.integer(size) < 0)
        fail(here_, fmt::format("an array size of {}", document_.integer(size)));
      sizes.push_back(static_cast<std::size_t>(document_.integer(size)));
      if (sizes.back() == 0)
        empty = true;
      else if (sizes.back() > bytes.size() / product)
        too_many = true;
      else
        product *= sizes.back();
    }
    if (empty ? !bytes.empty() : too_many || product != bytes.size())
      fail(here_, fmt::format("an array of [{}] {} has {} bytes", fmt::join(sizes, ", "), type.type,
                              bytes.size()));
    array = {.type = type.type,
             .big_endian = type.big_endian,
             .column_major = document_.integer(items[3]) != 0,
             .sizes = std::move(sizes),
             .bytes = bytes};
  }

  std::span<const std::uint8_t> file_;
  std::string what_;
  std::size_t max_values_;
  std::size_t at_ = 0;    ///< the next byte
  std::size_t here_ = 0;  ///< the opcode that is carried out
  std::size_t decoded_bytes_ = 0;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;  ///< heights of the stack
  std::unordered_map<std::uint64_t, PickleRef> memo_;
  PickleDocument document_;
  bool stopped_ = false;
};

/// What the pickle in `file` holds, see `PickleMachine`; `file` must outlive the result. Throws
/// `DataError` with `what`, the byte and what was found there. About 20 ns a value.
[[nodiscard]] inline PickleDocument read_pickle(std::span<const std::uint8_t> file,
                                                std::string_view what,
                                                std::size_t max_values = std::size_t{1} << 20) {
  return PickleMachine(file, what, max_values).run();
}

}  // namespace cleave::data
