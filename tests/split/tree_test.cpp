#include <cleave/space/darts.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/split/tree.hpp>
#include <cleave/split/tree_dot.hpp>
#include <cleave_test.hpp>

#include "random_tree.hpp"

using namespace cleave;
using Catch::Matchers::Contains;

TEMPLATE_TEST_CASE("split tree: leaves are disjoint and cover the root", "", space::Toy,
                   space::NasBench201, space::Darts, space::Ofa) {
  Stream stream(1);
  for (int trial = 0; trial < 20; ++trial) {
    const auto tree = testing::random_tree<TestType>(stream, 12);
    const auto root = tree[0].restriction;
    const auto leaves = tree.leaves();
    Count sum = 0;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const auto& leaf = tree[leaves[i]].restriction;
      REQUIRE(root.contains(leaf));
      sum += leaf.count();
      for (std::size_t j = 0; j < i; ++j)
        REQUIRE_FALSE(intersect(leaf, tree[leaves[j]].restriction));
    }
    REQUIRE(sum == root.count());
    for (int i = 0; i < 20; ++i) {
      const auto architecture = root.sample(stream);
      REQUIRE(tree[tree.leaf_of(architecture)].restriction.contains(architecture));
      REQUIRE_FALSE(tree[tree.leaf_of(architecture)].split);
    }
  }
}

TEST_CASE("split tree: each architecture of the toy space is in exactly one leaf") {
  Stream stream(2);
  for (int trial = 0; trial < 50; ++trial) {
    const auto tree = testing::random_tree<space::Toy>(stream, 10);
    const auto root = tree[0].restriction;
    for (Count i = 0; i < root.count(); ++i) {
      std::size_t holders = 0;
      for (const auto leaf : tree.leaves())
        holders += tree[leaf].restriction.contains(root.at(i)) ? 1U : 0U;
      REQUIRE(holders == 1);
    }
  }
}

TEST_CASE("split tree: a bad split leaves the tree as it was") {
  SplitTree<space::Toy> tree;
  const OptionSet a{OptionId(0)}, b{OptionId(1)}, c{OptionId(2)};
  tree.split(0, {DecisionId(0), {a, b | c}});
  const auto before = tree;
  CHECK_THROWS_WITH(tree.split(0, {DecisionId(1), {a, b}}), Contains("split already"));
  CHECK_THROWS_WITH(tree.split(1, {DecisionId(1), {a}}), Contains("cover"));
  CHECK_THROWS_WITH(tree.split(1, {DecisionId(1), {a, b, {}}}), Contains("empty group"));
  CHECK_THROWS_WITH(tree.split(1, {DecisionId(1), {a | b, b}}), Contains("in two groups"));
  CHECK_THROWS_AS(tree.split(1, {DecisionId(0), {a, b}}), ValueError);  // b is gone from here
  CHECK_THROWS_AS(tree.split(1, {DecisionId(0), {}}), ValueError);
  CHECK_THROWS_AS(tree.split(1, {DecisionId(7), {a}}), ValueError);
  CHECK_THROWS_WITH(tree.split(3, {DecisionId(1), {a, b}}), Contains("node 3, it has 3"));
  CHECK(tree == before);
}

TEST_CASE("split tree: paths name nodes whatever the order of splits") {
  const OptionSet a{OptionId(0)}, b{OptionId(1)}, rest{OptionId(1), OptionId(2)};
  SplitTree<space::Toy> left_first, right_first;
  for (auto* tree : {&left_first, &right_first}) tree->split(0, {DecisionId(0), {a, rest}});
  left_first.split(1, {DecisionId(1), {a, b}});
  left_first.split(2, {DecisionId(1), {a, b}});
  right_first.split(2, {DecisionId(1), {a, b}});
  right_first.split(1, {DecisionId(1), {a, b}});
  const auto paths = [](const auto& tree) {
    std::vector<std::string> result;
    for (const auto leaf : tree.leaves()) result.push_back(tree[leaf].path);
    return result;
  };
  CHECK(paths(left_first) == std::vector<std::string>{"0.0", "0.1", "1.0", "1.1"});
  CHECK(paths(left_first) == paths(right_first));
  CHECK_FALSE(left_first == right_first);  // the history differs
}

TEST_CASE("split tree: an architecture outside the root has no leaf") {
  const auto root = Restriction<space::Toy>().with(DecisionId(1), {OptionId(0)});
  Architecture<space::Toy> outside;
  outside.set(DecisionId(1), OptionId(1));
  CHECK_THROWS_AS(SplitTree<space::Toy>(root).leaf_of(outside), ValueError);
}

namespace {

struct Quoted : space::Toy {
  static constexpr std::string_view decision_name(DecisionId) { return "a \"b\" \\ c"; }
};

}  // namespace

TEST_CASE("split tree: DOT has a box per node, an edge per child, and quotes names") {
  SplitTree<space::NasBench201> tree;
  tree.split(0, {DecisionId(0), {OptionSet::first(2), OptionSet::first(5) - OptionSet::first(2)}});
  const auto dot = to_dot(tree);
  CHECK_THAT(dot, Contains("digraph \"split tree of nasbench201\" {"));
  CHECK_THAT(dot, Contains(R"(n0 [label="root\n15625 architectures\nsplit 1<-0"];)"));
  CHECK_THAT(dot, Contains(R"(n1 [label="0\n6250 architectures", style=filled];)"));
  CHECK_THAT(dot, Contains(R"(n0 -> n1 [label="none\nskip_connect"];)"));
  SplitTree<Quoted> quoted;
  quoted.split(0, {DecisionId(1), {OptionSet{OptionId(0)}, OptionSet{OptionId(1)}}});
  CHECK_THAT(to_dot(quoted), Contains(R"(split a \"b\" \\ c")"));
}
