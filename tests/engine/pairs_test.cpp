#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/darts.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/select/best_validation.hpp>
#include <cleave/split/exhaustive.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/strategy/snas.hpp>
#include <cleave_test.hpp>
#include <tuple>

// Every strategy goes with every split criterion on every space: each pair compiles, and runs. A
// pair that makes no sense does not compile, with a sentence: tests/compile_fail.

using namespace cleave;

namespace {

/// A new space takes a line here, and its headers. (The toys: tests/testing.)
using Spaces = std::tuple<space::NasBench201, space::Darts>;
using Strategies = std::tuple<strategy::Darts<strategy::FirstOrder>,
                              strategy::Darts<strategy::SecondOrder>, strategy::Snas, strategy::Rsps<>>;
using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced, split::Among<>,
                                         split::FixedRepeats>;
using Criteria = std::tuple<Matching, split::Exhaustive, split::Random>;

template <class Tuple, class Function>
void for_each_type(Function function) {
  std::apply([&](const auto&... items) { (function(items), ...); }, Tuple{});
}

/// The smallest networks of the space for the digits.
template <class Config>
Config small() {
  Config config;
  if constexpr (requires { config.sizes; }) {
    config.sizes = small<decltype(config.sizes)>();
  } else {
    config.channels = 2;
    config.image_channels = 1;
    if constexpr (requires { config.cells; }) config.cells = 1;
    if constexpr (requires { config.is_reduction(0); }) config.cells = 3;
  }
  return config;
}

/// One epoch, one split, one epoch in every leaf.
template <class Space, class Strategy, class Criterion>
void run(Strategy strategy, Criterion criterion) {
  static const auto data = data::digits().take(100, 10);
  if constexpr (requires { strategy.paths; }) strategy.paths = 4;
  if constexpr (requires { criterion.repeats; }) {
    criterion.repeats = {.count = 1};
    criterion.edges.decisions = {DecisionId(0), DecisionId(5)};
  }
  using Search = FewShotSearch<Space, Strategy, Criterion, select::BestValidation>;
  typename Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  settings.supernet = small<decltype(settings.supernet)>();
  settings.network = small<decltype(settings.network)>();
  settings.batch = 24;
  const auto result = Search(settings, strategy, criterion).run(data);
  INFO(Space::name << ", " << Strategy::name << ", " << Criterion::name);
  REQUIRE(result.leaves.size() >= 2);
  for (const auto& leaf : result.leaves)
    CHECK(allows<Space>(result.tree[leaf.node].restriction, leaf.genotype));
}

}  // namespace

TEST_CASE("every strategy goes with every criterion on every cell space") {
  at::set_num_threads(1);
  std::size_t pairs = 0;
  for_each_type<Spaces>([&](auto space) {
    for_each_type<Strategies>([&](const auto& strategy) {
      for_each_type<Criteria>([&](const auto& criterion) {
        run<decltype(space)>(strategy, criterion);
        ++pairs;
      });
    });
  });
  CHECK(pairs == 2 * 4 * 3);
}
