#include <cleave/data/idx_reader.hpp>
#include <cleave_test.hpp>

#include "made_files.hpp"
#include <temporary_folder.hpp>

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;

namespace {

Bytes counted(std::size_t count) {
  Bytes values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<std::uint8_t>(i);
  return values;
}

}  // namespace

TEST_CASE("an IDX file, plain or gzip, gives sizes and values") {
  const auto values = counted(2 * 3 * 4);
  const auto plain = idx_file({2, 3, 4}, values);
  for (const auto& file : {plain, gzip(plain)}) {
    const auto array = parse_idx(file, 3, "made");
    REQUIRE(array.sizes == std::vector<std::size_t>{2, 3, 4});
    REQUIRE(array.values == values);
  }
}

TEST_CASE("damaged IDX files say what and where") {
  const auto plain = idx_file({2, 3, 4}, counted(24));
  SECTION("every shorter file is refused") {
    for (std::size_t length = 0; length < plain.size(); ++length)
      REQUIRE_THROWS_AS(parse_idx(std::span(plain).first(length), 3, "made"), DataError);
    const auto packed = gzip(plain);
    for (std::size_t length = 0; length < packed.size(); ++length)
      REQUIRE_THROWS_AS(parse_idx(std::span(packed).first(length), 3, "made"), DataError);
    // The length of the file bounds the values before any are read
    REQUIRE_THROWS_WITH(parse_idx(std::span(plain).first(20), 3, "made"),
                        Contains("made: at byte 4: 24 values declared"));
    REQUIRE_THROWS_WITH(parse_idx(std::span(plain).first(30), 3, "made"),
                        Contains("made: at byte 30: the data ends, expected 24 values"));
  }
  SECTION("bytes behind the array") {
    auto longer = plain;
    longer.push_back(0);
    REQUIRE_THROWS_WITH(parse_idx(longer, 3, "made"),
                        Contains("at byte 40: 1 bytes after the end of the array"));
    REQUIRE_THROWS_WITH(parse_idx(gzip(longer), 3, "made"), Contains("more data than expected"));
    auto packed = gzip(plain);
    packed.push_back(0);
    REQUIRE_THROWS_WITH(parse_idx(packed, 3, "made"),
                        Contains("bytes after the end of the compressed data"));
  }
  SECTION("another type or number of dimensions") {
    auto other = plain;
    other[2] = 0x0d;
    REQUIRE_THROWS_WITH(parse_idx(other, 3, "made"),
                        Contains("at byte 0: magic number 00000d03, expected 00000803"));
    REQUIRE_THROWS_WITH(parse_idx(plain, 1, "made"), Contains("expected 00000801"));
  }
  SECTION("a size of 0") {
    REQUIRE_THROWS_WITH(parse_idx(idx_file({2, 0, 4}, {}), 3, "made"),
                        Contains("at byte 8: dimension 1 is 0"));
  }
  SECTION("a flipped bit in compressed values is found by the checksum") {
    auto packed = gzip(plain);
    packed[packed.size() - 6] ^= 1;
    REQUIRE_THROWS_AS(parse_idx(packed, 3, "made"), DataError);
  }
}

TEST_CASE("an IDX file cannot make the reader take memory that it does not hold") {
  SECTION("sizes whose product overflows") {
    const auto bomb = idx_file({0xffffffff, 0xffffffff, 0xffffffff}, counted(8));
    REQUIRE_THROWS_AS(parse_idx(bomb, 3, "bomb"), DataError);
    REQUIRE_THROWS_AS(parse_idx(gzip(bomb), 3, "bomb"), DataError);
  }
  SECTION("a gigabyte declared in a small file") {
    const auto bomb = idx_file({1024, 1024, 1024}, counted(8));
    REQUIRE_THROWS_WITH(parse_idx(bomb, 3, "bomb"), Contains("1073741824 values declared"));
    REQUIRE_THROWS_WITH(parse_idx(gzip(bomb), 3, "bomb"), Contains("cannot hold more than"));
  }
  SECTION("a well-formed bomb beyond the limit") {
    const auto bomb = gzip(idx_file({1, 4096, 1024}, Bytes(4096 * 1024)));
    REQUIRE(bomb.size() < 6000);
    REQUIRE(parse_idx(bomb, 3, "bomb").values.size() == 4096 * 1024);
    REQUIRE_THROWS_WITH(parse_idx(bomb, 3, "bomb", 1 << 20),
                        Contains("at byte 12: dimension 2 is 1024, allowed 1 to 256"));
  }
  SECTION("more data than declared is not even decompressed") {
    const auto bomb = gzip(idx_file({1, 2, 2}, Bytes(std::size_t{1} << 24)));
    REQUIRE_THROWS_WITH(parse_idx(bomb, 3, "bomb"), Contains("more data than expected"));
  }
}

TEST_CASE("a folder in MNIST's layout") {
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte", idx_file({5, 4, 3}, counted(60)));
  folder.write("train-labels-idx1-ubyte", idx_file({5}, {0, 1, 2, 0, 1}));
  folder.write("t10k-images-idx3-ubyte.gz", gzip(idx_file({2, 4, 3}, counted(24))));
  folder.write("t10k-labels-idx1-ubyte.gz", gzip(idx_file({2}, {2, 0})));
  const auto read = [&] { return read_idx_parts(folder.path(), 3); };
  const auto parts = read();
  REQUIRE(parts.train.shape == ImageShape{1, 4, 3});
  REQUIRE(parts.train.labels == std::vector<std::int64_t>{0, 1, 2, 0, 1});
  REQUIRE(parts.train.pixels == counted(60));
  REQUIRE(parts.test.labels == std::vector<std::int64_t>{2, 0});

  SECTION("a label out of range") {
    folder.write("t10k-labels-idx1-ubyte.gz", gzip(idx_file({2}, {2, 3})));
    REQUIRE_THROWS_AS(read(), DataError);
    REQUIRE_THROWS_WITH(read(), Contains("t10k-labels-idx1-ubyte.gz: at byte 9: image 1 has label "
                                         "3, allowed 0 to 2"));
  }
  SECTION("different counts") {
    folder.write("train-labels-idx1-ubyte", idx_file({4}, {0, 1, 2, 0}));
    REQUIRE_THROWS_AS(read(), DataError);
    REQUIRE_THROWS_WITH(read(), Contains("5 images, but") && Contains("has 4 labels"));
  }
  SECTION("parts of different sizes") {
    folder.write("t10k-images-idx3-ubyte.gz", gzip(idx_file({2, 3, 4}, counted(24))));
    REQUIRE_THROWS_WITH(read(), Contains("images of 3 x 4, the train part has 4 x 3"));
  }
  SECTION("a missing file") {
    std::filesystem::remove(folder.path() / "train-images-idx3-ubyte");
    REQUIRE_THROWS_AS(read(), IoError);
    REQUIRE_THROWS_WITH(read(), Contains("train-images-idx3-ubyte.gz: no such file"));
  }
}

TEST_CASE("Fashion-MNIST as Debian installs it", "[data]") {
  const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: package dataset-fashion-mnist is not installed");
    return;
  }
  const auto parts = read_idx_parts(folder, 10);
  REQUIRE(parts.train.count() == 60'000);
  REQUIRE(parts.test.count() == 10'000);
  REQUIRE(parts.train.shape == ImageShape{1, 28, 28});
  double sum = 0;
  for (const auto value : parts.train.pixels) sum += value;
  REQUIRE(sum / (60'000.0 * 784.0 * 255.0) == Approx(0.2860).margin(5e-5));
}
