#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/darts.hpp>
#include <cleave/select/best_validation.hpp>
#include <cleave/split/exhaustive.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/derived_by.hpp>
#include <cleave_test.hpp>
#include <limits>
#include <vector>

// Searches on the DARTS space, as small as they can be.

using namespace cleave;

namespace {

using Space = space::Darts;
using Net = supernet::Darts<>;
using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                         split::Among<split::FixedOrder>, split::FixedRepeats>;

const data::InMemory& digits() {
  static const auto data = data::digits().take(60, 20);
  return data;
}

template <class Search>
typename Search::Settings tiny() {
  typename Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  settings.supernet = {.channels = 2, .cells = 3, .image_channels = 1};
  settings.network.sizes = settings.supernet;
  settings.trial = network::Recipe::darts();
  settings.trial.batch = 32;
  settings.batch = 16;
  return settings;
}

Net small(const Restriction<Space>& allowed) {
  return {allowed, {.channels = 2, .cells = 3, .image_channels = 1}, Stream(1)};
}

/// Edges 0 and 3 split in two, one side kept.
Restriction<Space> split_twice() {
  return Restriction<Space>()
      .with(DecisionId(0), {OptionId(0), OptionId(3), OptionId(4)})
      .with(DecisionId(3), {OptionId(2), OptionId(5), OptionId(6)});
}

}  // namespace

TEST_CASE("both orders of DARTS search the DARTS space: match, split, derive, choose, retrain") {
  at::set_num_threads(1);
  const auto run = [](auto strategy) {
    strategy.alpha_deviation = 0;
    using Search = FewShotSearch<Space, decltype(strategy), Matching>;
    // 20 is no normal edge.
    const Matching matching{.edges = {.decisions = Space::cell_decisions(false),
                                      .edges = {{DecisionId(20), DecisionId(3)}}},
                            .repeats = {1},
                            .probe = Probe::Soft};
    const auto result =
        Search(tiny<Search>(), strategy, matching, {.rungs = {1}}).run(digits());
    REQUIRE(result.splits.size() == 1);
    const auto& outcome = result.splits[0].outcome;
    CHECK(outcome.split.decision == DecisionId(3));
    CHECK(outcome.passes == 7);
    REQUIRE(result.leaves.size() == 2);
    for (const auto& leaf : result.leaves)
      CHECK(allows<Space>(result.tree[leaf.node].restriction, leaf.genotype));
    REQUIRE(result.chosen);
  };
  run(strategy::Darts<strategy::FirstOrder>{});
  run(strategy::Darts<strategy::SecondOrder>{});
}

TEST_CASE("few-shot on the DARTS space: one leaf per operation, split before the first step") {
  at::set_num_threads(1);
  using Search = FewShotSearch<Space, strategy::Darts<strategy::FirstOrder>, split::Exhaustive,
                               select::BestValidation>;
  auto settings = tiny<Search>();
  settings.schedule.splits = {{0, 2}};
  const auto result = Search(settings, {}, {.order = {DecisionId(2)}}).run(digits());
  REQUIRE(result.leaves.size() == Space::operations);
  for (std::size_t o = 0; o < Space::operations; ++o) {
    const auto& leaf = result.leaves[o];
    CHECK((result.tree[leaf.node].restriction[DecisionId(2)] == OptionSet{OptionId(o)}));
    CHECK(allows<Space>(result.tree[leaf.node].restriction, leaf.genotype));
  }
}

TEST_CASE("alphas that start at 0 give exactly uniform contexts while they are frozen") {
  const auto net = small(split_twice());
  const strategy::Darts<> darts{.alpha_deviation = 0};
  const auto state = darts.start(net, Stream(3));
  const auto context = darts.context(net, state, Stream(4));
  for (std::size_t d = 0; d < Space::decision_count; ++d) {
    const auto options = split_twice()[DecisionId(d)];
    for (const auto option : options)
      CHECK(context.weights[static_cast<std::int64_t>(d)]
                           [static_cast<std::int64_t>(option.index())]
                               .item<float>() == 1.0F / static_cast<float>(options.size()));
  }
}

TEST_CASE("the literal rule is a switch of any strategy that weighs options") {
  const auto net = small(split_twice());
  const strategy::Darts<> fair;
  // [literal]
  const strategy::DerivedBy<strategy::Darts<>> literal;
  // [literal]
  static_assert(strategy::SearchStrategy<strategy::DerivedBy<strategy::Darts<>>, Net>);
  auto state = fair.start(net, Stream(3));
  const at::NoGradGuard no_grad;
  // Into node 3 come edges 2, 3, 4. Edge 3 has three options, all alike; 2 and 4 prefer one of seven.
  state.alpha.zero_();
  state.alpha[2][3].fill_(0.5);
  state.alpha[4][6].fill_(0.4);
  const Judge<Net> nobody{};
  const auto by_clarity = fair.derive(net, state, nobody, Stream(1)).normal;
  const auto by_weight = literal.derive(net, state, nobody, Stream(1)).normal;
  using Edge = space::DartsGenotype::Edge;
  using enum space::DartsOperation;
  // The largest weights are 0.22, 1/3 and 0.20.
  CHECK((by_clarity[2] == Edge{sep_conv_3x3, 0}));
  CHECK((by_clarity[3] == Edge{dil_conv_5x5, 2}));
  CHECK((by_weight[2] == Edge{skip_connect, 1}));
  CHECK((by_weight[3] == Edge{sep_conv_3x3, 0}));
}
