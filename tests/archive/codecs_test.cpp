#include <cleave/archive/codecs.hpp>
#include <cleave/core/error.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace cleave;
using Catch::Matchers::Contains;

namespace {

enum class Colour : std::uint8_t { Red, Green };
constexpr std::size_t count_of(Colour) { return 2; }

struct Part {
  std::int16_t small = 0;
  std::vector<double> numbers{};

  template <class F>
  void fields(F&& field) {
    field("small", small);
    field("numbers", numbers);
  }
  friend bool operator==(const Part&, const Part&) = default;
};

struct Whole {
  bool flag = false;
  std::uint64_t count = 0;
  std::string text{};
  Colour colour = Colour::Red;
  DecisionId decision{};
  OptionSet options{};
  std::optional<Part> part{};
  std::map<std::size_t, Part> parts{};
  Eigen::MatrixXd matrix{};

  template <class F>
  void fields(F&& field) {
    field("flag", flag);
    field("count", count);
    field("text", text);
    field("colour", colour);
    field("decision", decision);
    field("options", options);
    field("part", part);
    field("parts", parts);
    field("matrix", matrix);
  }
};

struct Other {
  double flag = 1;
  template <class F>
  void fields(F&& field) {
    field("flag", flag);
  }
};
struct Renamed {
  bool banner = true;
  template <class F>
  void fields(F&& field) {
    field("banner", banner);
  }
};

Whole example() {
  Whole whole{.flag = true,
              .count = std::numeric_limits<std::uint64_t>::max(),
              .text = std::string("a\0b", 3),
              .colour = Colour::Green,
              .decision = DecisionId(7),
              .options = {OptionId(0), OptionId(31)},
              .part = Part{-3, {0.1, -0.0, std::numeric_limits<double>::infinity()}},
              .parts = {{4, {1, {}}}, {9, {2, {5e-324}}}},
              .matrix = Eigen::MatrixXd::Random(3, 2)};
  return whole;
}

std::vector<std::byte> bytes_of(Whole whole) {
  archive::Writer writer;
  archive::Codec<Whole>::write(writer, whole);
  return {writer.buffer().begin(), writer.buffer().end()};
}

Whole read(std::span<const std::byte> bytes) {
  archive::Reader reader(bytes, "test.bytes");
  Whole whole;
  archive::Codec<Whole>::read(reader, whole);
  CHECK(reader.left() == 0);
  return whole;
}

std::string refusal(std::span<const std::byte> bytes) {
  try {
    (void)read(bytes);
  } catch (const DataError& error) {
    return error.what();
  }
  return "read";
}

}  // namespace

TEST_CASE("what is written is read, to the bit") {
  const auto whole = example();
  const auto bytes = bytes_of(whole);
  const auto again = read(bytes);
  CHECK(again.flag == whole.flag);
  CHECK(again.count == whole.count);
  CHECK(again.text == whole.text);
  CHECK(again.colour == whole.colour);
  CHECK(again.decision == whole.decision);
  CHECK(again.options == whole.options);
  CHECK(again.part == whole.part);
  CHECK(std::signbit(again.part->numbers[1]));
  CHECK(again.parts == whole.parts);
  CHECK(again.matrix == whole.matrix);
  CHECK(bytes_of(again) == bytes);
}

TEST_CASE("bytes cut off anywhere are an error that says where") {
  const auto bytes = bytes_of(example());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_THAT(refusal(std::span(bytes).first(size)), Contains("test.bytes: at byte "));
}

TEST_CASE("no byte changed anywhere is read beyond the end or allocates what is not there") {
  const auto bytes = bytes_of(example());
  for (std::size_t place = 0; place < bytes.size(); ++place)
    for (const int flip : {0x01, 0x80, 0xff}) {
      auto broken = bytes;
      broken[place] ^= static_cast<std::byte>(flip);
      archive::Reader reader(broken, "test.bytes");
      Whole whole;
      try {
        archive::Codec<Whole>::read(reader, whole);  // numbers may differ: that is the checksum's
      } catch (const DataError&) {
      }
      CHECK(whole.text.size() <= bytes.size());
      CHECK(whole.matrix.size() <= static_cast<Eigen::Index>(bytes.size()));
    }
}

TEST_CASE("the error names the field, what was expected and what was found") {
  archive::Writer writer;
  Other other;
  archive::Codec<Other>::write(writer, other);
  CHECK_THAT(refusal(writer.buffer()), Contains("in flag: expected a boolean, found a real number"));

  archive::Writer second;
  Renamed renamed;
  archive::Codec<Renamed>::write(second, renamed);
  CHECK_THAT(refusal(second.buffer()), Contains("expected field flag, found field banner"));
}

TEST_CASE("numbers that do not fit are refused, not cut") {
  archive::Writer writer;
  writer.signed_number(40000);
  archive::Reader reader(writer.buffer(), "n");
  std::int16_t small = 0;
  CHECK_THROWS_WITH(archive::Codec<std::int16_t>::read(reader, small), Contains("found 40000"));
  archive::Writer colour;
  colour.unsigned_number(2);
  archive::Reader of_colour(colour.buffer(), "n");
  Colour value{};
  CHECK_THROWS_WITH(archive::Codec<Colour>::read(of_colour, value),
                    Contains("expected a number below 2, found 2"));
}
