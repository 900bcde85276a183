#include <cleave/space/darts.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/split/tree_json.hpp>
#include <cleave_test.hpp>
#include <string>

#include "random_tree.hpp"

using namespace cleave;
using nlohmann::json;
using space::Toy;
using Catch::Matchers::Contains;

TEMPLATE_TEST_CASE("tree JSON: random trees come back equal", "", Toy, space::NasBench201,
                   space::Darts, space::Ofa) {
  Stream stream(4);
  for (int trial = 0; trial < 25; ++trial) {
    const auto tree = testing::random_tree<TestType>(stream, stream.below(15));
    REQUIRE(tree_from_json_text<TestType>(to_json(tree).dump()) == tree);
  }
}

TEST_CASE("tree JSON: names, not numbers") {
  SplitTree<space::NasBench201> tree;
  tree.split(0, {DecisionId(5), {OptionSet::first(1), OptionSet::first(5) - OptionSet::first(1)}});
  const auto written = to_json(tree);
  CHECK(written["schema"] == "cleave.split_tree");
  CHECK(written["version"] == 1);
  CHECK(written["splits"][0]["decision"] == "3<-2");
  CHECK(written["splits"][0]["groups"][0] == json::array({"none"}));
  CHECK(written["leaves"][1] == json({{"node", "1"}, {"architectures", "12500"}}));
}

TEST_CASE("tree JSON: what is wrong is named") {
  SplitTree<Toy> tree;
  const OptionSet a{OptionId(0)}, b{OptionId(1)}, c{OptionId(2)};
  tree.split(0, {DecisionId(0), {a | c, b}});
  tree.split(1, {DecisionId(1), {a, b}});
  const auto whole = to_json(tree);
  REQUIRE(tree_from_json<Toy>(whole) == tree);
  const auto fails = [&whole](auto change, const std::string& part) {
    auto bad = whole;
    change(bad);
    CHECK_THROWS_AS(tree_from_json<Toy>(bad), Error);
    CHECK_THROWS_WITH(tree_from_json<Toy>(bad), Contains(part));
  };
  fails([](json& j) { j["schema"] = "x"; }, "/schema: expected cleave.split_tree");
  fails([](json& j) { j["version"] = 2; }, "/version: expected 1");
  fails([](json& j) { j["space"] = "darts"; }, "/space: expected toy");
  fails([](json& j) { j.erase("leaves"); }, "6 members");
  fails([](json& j) { j["extra"] = 1; }, "6 members");
  fails([](json& j) { j["root"].erase(2); }, "/root: expected 4 decisions");
  fails([](json& j) { std::swap(j["root"][0], j["root"][1]); }, "decisions in their order");
  fails([](json& j) { j["root"][0]["options"][0] = "pink"; },
        "/root/0/options: expected options of decision 0, each once");
  fails([](json& j) { j["root"][0]["options"][1] = "red"; }, "each option once");
  fails([](json& j) { j["root"][0]["options"] = json::array(); }, "/root/0/options");
  fails([](json& j) { j["splits"][0]["decision"] = 5; }, "/splits/0/decision: expected a string");
  fails([](json& j) { j["splits"][0]["decision"] = "decision 9"; }, "a decision of toy");
  fails([](json& j) { j["splits"][1]["node"] = "0.0"; }, "/splits/1/node: expected the path of");
  fails([](json& j) { j["splits"][1]["node"] = ""; }, "/splits/1/node");
  fails([](json& j) { j["splits"][0]["groups"].erase(1); }, "groups cover");
  fails([](json& j) { j["splits"][0]["groups"][1][0] = "red"; }, "in two groups");
  fails([](json& j) { j["splits"][0]["groups"][1] = 3; }, "/splits/0/groups/1");
  fails([](json& j) { j["splits"].erase(1); }, "/leaves: expected 2 leaves");
  fails([](json& j) { j["leaves"][0]["architectures"] = "7"; },
        "/leaves/0/architectures: expected '24'");
  fails([](json& j) { j["leaves"][0]["node"] = "9"; }, "/leaves/0/node: expected '0.0'");
  CHECK_THROWS_AS(tree_from_json<Toy>(json::array()), DataError);
  CHECK_THROWS_AS(tree_from_json<Toy>(json()), DataError);
}

TEST_CASE("tree JSON: text that is no JSON, repeats members, nests too deep or is too long") {
  const auto whole = to_json(SplitTree<Toy>()).dump();
  const auto fails = [](const std::string& text, const std::string& part) {
    CHECK_THROWS_AS(tree_from_json_text<Toy>(text), Error);
    CHECK_THROWS_WITH(tree_from_json_text<Toy>(text), Contains(part));
  };
  fails("", "at byte 0: expected JSON, found end of text");
  fails(whole + "x", fmt::format("at byte {}: expected JSON, found 'x'", whole.size()));
  fails("{\"schema\": \"a\", \"schema\": \"b\"}", "/schema: expected each member once");
  fails(std::string(100000, '['), "at most 6 levels");
  fails("1e999", "out_of_range");
  fails(std::string((1 << 20) + 1, ' '), "at most 1048576 bytes");
  fails("{\"schema\": \"a" + std::string(1, '\0') + "\"}", "expected JSON");
  fails("{\"schema\": \"\xff\"}", "expected JSON");
  for (std::size_t cut = 0; cut < whole.size(); cut += 3)
    CHECK_THROWS_AS(tree_from_json_text<Toy>(whole.substr(0, cut)), ParseError);
}
