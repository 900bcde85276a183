// Prints what is inside a checkpoint, or any other cleave archive, without the types that wrote it:
// `cleave_inspect FILE [--depth N]`.

#include <cleave/archive/describe.hpp>
#include <cleave/archive/file.hpp>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
  std::string file;
  std::size_t depth = 3;
  CLI::App app{"Prints what is inside a checkpoint: settings, splits, stages, tensors by shape"};
  app.add_option("file", file, "the file `checkpoint` of a run folder")->required();
  app.add_option("--depth", depth, "levels shown")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    const cleave::archive::File archive(file);
    auto reader = archive.reader();
    const cleave::archive::Description description(reader, depth);
    if (reader.left() != 0) reader.fail("the end", fmt::format("{} more bytes", reader.left()));
    fmt::print("{}: {} bytes, checksum right\n{}", file, archive.bytes(), description.text());
  } catch (const std::exception& error) {
    fmt::print(stderr, "cleave_inspect: {}\n", error.what());
    return 1;
  }
}
