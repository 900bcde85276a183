#include <algorithm>
#include <array>
#include <cleave/core/random.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <map>
#include <set>
#include <vector>

using cleave::Stream;

TEST_CASE("stream: splitmix64 numbers, the same on every machine") {
  // mix64(k * golden) for k = 1, 2, 3 are the first outputs of splitmix64 seeded with 0.
  auto stream = Stream::from_state({0, 0});
  CHECK(stream() == 0xe220a8397b1dcdafULL);
  CHECK(stream() == 0x6e789e6aa1b965f4ULL);
  CHECK(stream() == 0x06c45d188009454fULL);
}

TEST_CASE("stream: a saved position continues") {
  Stream stream = Stream(7).fork("leaf").fork(3);
  for (int i = 0; i < 10; ++i) stream();
  auto resumed = Stream::from_state(stream.state());
  for (int i = 0; i < 10; ++i) CHECK(resumed() == stream());
}

TEST_CASE("stream: a child depends on its path alone") {
  Stream parent(1);
  const auto before = parent.fork("x");
  parent();
  CHECK(parent.fork("x") == before);
  std::set<std::uint64_t> firsts;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (std::uint64_t child = 0; child < 50; ++child) {
      auto a = Stream(seed).fork(child);
      firsts.insert(a());
      auto b = Stream(seed).fork(child).fork("again");
      firsts.insert(b());
    }
  CHECK(firsts.size() == 2000);
  CHECK_FALSE(Stream(1).fork("a").fork("b") == Stream(1).fork("b").fork("a"));
}

TEST_CASE("stream: below is uniform and covers exactly its range") {
  Stream stream(3);
  std::array<int, 7> counts{};
  constexpr int draws = 70000;
  for (int i = 0; i < draws; ++i) ++counts.at(stream.below(7));
  double chi_square = 0.0;
  for (const int count : counts) chi_square += (count - 1e4) * (count - 1e4) / 1e4;
  CHECK(chi_square < 22.5);  // 6 degrees of freedom, p = 0.001
  CHECK(stream.below(1) == 0);
  // A bound where a careless product would favour small numbers by half.
  constexpr std::uint64_t bound = 3ULL << 62;
  int low = 0;
  for (int i = 0; i < draws; ++i) low += stream.below(bound) < bound / 3 ? 1 : 0;
  CHECK(std::abs(low / double{draws} - 1.0 / 3.0) < 0.007);  // 4 standard deviations
}

TEST_CASE("stream: moments of uniform and normal") {
  Stream stream(5);
  constexpr int draws = 100000;
  double mean = 0.0, square = 0.0, fourth = 0.0, uniform = 0.0;
  for (int i = 0; i < draws; ++i) {
    const double u = stream.uniform();
    REQUIRE((u >= 0.0 && u < 1.0));
    uniform += u / draws;
    const double x = stream.normal();
    mean += x / draws;
    square += x * x / draws;
    fourth += x * x * x * x / draws;
  }
  CHECK(std::abs(uniform - 0.5) < 4 * 0.2887 / std::sqrt(draws));
  CHECK(std::abs(mean) < 4 / std::sqrt(draws));
  CHECK(std::abs(square - 1.0) < 4 * std::sqrt(2.0 / draws));
  CHECK(std::abs(fourth - 3.0) < 4 * std::sqrt(96.0 / draws));
}

TEST_CASE("stream: every order of four is equally likely") {
  Stream stream(11);
  std::map<std::vector<int>, int> orders;
  constexpr int draws = 24000;
  for (int i = 0; i < draws; ++i) {
    std::vector<int> items{0, 1, 2, 3};
    stream.shuffle(items);
    ++orders[items];
  }
  CHECK(orders.size() == 24);
  double chi_square = 0.0;
  for (const auto& [order, count] : orders) chi_square += (count - 1e3) * (count - 1e3) / 1e3;
  CHECK(chi_square < 49.7);  // 23 degrees of freedom, p = 0.001
}
