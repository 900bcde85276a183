#include <cleave/space/darts.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/split/tree_text.hpp>
#include <cleave_test.hpp>
#include <string>

#include "random_tree.hpp"

using namespace cleave;
using Catch::Matchers::Contains;

namespace {

const std::string good =
    "split tree 1 of nasbench201\n"
    "root (15625) split 1\n"
    "  1<-0: nor_conv_1x1, nor_conv_3x3 (6250)\n"
    "  1<-0: none, skip_connect, avg_pool_3x3 (9375) split 2\n"
    "    3<-2: none, skip_connect (3750)\n"
    "    3<-2: nor_conv_1x1, nor_conv_3x3, avg_pool_3x3 (5625)\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("tree text: a small tree by hand") {
  const auto tree = tree_from_text<space::NasBench201>(good);
  CHECK(tree.size() == 5);
  CHECK(tree[4].path == "1.1");
  CHECK(tree[4].restriction.count() == 5625);
  CHECK(to_text(tree) == good);
}

TEST_CASE("tree text: a narrower root is written and read") {
  const auto root = Restriction<space::Toy>()
                        .with(DecisionId(0), OptionSet{OptionId(0), OptionId(2)})
                        .with(DecisionId(3), OptionSet{OptionId(1)});
  const SplitTree<space::Toy> tree(root);
  const auto text = to_text(tree);
  CHECK(text ==
        "split tree 1 of toy\nroot, decision 0: red, blue; decision 3: green (16)\n");
  CHECK(tree_from_text<space::Toy>(text) == tree);
}

TEMPLATE_TEST_CASE("tree text: random trees come back equal, numbering included", "", space::Toy,
                   space::NasBench201, space::Darts, space::Proxyless, space::Ofa) {
  Stream stream(3);
  for (int trial = 0; trial < 25; ++trial) {
    const auto tree = testing::random_tree<TestType>(stream, stream.below(15));
    const auto text = to_text(tree);
    INFO(text);
    REQUIRE(tree_from_text<TestType>(text) == tree);
  }
}

TEST_CASE("tree text: damage gets a position and what was expected") {
  const auto fails = [](const std::string& text, const std::string& part) {
    CHECK_THROWS_AS(tree_from_text<space::NasBench201>(text), ParseError);
    CHECK_THROWS_WITH(tree_from_text<space::NasBench201>(text), Contains(part));
  };
  fails("", "at byte 0: expected 'split tree 1 of nasbench201");
  fails(replaced(good, "tree 1", "tree 2"), "at byte 0");
  fails(replaced(good, "nasbench201", "darts"), "at byte 0");
  fails(replaced(good, "1<-0", "9<-0"), "at byte 51: expected a decision of nasbench201");
  fails(replaced(good, "nor_conv_1x1", "conv"), "expected one of none, skip_connect");
  fails(replaced(good, "nor_conv_1x1, ", "nor_conv_3x3, "), "an option not listed yet");
  fails(replaced(good, "(6250)", "(6251)"), "expected 6250, the number of architectures");
  fails(replaced(good, "  1<-0", "    1<-0"), "a line indented by 2 to 2 spaces");
  fails(replaced(good, " split 2", ""), "a line that is not below a leaf");
  fails(replaced(good, " split 2", " split 3"), "split 2 before this one");
  fails(replaced(good, " split 2", " split 1"), "a turn that no other split has");
  fails(replaced(replaced(good, " split 2", " split 9"), " split 1", " split 10"),
        "split 1 before this one");
  fails(replaced(replaced(good, " split 2", " split x"), " split x", " split 1")
            .substr(0, good.find("    3<-2")),
        "children below a split line");
  fails(replaced(replaced(good, "split 1\n", "split 9\n"), "split 2", "split 1"),
        "a turn after that of the parent");
  fails(replaced(good, "    3<-2: none, skip_connect (3750)\n", ""),
        "groups that cover the parent");
  fails(replaced(good, "    3<-2: none, skip_connect (3750)\n",
                 "    3<-1: none, skip_connect (3750)\n"),
        "the decision of the line's siblings");
  fails(replaced(good, "3<-2: none, skip_connect (3750)",
                 "1<-0: none, nor_conv_1x1 (6250)"),
        "options that the parent allows");
  fails(replaced(good, "root", "root, 2<-0: none; 1<-0: none"), "decisions in rising order");
  fails(good + "x", "a line indented by");
  fails(good + std::string(1, '\0'), "found '\\x00'");
  fails(std::string((1 << 20) + 1, ' '), "at most 1048576 bytes");
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    CHECK_THROWS_AS(tree_from_text<space::NasBench201>(good.substr(0, cut)), ParseError);
}
