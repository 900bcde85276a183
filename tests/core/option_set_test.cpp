#include <cleave/core/count.hpp>
#include <cleave/core/option_set.hpp>
#include <cleave_test.hpp>
#include <type_traits>
#include <vector>

using cleave::DecisionId;
using cleave::OptionId;
using cleave::OptionSet;

TEST_CASE("option set: members come out in rising order") {
  const OptionSet set{OptionId(4), OptionId(0), OptionId(31)};
  std::vector<std::size_t> seen;
  for (const auto option : set) seen.push_back(option.index());
  CHECK(seen == std::vector<std::size_t>{0, 4, 31});
  CHECK(set.size() == 3);
  CHECK(set.nth(1) == OptionId(4));
  CHECK_THROWS_AS(set.nth(3), cleave::ValueError);
  CHECK_FALSE(set.contains(OptionId(200)));
}

TEST_CASE("option set: algebra agrees with a set of numbers for every pair of small masks") {
  for (std::uint32_t a = 0; a < 64; ++a)
    for (std::uint32_t b = 0; b < 64; ++b) {
      const auto x = OptionSet::from_mask(a);
      const auto y = OptionSet::from_mask(b);
      std::size_t both = 0;
      bool covers = true;
      for (const auto option : y) {
        if (x.contains(option)) ++both;
        else covers = false;
      }
      if ((x & y).size() != both || (x | y).size() != x.size() + y.size() - both ||
          (x - y).size() != x.size() - both || x.contains(y) != covers)
        FAIL("masks " << a << " and " << b);
    }
  SUCCEED();
}

TEST_CASE("option set: 32 options fit, no more") {
  CHECK(OptionSet::first(32).size() == 32);
  CHECK(OptionSet::first(0).empty());
  CHECK_THROWS_AS(OptionSet::first(33), cleave::ValueError);
  OptionSet set;
  CHECK_THROWS_AS(set.insert(OptionId(32)), cleave::ValueError);
  CHECK(set.empty());
}

TEST_CASE("ids of different kinds neither mix nor come from bare numbers") {
  STATIC_REQUIRE_FALSE(std::is_convertible_v<std::size_t, OptionId>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<OptionId, DecisionId>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<OptionId, std::size_t>);
  CHECK(OptionId(3) < OptionId(4));
}

TEST_CASE("counts above 64 bits print and overflow loudly") {
  using cleave::Count;
  Count darts = 1;
  for (int i = 0; i < 28; ++i) darts = cleave::checked_product(darts, 7);
  CHECK(cleave::to_string(darts) == "459986536544739960976801");
  CHECK(cleave::to_string(0) == "0");
  CHECK(cleave::to_string(~Count{0}) == "340282366920938463463374607431768211455");
  CHECK_THROWS_AS(cleave::checked_product(Count{1} << 64, Count{1} << 64), cleave::ValueError);
  CHECK(cleave::checked_product(Count{1} << 63, Count{1} << 64) == Count{1} << 127);
  CHECK(cleave::checked_product(0, ~Count{0}) == 0);
}
