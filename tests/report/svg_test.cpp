#include <cleave/core/random.hpp>
#include <cleave/report/diverging_colour.hpp>
#include <cleave/report/svg.hpp>
#include <cleave_test.hpp>
#include <limits>

#include "well_formed.hpp"

using namespace cleave;
using namespace cleave::report;

TEST_CASE("text is escaped and made legal") {
  REQUIRE(xml_text("a<b>&\"c'") == "a&lt;b&gt;&amp;&quot;c&apos;");
  REQUIRE(xml_text("line\tand\nline") == "line\tand\nline");
  const std::string wrong = "\xef\xbf\xbd";  // U+FFFD
  REQUIRE(xml_text(std::string_view("\0x\x1b", 3)) == wrong + "x" + wrong);
  REQUIRE(xml_text("\xc3\xa9 \xe2\x86\x90 \xf0\x9f\x98\x80") ==
          "\xc3\xa9 \xe2\x86\x90 \xf0\x9f\x98\x80");
  REQUIRE(xml_text("\xc0\xaf") == wrong + wrong);                          // overlong '/'
  REQUIRE(xml_text("\xe0\x80\xaf") == wrong + wrong + wrong);              // overlong again
  REQUIRE(xml_text("\xed\xa0\x80") == wrong + wrong + wrong);              // a surrogate
  REQUIRE(xml_text("\xf4\x90\x80\x80") == wrong + wrong + wrong + wrong);  // above U+10FFFF
  REQUIRE(xml_text("\xe2\x86") == wrong + wrong);                          // cut short
  REQUIRE(xml_text("\xef\xbf\xbf") == wrong);  // U+FFFF is no XML character
  REQUIRE(character_count("\xc3\xa9 \xe2\x86\x90") == 3);
}

TEST_CASE("any bytes as text and any numbers give a well-formed picture") {
  Stream stream(1);
  for (int trial = 0; trial < 100; ++trial) {
    std::string words;
    for (std::uint64_t k = stream.below(40); k > 0; --k)
      words += static_cast<char>(stream.below(256));
    Svg svg(100, 50, words);
    svg.arrow_head("a", "#000000");
    svg.text({1, 2}, words, {.rotate = -45});
    svg.line({0, std::numeric_limits<double>::infinity()}, {std::nan(""), 1e300},
             {.dashes = "4 3", .marker = "a"});
    svg.rectangle({1, 1}, 5, 5, {.fill = "#ffffff", .stroke = "#000000", .radius = 2});
    svg.circle({1, 1}, 3, {});
    svg.curve({0, 0}, {1, 1}, {2, 0}, {});
    REQUIRE(xml_problem(svg.text()) == "");
    REQUIRE(svg.text().find("nan") == std::string::npos);
    REQUIRE(svg.text().find("inf") == std::string::npos);
  }
}

TEST_CASE("numbers are short and their sign is right") {
  Svg svg(10, 20.5, "t");
  svg.circle({-0.001, 1.0 / 3}, 2.50, {});
  REQUIRE(occurrences(svg.text(), "cx=\"0\" cy=\"0.33\" r=\"2.5\"") == 1);
  REQUIRE(occurrences(svg.text(), "viewBox=\"0 0 10 20.5\"") == 1);
  REQUIRE_THROWS_AS(Svg(0, 1, "t"), ValueError);
  REQUIRE_THROWS_AS(Svg(1, std::nan(""), "t"), ValueError);
}

TEST_CASE("the check of well-formedness finds what it should") {
  for (const auto* wrong : {"", "<a>", "<a></b>", "<a/><b/>", "<a x=1/>", "<a x=\"1\" x=\"2\"/>",
                            "<a x=\"<\"/>", "<a>&b</a>", "<a>></a>", "x<a/>"})
    REQUIRE(xml_problem(wrong) != "");
  REQUIRE(xml_problem("<a x=\"1 &amp; 2\"><b/>text</a>\n") == "");
}

TEST_CASE("the diverging scale: neutral at 0, darkens to both sides, clips") {
  REQUIRE(DivergingColour::of(0).hex() == "#f7f7f7");
  const auto luma = [](double value) {
    const auto c = DivergingColour::of(value);
    return 0.299 * c.red + 0.587 * c.green + 0.114 * c.blue;
  };
  for (double value = 0.0; value < 0.99; value += 0.01) {
    REQUIRE(luma(value + 0.01) < luma(value));
    REQUIRE(luma(-value - 0.01) < luma(-value));
    REQUIRE(std::abs(luma(value) - luma(-value)) < 25);
    REQUIRE(DivergingColour::of(value + 0.05).red >= DivergingColour::of(value + 0.05).blue);
    REQUIRE(DivergingColour::of(-value - 0.05).blue >= DivergingColour::of(-value - 0.05).red);
  }
  REQUIRE(DivergingColour::of(7).hex() == DivergingColour::of(1).hex());
  REQUIRE(DivergingColour::of(-7).hex() == DivergingColour::of(-1).hex());
  REQUIRE(DivergingColour::of(std::nan("")).hex() == "#dddddd");
  REQUIRE(DivergingColour::of(0.1).is_light());
  REQUIRE_FALSE(DivergingColour::of(1).is_light());
  REQUIRE_FALSE(DivergingColour::of(-1).is_light());
}
