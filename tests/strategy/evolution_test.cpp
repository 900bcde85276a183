#include <algorithm>
#include <array>
#include <cleave/space/ofa.hpp>
#include <cleave/strategy/cost_limits.hpp>
#include <cleave/strategy/evolution.hpp>
#include <cleave_test.hpp>
#include <functional>
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

TEST_CASE("the cheapest network is the minimum over the space, whatever order costs are in") {
  const space::OfaShape shape{.width = 0.25, .image = 28, .first_stride = 1};
  auto allowed = small();
  for (const auto d : {Space::kernel(8), Space::depth(2)})
    allowed = allowed.with(d, OptionSet::first(3));
  allowed = allowed.with(Space::image(), OptionSet{OptionId(1), OptionId(3)});
  // A block's cost hashed from its form: no order in kernels or expansions.
  const auto hashed = [](const space::MobileNetwork& net) {
    double sum = 0;
    for (const auto& block : net.blocks)
      sum += 2 + std::sin(static_cast<double>(37 * block.in + 41 * block.out + 11 * block.kernel +
                                              5 * block.expand + net.image));
    return sum;
  };
  const std::vector<std::function<double(const space::MobileNetwork&)>> costs{
      [](const auto& net) { return static_cast<double>(space::cost(net).macs); },
      [](const auto& net) { return static_cast<double>(space::cost(net).params); }, hashed};
  std::array<std::array<double, 2>, 3> least{};
  for (auto& row : least) row.fill(1e300);
  for (Count i = 0; i < allowed.count(); ++i) {
    const auto a = allowed.at(i);
    const auto net = space::network(a, shape);
    for (std::size_t c = 0; c < costs.size(); ++c) {
      auto& so_far = least.at(c).at(a[Space::image()] == OptionId(1) ? 0 : 1);
      so_far = std::min(so_far, costs[c](net));
    }
  }
  for (std::size_t c = 0; c < costs.size(); ++c)
    for (std::size_t i = 0; i < 2; ++i) {
      CAPTURE(c, i);
      const auto found = strategy::cheapest(allowed, OptionId(i == 0 ? 1 : 3), [&](const auto& a) {
        return costs[c](space::network(a, shape));
      });
      CHECK(allowed.contains(found));
      CHECK(costs[c](space::network(found, shape)) == Approx(least.at(c).at(i)).epsilon(1e-12));
    }

  // Exactly the least is a limit that can be met; anything below is refused, with the least.
  const auto most = [&](double macs) { return strategy::CostLimits{.most_macs = macs}; };
  const auto begin = strategy::cheapest_within(most(least[0][0]), allowed, shape);
  REQUIRE(begin.size() == 2);  // images of 20 and of 28
  CHECK_THROWS_WITH(strategy::cheapest_within(most(least[0][0] - 1), allowed, shape),
                    Contains(fmt::format("with images of 20 the least possible are {} multiply-adds",
                                         least[0][0])) &&
                        Contains(fmt::format("images of 28 the least possible are {} multiply-adds",
                                             least[0][1])));
  CHECK_THROWS_WITH(strategy::cheapest_within({.most_latency = 1}, allowed, shape, hashed),
                    Contains("of latency (allowed 1)") && Contains("with images of 20"));
  // One limit only at each size: parameters are the same at both.
  CHECK_THROWS_WITH(strategy::cheapest_within({.most_params = least[1][0] - 1}, allowed, shape),
                    Contains("parameters"));
  CHECK(strategy::cheapest_within({}, allowed, shape).empty());

  // Where only the cheapest keeps the limit, evolution begins with it instead of giving up.
  const auto is_allowed = [&](const Architecture<Space>& a) {
    return static_cast<double>(space::cost(a, shape).macs) <= least[0][0];
  };
  const auto values = [](std::span<const Architecture<Space>> some) {
    return std::vector<double>(some.size(), 0.5);
  };
  const Evolution evolution{.population = 4, .generations = 2, .tries = 20};
  CHECK_THROWS_WITH(evolution(allowed, is_allowed, values, Stream(1)), Contains("too tight"));
  for (const auto& one : evolution(allowed, is_allowed, values, Stream(1), begin))
    CHECK(is_allowed(one.architecture));
}

TEST_CASE("limits that cannot be kept together are refused with a proof, others never") {
  const space::OfaShape shape{.width = 0.25, .image = 28, .first_stride = 1};
  auto allowed = small();
  for (const auto stage : {0U, 1U})  // a layer less would be less of everything
    allowed = allowed.with(Space::depth(stage), {OptionId(2)});
  for (const auto d : {Space::expand(0), Space::expand(1)})
    allowed = allowed.with(d, OptionSet::first(3));
  // A price that is high where multiply-adds are low.
  const auto price = [](const space::MobileNetwork& net) {
    double sum = 0;
    for (const auto& block : net.blocks)
      sum += 25 - static_cast<double>(block.kernel + 2 * block.expand);
    return sum;
  };
  std::vector<std::array<double, 2>> all;
  for (Count i = 0; i < allowed.count(); ++i) {
    const auto net = space::network(allowed.at(i), shape);
    all.push_back({static_cast<double>(space::cost(net).macs), price(net)});
  }
  std::size_t refused = 0, met = 0, open = 0;
  Stream stream(9);
  for (int i = 0; i < 60; ++i) {
    const auto& a = all[stream.below(all.size())];
    const auto& b = all[stream.below(all.size())];
    const strategy::CostLimits limits{.most_macs = a[0], .most_latency = b[1]};
    const bool possible = std::any_of(all.begin(), all.end(), [&](const auto& one) {
      return one[0] <= limits.most_macs && one[1] <= limits.most_latency;
    });
    try {
      const auto first = strategy::cheapest_within(limits, allowed, shape, price);
      const bool found = std::any_of(first.begin(), first.end(), [&](const auto& one) {
        const auto net = space::network(one, shape);
        return static_cast<double>(space::cost(net).macs) <= limits.most_macs &&
               price(net) <= limits.most_latency;
      });
      CHECK((possible || !found));
      (found ? met : open) += 1;
    } catch (const ValueError& error) {
      CHECK_FALSE(possible);  // a refusal is a proof
      CHECK_THAT(std::string(error.what()), Contains("cannot be kept together"));
      ++refused;
    }
  }
  CAPTURE(refused, met, open);
  CHECK((refused >= 5 && met >= 20));
  CHECK(open <= 6);

  // The least multiply-adds are a limit too, alone and against the most of something else.
  const auto most = std::max_element(all.begin(), all.end())->at(0);
  const auto least = std::min_element(all.begin(), all.end())->at(0);
  CHECK_FALSE(strategy::cheapest_within({.least_macs = most}, allowed, shape).empty());
  CHECK_THROWS_WITH(strategy::cheapest_within({.least_macs = most + 1}, allowed, shape),
                    Contains(fmt::format("the most possible are {} multiply-adds", most)));
  CHECK_THROWS_WITH(
      strategy::cheapest_within({.least_macs = most, .most_macs = least}, allowed, shape),
      Contains("cannot be kept together"));
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
  const auto cost = [](const Architecture<Space>& a) { return space::cost(a).macs / 50'000'000; };
  for (int i = 0; i < 60; ++i) {  // what costs more tends to be better, with ties in both
    const auto a = Restriction<Space>().sample(stream);
    all.push_back({a, static_cast<double>(cost(a) + stream.below(4)) / 20});
  }
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
