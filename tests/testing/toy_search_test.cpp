#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/testing/space_laws.hpp>
#include <cleave/testing/toy_cell.hpp>
#include <cleave/testing/toy_chain.hpp>
#include <cleave/testing/toy_elastic.hpp>
#include <cleave/testing/toy_strategy.hpp>
#include <cleave_test.hpp>

using namespace cleave;
using namespace cleave::testing;

namespace {

using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                         split::LowestNormalisedCut, split::FixedRepeats>;

const data::InMemory& digits() {
  static const auto set = [] {
    at::set_num_threads(1);
    return data::digits();
  }();
  return set;
}

/// The network with double-precision weights, so that equal functions differ by rounding alone.
template <class Space>
typename SupernetFor<Space>::type net_over(const Restriction<Space>& allowed, std::uint64_t seed) {
  return {allowed, ToyConfig{.scalar = at::kDouble}, Stream(seed).fork("weights")};
}

at::Tensor images() {
  const std::vector<std::int64_t> first{0, 1, 2, 3, 4, 5, 6, 7};
  return digits().batch(data::Part::Train, first, false, Stream()).images.to(at::kDouble);
}

/// Two levels of splits by gradient matching, everything short.
template <class Space, class Strategy>
auto search_of(Restart restart, std::uint64_t seed, Strategy strategy = {}) {
  using Search = FewShotSearch<Space, Strategy, Matching>;
  typename Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}, {2, 2}}, .final_epochs = 4, .restart = restart};
  settings.batch = 48;
  settings.seed = seed;
  settings.trial.batch = 96;
  settings.trial.optimiser = {.rate = {0.05, 0.0}};
  return std::pair<typename Search::Settings, Search>(
      settings, Search(settings, strategy, {.repeats = {.count = 2}}, {.rungs = {1, 2}}));
}

/// Equal but for node numbers, which count splits in the order in which they were made.
template <class Space>
bool same(const SearchResult<Space>& a, const SearchResult<Space>& b) {
  bool equal = a.chosen == b.chosen && a.leaves.size() == b.leaves.size() &&
               a.trials.size() == b.trials.size() && a.tree.leaves().size() == a.leaves.size();
  for (std::size_t i = 0; equal && i < a.leaves.size(); ++i) {
    const auto& left = a.tree[a.leaves[i].node];
    const auto& right = b.tree[b.leaves[i].node];
    equal = left.path == right.path && left.restriction == right.restriction &&
            a.leaves[i].genotype == b.leaves[i].genotype &&
            a.leaves[i].supernet_accuracy == b.leaves[i].supernet_accuracy;
  }
  for (std::size_t i = 0; equal && i < a.trials.size(); ++i)
    equal = a.trials[i].accuracy == b.trials[i].accuracy;
  return equal;
}

template <class Space, class Strategy>
void check_search(Restart restart) {
  auto [settings, search] = search_of<Space, Strategy>(restart, 3);
  const auto result = search.run(digits());

  REQUIRE(result.leaves.size() == 4);
  REQUIRE(result.splits.size() == 3);
  Count covered = 0;
  double accuracy = 0;
  for (std::size_t i = 0; i < result.leaves.size(); ++i) {
    const auto& leaf = result.leaves[i];
    const auto& allowed = result.tree[leaf.node].restriction;
    INFO(to_text<Space>(leaf.genotype));
    CHECK(allows<Space>(allowed, leaf.genotype));
    accuracy += leaf.supernet_accuracy / 4;
    CHECK(leaf.alpha.has_value() == !std::same_as<Strategy, UniformSamples>);
    covered += allowed.count();
    for (std::size_t j = 0; j < i; ++j)
      CHECK_FALSE(intersect(allowed, result.tree[result.leaves[j].node].restriction));
  }
  CHECK(accuracy > 0.2);  // twice what guessing gives
  CHECK(covered == Restriction<Space>().count());
  for (const auto& split : result.splits) {
    const auto& allowed = result.tree[split.node].restriction;
    for (const auto& seen : split.outcome.evidence) {
      CHECK(seen.options == allowed[seen.decision]);
      CHECK(seen.similarity.rows() == static_cast<Eigen::Index>(seen.options.size()));
      CHECK(seen.similarity.diagonal().isOnes(1e-6));
    }
  }
  CHECK(result.genotype() == result.leaves[*result.chosen].genotype);
  CHECK(result.trials.size() >= 2);

  // Neither a second run nor the order of leaves changes anything; another seed does.
  settings.last_child_first = true;
  const FewShotSearch<Space, Strategy, Matching> backwards(
      settings, Strategy{}, {.repeats = {.count = 2}}, {.rungs = {1, 2}});
  CHECK(same(result, backwards.run(digits())));
  CHECK_FALSE(same(result, search_of<Space, Strategy>(restart, 4).second.run(digits())));
}

