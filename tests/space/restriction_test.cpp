#include <algorithm>
#include <cleave/space/darts.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/testing/laws.hpp>
#include <cleave_test.hpp>
#include <limits>
#include <map>
#include <set>

using namespace cleave;
using space::Toy;
using Catch::Matchers::Contains;

TEST_CASE("restriction: enumerates the toy space once, in order") {
  const Restriction<Toy> all;
  REQUIRE(all.count() == 72);
  std::vector<Architecture<Toy>> listed;
  for (Count i = 0; i < all.count(); ++i) {
    listed.push_back(all.at(i));
    CHECK(all.index_of(listed.back()) == i);
  }
  CHECK(std::is_sorted(listed.begin(), listed.end()));
  CHECK(std::adjacent_find(listed.begin(), listed.end()) == listed.end());
  CHECK_THROWS_AS(all.at(72), ValueError);
}

TEST_CASE("restriction: membership, number and count agree with counting for random restrictions") {
  Stream stream(1);
  const Restriction<Toy> all;
  for (int trial = 0; trial < 200; ++trial) {
    const auto some = testing::random_restriction<Toy>(stream);
    const auto other = testing::random_restriction<Toy>(stream);
    Count inside = 0;
    Count in_both = 0;
    bool within = true;
    for (Count i = 0; i < all.count(); ++i) {
      const auto architecture = all.at(i);
      if (some.contains(architecture)) {
        REQUIRE(some.index_of(architecture) == inside);
        REQUIRE(some.at(inside++) == architecture);
        in_both += other.contains(architecture) ? 1U : 0U;
        within = within && other.contains(architecture);
      } else {
        REQUIRE_THROWS_AS(some.index_of(architecture), ValueError);
      }
    }
    REQUIRE(inside == some.count());
    REQUIRE(other.contains(some) == within);
    REQUIRE(intersect(some, other) == (in_both > 0));
    if (in_both > 0) REQUIRE(intersection(some, other).count() == in_both);
    else REQUIRE_THROWS_AS(intersection(some, other), ValueError);
  }
}

TEST_CASE("restriction: sampling is uniform") {
  Stream stream(2);
  const auto some = Restriction<Toy>().with(DecisionId(0), OptionSet{OptionId(0), OptionId(2)});
  std::map<Architecture<Toy>, int> counts;
  constexpr int draws = 48000;
  for (int i = 0; i < draws; ++i) ++counts[some.sample(stream)];
  REQUIRE(counts.size() == 48);
  double chi_square = 0.0;
  for (const auto& [architecture, count] : counts)
    chi_square += (count - 1e3) * (count - 1e3) / 1e3;
  CHECK(chi_square < 82.7);  // 47 degrees of freedom, p = 0.001
}

TEST_CASE("restriction: refuses what the space does not have") {
  const Restriction<Toy> all;
  CHECK_THROWS_WITH(all.with(DecisionId(1), {}), Contains("decision 1"));
  CHECK_THROWS_AS(all.with(DecisionId(1), OptionSet{OptionId(2)}), ValueError);
  CHECK_THROWS_AS(all.with(DecisionId(4), OptionSet{OptionId(0)}), ValueError);
  Architecture<Toy> architecture;
  CHECK_THROWS_WITH(architecture.set(DecisionId(1), OptionId(2)), Contains("allowed 0 to 1"));
  CHECK_THROWS_AS(architecture.set(DecisionId(9), OptionId(0)), ValueError);
}

TEST_CASE("counts of the large spaces are exact") {
  CHECK(to_string(Restriction<space::Darts>().count()) == "459986536544739960976801");
  CHECK(to_string(Restriction<space::DartsWithNone>().count()) == "19342813113834066795298816");
  CHECK(to_string(Restriction<space::Ofa>().count()) == "11817250826203334794572");
  const Restriction<space::DartsWithNone> all;
  const auto last = all.at(all.count() - 1);
  CHECK(all.index_of(last) == all.count() - 1);
}

TEST_CASE("derive takes the heaviest allowed option and never NaN") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> weights{nan, 0.2, 0.1, 9.0,  // the fourth column is padding
                              0.5, 0.5, 9.0, 9.0,  //
                              -3., -2., -1., 0.0,  //
                              0.1, 0.2, 0.3, 9.0};
  CHECK(plain_text<Toy>(derive<Toy>(weights, {})) == "green,red,white,blue");
  const auto some = Restriction<Toy>().with(DecisionId(3), OptionSet{OptionId(0), OptionId(1)});
  CHECK(plain_text<Toy>(derive<Toy>(weights, some)) == "green,red,white,green");
  weights[1] = weights[2] = nan;
  CHECK_THROWS_AS(derive<Toy>(weights, Restriction<Toy>()), ValueError);
  weights.pop_back();
  CHECK_THROWS_WITH(derive<Toy>(weights, Restriction<Toy>()), Contains("15 option weights, 16"));
}

TEST_CASE("plain text: errors have a position and name what is allowed") {
  CHECK_THROWS_WITH(parse_plain_text<Toy>("red,blue,red,red"),
                    Contains("at byte 4: expected one of red, green, found 'blue,red,red'"));
  CHECK_THROWS_WITH(parse_plain_text<Toy>("red,red,red"),
                    Contains("at byte 11: expected ',', found end of text"));
  CHECK_THROWS_WITH(parse_plain_text<Toy>("red,red,red,red "), Contains("expected end of text"));
  CHECK_THROWS_AS(parse_plain_text<Toy>(std::string("red\0,red,red,red", 16)), ParseError);
  CHECK_THROWS_WITH(parse_plain_text<Toy>(std::string(1 << 17, 'r')), Contains("at most 65536"));
}
