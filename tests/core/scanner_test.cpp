#include <cleave/core/scanner.hpp>
#include <cleave_test.hpp>
#include <string>
#include <string_view>

using namespace std::string_view_literals;
using Catch::Matchers::Contains;

namespace {

std::string message(auto&& action) {
  try {
    action();
  } catch (const cleave::Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("scanner: reads tokens and knows where it stands") {
  cleave::Scanner scan("thing", "ab_1 = 42;");
  CHECK(scan.word("a name") == "ab_1");
  scan.skip_space();
  scan.expect("=");
  scan.skip_space();
  CHECK(scan.integer("a number", 100) == 42);
  CHECK(scan.position() == 9);
  CHECK_FALSE(scan.accept(","));
  scan.expect(";");
  CHECK(scan.at_end());
  CHECK_NOTHROW(scan.expect_end());
}

TEST_CASE("scanner: an error names the thing, the byte, what was expected and what stands there") {
  cleave::Scanner scan("thing", "ab\0cd"sv);
  scan.word("a name");
  CHECK(message([&] { scan.expect("="); }) ==
        R"(thing: at byte 2: expected '=', found '\x00cd')");
  scan.accept("\0cd"sv);
  CHECK(message([&] { scan.expect("="); }) == "thing: at byte 5: expected '=', found end of text");
  CHECK(message([] {
          cleave::Scanner other("thing", "0123456789012345678901234567890123456789");
          other.expect("x");
        }) == "thing: at byte 0: expected 'x', found '01234567890123456789'...");
}

TEST_CASE("scanner: numbers out of range and no numbers") {
  const auto read = [](std::string_view text) {
    return message([text] { cleave::Scanner("thing", text).integer("a number up to 9", 9); });
  };
  CHECK(read("9") == "no error");
  CHECK_THAT(read("10"), Contains("at byte 0: expected a number up to 9, found '10'"));
  CHECK_THAT(read("-1"), Contains("at byte 0"));
  CHECK_THAT(read(""), Contains("found end of text"));
  CHECK_THAT(read("99999999999999999999999999"), Contains("at byte 0"));
}

TEST_CASE("scanner: over-long text is refused before it is read") {
  CHECK(message([] { cleave::Scanner("thing", "abcdef", 4); }) ==
        "thing: at byte 4: expected at most 4 bytes, found 6 bytes");
  CHECK_NOTHROW(cleave::Scanner("thing", "abcd", 4));
}