/// The gradient of a loss under a context, [P].
template <class Net>
at::Tensor gradient(Net& net, const typename Net::Context& context) {
  net.arena().gradients().zero_();
  net.forward(images(), context).square().sum().backward();
  return net.arena().gradients().clone();
}

/// What the concept's doc comment promises, over random restrictions of the space.
template <class Space>
void check_supernet() {
  Stream stream = Stream(11).fork("supernet laws");
  auto whole = net_over<Space>({}, 1);
  for (int trial = 0; trial < 12; ++trial) {
    const auto allowed = random_restriction<Space>(stream);
    auto net = net_over<Space>(allowed, 2);
    const auto genotype = sample<Space>(allowed, stream);
    const auto context = net.context_of(genotype);
    INFO(to_text<Space>(genotype));

    // A child that inherits computes what its parent computes, and holds no more weights.
    CHECK(net.arena().size() <= whole.arena().size());
    const auto copied =
        net.arena().inherit(whole.arena(), whole.arena().values(), net.arena().values());
    CHECK(copied == net.arena().weights().size());
    CHECK(at::equal(net.forward(images(), context),
                    whole.forward(images(), whole.context_of(genotype))));

    // Every weight is used by some allowed genotype, and where one does not use it gets a zero.
    auto used = gradient(net, context).ne(0);
    const auto reached = [&] {
      std::size_t count = 0;
      for (const auto& entry : net.arena().entries())
        count += used.narrow(0, entry.slice.range.begin, entry.slice.range.size())
                     .any()
                     .template item<bool>();
      return count;
    };
    const auto weights = net.arena().weights().size();
    for (int other = 0; other < 300 && reached() < weights; ++other)
      used.logical_or_(gradient(net, net.context_of(sample<Space>(allowed, stream))).ne(0));
    CHECK(reached() == weights);

    // A probe computes what the architecture with that option does.
    if constexpr (std::same_as<Genotype<Space>, Architecture<Space>>) {
      for (std::size_t d = 0; d < Space::decision_count; ++d) {
        const DecisionId decision(d);
        for (const auto option : allowed[decision]) {
          auto moved = genotype;
          moved.set(decision, option);
          for (const auto kind : {Probe::Hard, Probe::Soft})
            CHECK(at::equal(net.forward(images(), net.probe(context, decision, option, kind)),
                            net.forward(images(), net.context_of(moved))));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("toy spaces keep the laws of a search space") {
  CHECK(check_space<ToyPath>() == std::vector<std::string>{});
  CHECK(check_space<ToyRagged>() == std::vector<std::string>{});
  CHECK(check_space<ToyElastic>() == std::vector<std::string>{});
  CHECK(check_space<ToyCell>() == std::vector<std::string>{});
}

TEST_CASE("toy supernets: restricted children compute what their parents do") {
  check_supernet<ToyPath>();
  check_supernet<ToyRagged>();
  check_supernet<ToyElastic>();
  check_supernet<ToyCell>();
}

TEST_CASE("options that a context leaves out get no gradient") {
  auto net = net_over<ToyRagged>({}, 5);
  const auto path = Architecture<ToyRagged>();  // conv1, conv1, conv1
  const auto all = gradient(net, net.context_of(path));
  for (std::size_t d = 0; d < ToyRagged::decision_count; ++d)
    for (std::size_t o = 0; o < ToyRagged::option_count(DecisionId(d)); ++o) {
      const auto range = net.arena().range_of(DecisionId(d), OptionId(o));
      const auto own = all.narrow(0, range.begin, range.size());
      CHECK((own.numel() == 0) == (ToyRagged::kernel(DecisionId(d), OptionId(o)) == 0));
      if (own.numel() > 0) CHECK(own.ne(0).any().item<bool>() == (o == 0));
    }
  auto elastic = net_over<ToyElastic>({}, 5);
  const auto subnet = Architecture<ToyElastic>();  // width 1 of 3, one layer
  gradient(elastic, subnet);
  const auto expand = elastic.arena().named("layer0.expand").grad();
  CHECK(expand.narrow(0, 0, ToyElasticNet::part).ne(0).any().item<bool>());
  const auto rest = expand.narrow(0, ToyElasticNet::part, 2 * ToyElasticNet::part);
  CHECK_FALSE(rest.ne(0).any().item<bool>());
  CHECK_FALSE(elastic.arena().named("layer1.expand").grad().ne(0).any().item<bool>());
}

TEST_CASE("slices of one tensor: narrower options are smaller tensors") {
  const auto narrow =
      Restriction<ToyElastic>().with(ToyElastic::width(0), OptionSet{OptionId(0), OptionId(1)});
  const auto net = net_over<ToyElastic>(narrow, 1);
  CHECK(net.arena().named("layer0.expand").size(0) == 2 * ToyElasticNet::part);
  CHECK(net.arena().named("layer1.expand").size(0) == 3 * ToyElasticNet::part);

  // All of a width's tensor is the width's own, whichever slice: scoring it leaves both out.
  const auto own = net.arena().range_of(ToyElastic::width(0));
  const auto slice =
      net.arena().named("layer0.expand").numel() + net.arena().named("layer0.project").numel();
  CHECK(own.size() == slice);
  CHECK(net.arena().range_of(ToyElastic::depth()).size() == 0);

  const auto shallow = net_over<ToyElastic>(
      Restriction<ToyElastic>().with(ToyElastic::depth(), OptionSet{OptionId(0)}), 1);
  CHECK_THROWS_AS(shallow.arena().named("layer1.expand"), ValueError);
}

TEST_CASE("a decision that means nothing is the dearest to cut") {
  auto net = net_over<ToyElastic>(
      Restriction<ToyElastic>().with(ToyElastic::depth(), OptionSet{OptionId(0)}), 7);
  const auto gradients_of = [&](DecisionId decision) {
    std::vector<at::Tensor> rows;
    for (const auto option : net.restriction()[decision])
      rows.push_back(gradient(net, net.probe({}, decision, option, Probe::Hard)));
    return at::stack(rows);
  };
  const auto dead = gradients_of(ToyElastic::width(1));
  CHECK(dead.ne(0).any().item<bool>());
  CHECK(at::equal(dead, dead.narrow(0, 0, 1).expand_as(dead)));
  const auto live = gradients_of(ToyElastic::width(0));
  CHECK_FALSE(at::equal(live, live.narrow(0, 0, 1).expand_as(live)));
}

TEST_CASE("one host searches a mixture of a cell with a genotype of its own") {
  check_search<ToyCell, strategy::Darts<>>(Restart::LastSplit);
}
TEST_CASE("one host searches single paths") {
  check_search<ToyPath, UniformSamples>(Restart::EverySplit);
}
TEST_CASE("one host searches ragged options with a zero among them") {
  check_search<ToyRagged, strategy::Darts<strategy::FirstOrder>>(Restart::None);
}
TEST_CASE("one host searches slices of one tensor") {
  check_search<ToyElastic, UniformSamples>(Restart::None);
}
