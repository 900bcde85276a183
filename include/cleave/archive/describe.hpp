#pragma once

#include <cleave/archive/reader.hpp>
#include <cleave/archive/shapes.hpp>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cleave::archive {

/// What an archive holds, as indented lines, without the types that wrote it. Tensors and matrices
/// stand by their shape, long texts by their beginning. Throws `DataError` for damaged bytes.
class Description {
 public:
  /// `depth`: levels that get lines; deeper values are read and not shown.
  Description(Reader& from, std::size_t depth) : from_(from), most_shown_(depth) { value("", 0); }

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  void value(const std::string& name, std::size_t depth) {
    if (depth > most_depth) from_.fail("fewer levels", "more");
    switch (const auto tag = from_.peek()) {
      case Tag::Boolean: return line(name, depth, from_.boolean() ? "yes" : "no");
      case Tag::Unsigned: return line(name, depth, std::to_string(from_.unsigned_number()));
      case Tag::Signed: return line(name, depth, std::to_string(from_.signed_number()));
      case Tag::Real: return line(name, depth, fmt::format("{}", from_.real()));
      case Tag::Text: return line(name, depth, shortened(from_.text()));
      case Tag::List: return list(name, depth);
      case Tag::Object: return object(name, depth);
      case Tag::Matrix: return matrix(name, depth);
      case Tag::Tensor: return tensor(name, depth);
      default: from_.fail("a value", tag_name(tag));
    }
  }

  void line(const std::string& name, std::size_t depth, const std::string& what) {
    if (depth <= most_shown_)
      text_ += fmt::format("{:{}}{}{}{}\n", "", 2 * depth, name, name.empty() ? "" : ": ", what);
  }

  static std::string shortened(std::string text) {
    constexpr std::size_t most_bytes = 200;
    const auto size = text.size();
    for (const char c : text)
      if (static_cast<unsigned char>(c) < 0x20) return fmt::format("{} bytes", size);
    if (size <= most_bytes) return text;
    text.resize(most_bytes);
    return fmt::format("{}... ({} bytes)", text, size);
  }

  void list(const std::string& name, std::size_t depth) {
    const auto count = from_.begin_list();
    line(name, depth, fmt::format("{} values", count));
    for (std::size_t i = 0; i < count; ++i) value(fmt::format("[{}]", i), depth + 1);
  }

  void object(const std::string& name, std::size_t depth) {
    from_.expect(Tag::Object);
    if (!name.empty()) line(name, depth, "");
    while (from_.peek() != Tag::End) {
      const auto field = from_.field_name();
      value(field, depth + (name.empty() ? 0 : 1));
    }
    from_.expect(Tag::End);
  }

  void matrix(const std::string& name, std::size_t depth) {
    from_.expect(Tag::Matrix);
    const auto [rows, columns] = read_matrix_shape(from_);
    (void)from_.bytes(rows * columns * sizeof(double));
    line(name, depth, fmt::format("matrix {} x {}", rows, columns));
  }

  void tensor(const std::string& name, std::size_t depth) {
    from_.expect(Tag::Tensor);
    const auto shape = read_tensor_shape(from_);
    (void)from_.bytes(shape.bytes);
    line(name, depth, "tensor " + shape.text());
  }

  Reader& from_;
  std::size_t most_shown_;
  std::string text_;
};

}  // namespace cleave::archive
