#include <algorithm>
#include <cleave/space/ofa.hpp>
#include <cleave/strategy/evolution.hpp>
#include <cleave_test.hpp>
#include <set>
#include <string>

using namespace cleave;
using strategy::Evolution;
using strategy::Individual;
using Space = space::Ofa;
using Catch::Matchers::Contains;

namespace {

/// Seven decisions with three options each: 2187 architectures, some of which are equal networks.
Restriction<Space> small() {
  Restriction<Space> allowed{Architecture<Space>()};
  for (const auto decision : {Space::kernel(0), Space::kernel(1), Space::kernel(2), Space::expand(3),
                              Space::expand(7), Space::depth(0), Space::depth(1)})
    allowed = allowed.with(decision, OptionSet::first(3));
  return allowed;
}

/// Any numbers that do not add up decision by decision.
double value_of(const Architecture<Space>& a) {
  const auto at = [&](DecisionId d) { return static_cast<double>(a[d].index()); };
  return std::sin(1.3 * at(Space::kernel(0)) * at(Space::kernel(1)) + at(Space::kernel(2))) +
         0.4 * at(Space::expand(3)) - 0.3 * at(Space::depth(0)) * at(Space::kernel(1)) +
         0.2 * at(Space::depth(1)) * at(Space::expand(7));
}

}  // namespace

TEST_CASE("evolution finds the best allowed architecture and never looks at one that is not") {
  const auto allowed = small();
  std::vector<double> costs;
  for (Count i = 0; i < allowed.count(); ++i)
    costs.push_back(static_cast<double>(space::cost(allowed.at(i), {.width = 1.0}).macs));
  std::nth_element(costs.begin(), costs.begin() + 1000, costs.end());
  const double most = costs[1000];
  const auto is_allowed = [&](const Architecture<Space>& a) {
    return static_cast<double>(space::cost(a, {.width = 1.0}).macs) <= most;
  };
  double best = -1e9;
  std::size_t count = 0;
  for (Count i = 0; i < allowed.count(); ++i) {
    const auto a = strategy::canonical(allowed.at(i), allowed);
    if (!is_allowed(a)) continue;
    ++count;
    best = std::max(best, value_of(a));
  }
  REQUIRE((count > 900 && count < 1200));  // the limit forbids half
  std::set<std::string> judged;
  const auto accuracies = [&](std::span<const Architecture<Space>> some) {
    std::vector<double> values;
    for (const auto& a : some) {
      CHECK(is_allowed(a));
      CHECK(allowed.contains(a));
      CHECK(judged.insert(Space::to_text(a)).second);  // nothing is judged twice
      CHECK(strategy::canonical(a, allowed) == a);     // nor is the same network
      values.push_back(value_of(a));
    }
    return values;
  };
  const Evolution evolution{.population = 24, .generations = 20};
  const auto seen = evolution(allowed, is_allowed, accuracies, Stream(3));
  CHECK(seen.size() == judged.size());
  CHECK(seen.size() <= 24 + 20 * 18);
  CHECK(strategy::best_of(seen).accuracy == best);

  // Twice the same, with another stream something else; more parents, fewer children.
  judged.clear();
  const auto again = evolution(allowed, is_allowed, accuracies, Stream(3));
  REQUIRE(again.size() == seen.size());
  for (std::size_t i = 0; i < seen.size(); ++i)
    CHECK(seen[i].architecture == again[i].architecture);
  judged.clear();
  CHECK_FALSE(evolution(allowed, is_allowed, accuracies, Stream(4)).front().architecture ==
              seen.front().architecture);
}

TEST_CASE("evolution ends when there is nothing new, and says when nothing is allowed") {
  const auto allowed =
      Restriction<Space>{Architecture<Space>()}.with(Space::kernel(0), OptionSet::first(3));
  std::size_t calls = 0;
  const auto values = [&](std::span<const Architecture<Space>> some) {
    ++calls;
    return std::vector<double>(some.size(), 0.5);
  };
  const auto any = [](const Architecture<Space>&) { return true; };
  const Evolution evolution{.population = 10, .generations = 50, .tries = 200};
  CHECK(evolution(allowed, any, values, Stream(1)).size() == 3);
  CHECK(calls == 1);
  const auto none = [](const Architecture<Space>&) { return false; };
  CHECK_THROWS_WITH(evolution(allowed, none, values, Stream(1)), Contains("too tight"));
  CHECK_THROWS_WITH((Evolution{.mutation = 1.5})(allowed, any, values, Stream(1)),
                    Contains("mutation is 1.5"));
  CHECK_THROWS_AS((Evolution{.population = 0})(allowed, any, values, Stream(1)), ValueError);
}

TEST_CASE("idle decisions do not make two networks of one") {
  Stream stream(5);
  const Restriction<Space> all;
  for (int i = 0; i < 50; ++i) {
    const auto a = all.sample(stream);
    const auto b = strategy::canonical(a, all);
    CHECK(space::network(a) == space::network(b));
    CHECK(strategy::canonical(b, all) == b);
  }
}

TEST_CASE("the Pareto front is what a comparison of all pairs leaves") {
  Stream stream(6);
  std::vector<Individual<Space>> all;
  for (int i = 0; i < 60; ++i)
    all.push_back({Restriction<Space>().sample(stream), static_cast<double>(stream.below(20)) / 20});
  const auto cost = [](const Architecture<Space>& a) { return space::cost(a).macs / 50'000'000; };
  const auto front = strategy::pareto_front(all, cost);
  std::set<std::pair<std::uint64_t, double>> expected;
  for (const auto& a : all) {
    bool beaten = false;
    for (const auto& b : all)
      beaten |= cost(b.architecture) <= cost(a.architecture) && b.accuracy >= a.accuracy &&
                (cost(b.architecture) < cost(a.architecture) || b.accuracy > a.accuracy);
    if (!beaten) expected.emplace(cost(a.architecture), a.accuracy);
  }
  std::set<std::pair<std::uint64_t, double>> found;
  for (const auto& a : front) found.emplace(cost(a.architecture), a.accuracy);
  CHECK(front.size() == expected.size());
  CHECK(found == expected);
  REQUIRE(front.size() > 2);
  for (std::size_t i = 1; i < front.size(); ++i)
    CHECK((front[i].accuracy > front[i - 1].accuracy &&
           cost(front[i].architecture) > cost(front[i - 1].architecture)));
}
