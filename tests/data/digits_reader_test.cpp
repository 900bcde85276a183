#include <array>
#include <cleave/data/digits_reader.hpp>
#include <cleave_test.hpp>
#include <string>

using namespace cleave;
using namespace cleave::data;

TEST_CASE("the embedded digits are the 1,797 of the UCI set") {
  const auto all = read_digits();
  REQUIRE(all.count() == 1797);
  REQUIRE(all.shape == ImageShape{1, 8, 8});
  REQUIRE(all.pixels.size() == 1797 * 64);
  std::array<int, 10> count{};
  for (const auto label : all.labels) ++count.at(static_cast<std::size_t>(label));
  REQUIRE(count == std::array<int, 10>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180});
  REQUIRE(*std::max_element(all.pixels.begin(), all.pixels.end()) == 16);
  // The first row that has ink, and the sum of everything, as in the published file
  const std::array<std::uint8_t, 8> first{0, 0, 5, 13, 9, 1, 0, 0};
  REQUIRE(std::equal(first.begin(), first.end(), all.pixels.begin()));
  std::size_t sum = 0;
  for (const auto pixel : all.pixels) sum += pixel;
  REQUIRE(sum == 561'718);
}

TEST_CASE("the digits' parts are disjoint, complete and of equal class proportions") {
  const auto all = read_digits();
  const auto parts = read_digits_parts();
  REQUIRE(parts.train.count() == 1438);
  REQUIRE(parts.test.count() == 359);
  std::array<int, 10> count{};
  for (const auto label : parts.test.labels) ++count.at(static_cast<std::size_t>(label));
  for (const int images : count) REQUIRE((images == 35 || images == 36 || images == 37));
  // Merged again by class they are the whole file: of each class first train, then test
  for (std::int64_t label = 0; label < 10; ++label) {
    std::vector<std::uint8_t> whole;
    std::vector<std::uint8_t> merged;
    const auto collect = [&](const RawImages& images, std::vector<std::uint8_t>& out) {
      for (std::size_t i = 0; i < images.count(); ++i)
        if (images.labels[i] == label)
          out.insert(out.end(), images.pixels.begin() + static_cast<std::ptrdiff_t>(64 * i),
                     images.pixels.begin() + static_cast<std::ptrdiff_t>(64 * (i + 1)));
    };
    collect(all, whole);
    collect(parts.train, merged);
    collect(parts.test, merged);
    REQUIRE(whole == merged);
  }
}

TEST_CASE("base64") {
  const auto decoded = [](std::string_view text) {
    const auto bytes = decode_base64(text);
    return std::string(bytes.begin(), bytes.end());
  };
  REQUIRE(decoded("").empty());
  REQUIRE(decoded("Zg==") == "f");
  REQUIRE(decoded("Zm8=") == "fo");
  REQUIRE(decoded("Zm9v") == "foo");
  REQUIRE(decoded("+/+/") == "\xfb\xff\xbf");
  REQUIRE_THROWS_AS(decode_base64("Zm9"), DataError);
  REQUIRE_THROWS_AS(decode_base64("Z=9v"), DataError);
  REQUIRE_THROWS_WITH(decode_base64("Zm9vZm!v"), "base64: character 6 is byte 0x21");
}
