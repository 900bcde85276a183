#include <cleave/space/toy.hpp>
#include <cleave/tabular/split_quality.hpp>
#include <cleave_test.hpp>

using namespace cleave;
using namespace cleave::tabular;
using Space = space::Toy;

namespace {

std::vector<Architecture<Space>> random_good(std::size_t count, Stream stream) {
  std::vector<Architecture<Space>> good;
  for (std::size_t i = 0; i < count; ++i) good.push_back(Restriction<Space>{}.sample(stream));
  return good;
}

}  // namespace

TEST_CASE("the leaves share out all good architectures and all of the space") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto good = random_good(17, Stream(seed));
    const auto tree = grow<Space>(RandomTwoWay<Space>{}, seed % 5, Stream(seed));
    const auto leaves = leaf_quality<Space>(tree, good);
    REQUIRE(leaves.size() == std::size_t{1} << seed % 5);
    std::size_t kept = 0;
    double share = 0;
    for (const auto& leaf : leaves) {
      std::size_t inside = 0;
      for (const auto& architecture : good)
        inside += tree[leaf.leaf].restriction.contains(architecture);
      REQUIRE(leaf.kept == inside);
      REQUIRE(leaf.kept_share == Approx(static_cast<double>(inside) / 17));
      kept += leaf.kept;
      share += leaf.space_share;
      REQUIRE(best_leaf<Space>(tree, good).kept >= leaf.kept);
    }
    REQUIRE(kept == 17);
    REQUIRE(share == Approx(1));
  }
}

TEST_CASE("of equal leaves the smaller part of the space is the better one") {
  SplitTree<Space> tree;
  const OptionSet first{OptionId(0)};
  tree.split(0, {DecisionId(0), {OptionSet::first(3) - first, first}});
  const std::vector<Architecture<Space>> good{
      Architecture<Space>{}, Architecture<Space>{}.set(DecisionId(0), OptionId(2))};
  const auto best = best_leaf<Space>(tree, good);
  CHECK(best.leaf == 2);
  CHECK(best.kept == 1);
  CHECK(best.space_share == Approx(1 / 3.0));
}

TEST_CASE("the best two splits are the best of all pairs") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto good = random_good(9, Stream(seed));
    const auto tree = best_two_splits<Space>(good, 1);
    std::size_t most = 0;
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      for (std::size_t e = 0; e < d; ++e)
        for (std::size_t a = 0; a < Space::option_count(DecisionId(d)); ++a)
          for (std::size_t b = 0; b < Space::option_count(DecisionId(e)); ++b) {
            std::size_t kept = 0;
            for (const auto& architecture : good)
              kept += architecture[DecisionId(d)] == OptionId(a) &&
                      architecture[DecisionId(e)] == OptionId(b);
            most = std::max(most, kept);
          }
    const auto first = tree[0].children.at(0);
    const auto leaf = tree[first].children.at(0);
    std::size_t kept = 0;
    for (const auto& architecture : good) kept += tree[leaf].restriction.contains(architecture);
    REQUIRE(kept == most);
  }
}

TEST_CASE("random splits name open decisions, halve their options and depend on the path alone") {
  const auto tree = grow<Space>(RandomTwoWay<Space>{}, 3, Stream(1));
  for (std::size_t node = 0; node < tree.size(); ++node) {
    if (!tree[node].split) continue;
    const auto& split = *tree[node].split;
    const auto whole = Space::option_count(split.decision);
    REQUIRE(tree[node].restriction[split.decision].size() == whole);
    REQUIRE(split.groups.at(0).size() == whole / 2);
    REQUIRE(split.groups.at(1).size() == whole - whole / 2);
  }
  CHECK(tree == grow<Space>(RandomTwoWay<Space>{}, 3, Stream(1)));
  CHECK_FALSE(tree == grow<Space>(RandomTwoWay<Space>{}, 3, Stream(2)));
  CHECK_THROWS_AS(grow<Space>(RandomTwoWay<Space>{}, 5, Stream(1)), ValueError);
}

TEST_CASE("split quality refuses nothing to look for") {
  const std::vector<Architecture<Space>> none;
  CHECK_THROWS_AS(leaf_quality<Space>(SplitTree<Space>{}, none), ValueError);
  CHECK_THROWS_AS(best_two_splits<Space>(none, 2), ValueError);
  CHECK_THROWS_AS(best_two_splits<Space>(random_good(3, Stream(1)), 4), ValueError);
  CHECK_THROWS_AS(best_two_splits<Space>(random_good(3, Stream(1)), 0), ValueError);
}
