// Prints what is inside a checkpoint, or any other cleave archive, without the types that wrote it:
// `cleave_inspect FILE [--depth N]`.

#include <cleave/archive/file.hpp>
#include <cleave/archive/tensor_shape.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace {

using cleave::archive::Reader;
using cleave::archive::Tag;

class Printer {
 public:
  Printer(Reader& from, std::size_t depth) : from_(from), most_depth_(depth) {}

  /// One value; long lists and deep objects are passed over with their size.
  void value(const std::string& name, std::size_t depth = 0) {
    if (depth > cleave::archive::most_depth) from_.fail("fewer levels", "more");
    const auto tag = from_.peek();
    switch (tag) {
      case Tag::Boolean: return line(name, depth, from_.boolean() ? "yes" : "no");
      case Tag::Unsigned: return line(name, depth, std::to_string(from_.unsigned_number()));
      case Tag::Signed: return line(name, depth, std::to_string(from_.signed_number()));
      case Tag::Real: return line(name, depth, fmt::format("{}", from_.real()));
      case Tag::Text: return text(name, depth);
      case Tag::List: return list(name, depth);
      case Tag::Object: return object(name, depth);
      case Tag::Matrix: return matrix(name, depth);
      case Tag::Tensor: return tensor(name, depth);
      default: from_.fail("a value", cleave::archive::tag_name(tag));
    }
  }

 private:
  void line(const std::string& name, std::size_t depth, const std::string& what) {
    if (depth <= most_depth_)
      fmt::print("{:{}}{}{}{}\n", "", 2 * depth, name, name.empty() ? "" : ": ", what);
  }

  void text(const std::string& name, std::size_t depth) {
    constexpr std::size_t most_shown = 200;
    auto shown = from_.text();
    const auto size = shown.size();
    if (size > most_shown) shown.resize(most_shown);
    for (const char c : shown)
      if (static_cast<unsigned char>(c) < 0x20) return line(name, depth, fmt::format("{} bytes", size));
    line(name, depth, size > most_shown ? fmt::format("{}... ({} bytes)", shown, size) : shown);
  }

  void list(const std::string& name, std::size_t depth) {
    const auto count = from_.begin_list();
    const auto first = from_.position();
    line(name, depth, fmt::format("{} values", count));
    for (std::size_t i = 0; i < count; ++i) value(fmt::format("[{}]", i), depth + 1);
    if (depth == most_depth_ && count > 0)
      line("", depth, fmt::format("  ({} bytes)", from_.position() - first));
  }

  void object(const std::string& name, std::size_t depth) {
    from_.expect(Tag::Object);
    if (!name.empty()) line(name, depth, "");
    while (from_.peek() != Tag::End) {
      const auto field = from_.field_name();
      value(field, name.empty() ? depth : depth + 1);
    }
    from_.expect(Tag::End);
  }

  void matrix(const std::string& name, std::size_t depth) {
    from_.expect(Tag::Matrix);
    const auto rows = from_.raw<std::uint64_t>();
    const auto columns = from_.raw<std::uint64_t>();
    const auto most = from_.left() / sizeof(double);
    if (rows > most || columns > most || (rows > 0 && columns > most / rows))
      from_.fail(fmt::format("at most {} numbers", most), fmt::format("{} x {}", rows, columns));
    (void)from_.bytes(rows * columns * sizeof(double));
    line(name, depth, fmt::format("matrix {} x {}", rows, columns));
  }

  void tensor(const std::string& name, std::size_t depth) {
    from_.expect(Tag::Tensor);
    const auto shape = cleave::archive::read_tensor_shape(from_);
    (void)from_.bytes(shape.bytes);
    line(name, depth, "tensor " + shape.text());
  }

  Reader& from_;
  std::size_t most_depth_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::size_t depth = 4;
  CLI::App app{"Prints what is inside a checkpoint: settings, split tree, stages, tensors by shape"};
  app.add_option("file", file, "a checkpoint of a run folder")->required();
  app.add_option("--depth", depth, "levels shown")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const cleave::archive::File archive(file);
    auto reader = archive.reader();
    fmt::print("{}: {} bytes, checksum right\n", file, archive.bytes());
    Printer(reader, depth).value("");
    if (reader.left() != 0) reader.fail("the end", fmt::format("{} more bytes", reader.left()));
  } catch (const std::exception& error) {
    fmt::print(stderr, "cleave_inspect: {}\n", error.what());
    return 1;
  }
}
