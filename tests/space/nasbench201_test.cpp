#include <algorithm>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/nasbench201_cost.hpp>
#include <cleave/space/nasbench201_index.hpp>
#include <cleave/space/nasbench201_topology.hpp>
#include <cleave_test.hpp>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace cleave;
using namespace cleave::space;
using Catch::Matchers::Contains;

namespace {

std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> result;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) result.push_back(cell);
  return result;
}

/// Compares every row of a table in the benchmark's columns with the library; how many rows.
std::size_t check_table(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  std::map<std::string, std::size_t> column;
  for (const auto& name : cells(line)) column.emplace(name, column.size());
  const std::array<std::pair<std::string, NasBench201Shape>, 3> sets{
      {{"c10", {}}, {"c100", {.classes = 100}}, {"in16", {.image = 16, .classes = 120}}}};
  std::map<std::string, std::string> text_of_class, class_of_text;
  std::size_t rows = 0;
  while (std::getline(file, line)) {
    const auto row = cells(line);
    const auto at = [&](const std::string& name) -> const std::string& {
      return row.at(column.at(name));
    };
    const auto index = std::stoul(at("index"));
    const auto architecture = from_official_index(index);
    REQUIRE(NasBench201::to_text(architecture) == at("arch"));
    REQUIRE(NasBench201::parse(at("arch")) == architecture);
    REQUIRE(official_index(architecture) == index);
    for (const auto& [prefix, shape] : sets) {
      const auto found = cost(architecture, shape);
      REQUIRE(found.params == std::stoull(at(prefix + "_params")));
      REQUIRE(found.macs == std::stoull(at(prefix + "_flops")));
    }
    const auto text = topology_class_text(architecture);
    REQUIRE(text_of_class.emplace(at("topo_id"), text).first->second == text);
    REQUIRE(class_of_text.emplace(text, at("topo_id")).first->second == at("topo_id"));
    ++rows;
  }
  return rows;
}

}  // namespace

TEST_CASE("nasbench201: rows of the benchmark's table, committed sample") {
  CHECK(check_table(CLEAVE_TEST_DATA "/nasbench201_sample.csv") == 123);
}

TEST_CASE("nasbench201: all 15,625 rows of the benchmark's table") {
  const auto path = testing::data_path("nasbench201.csv");
  if (!path) {
    WARN("skipped: nasbench201.csv is absent (CLEAVE_DATA)");
    return;
  }
  CHECK(check_table(*path) == 15625);
}

TEST_CASE("nasbench201: the index is a bijection") {
  std::set<Architecture<NasBench201>> seen;
  for (std::size_t i = 0; i < nasbench201_size; ++i) {
    const auto architecture = from_official_index(i);
    if (official_index(architecture) != i) FAIL("index " << i);
    seen.insert(architecture);
  }
  CHECK(seen.size() == nasbench201_size);
  CHECK_THROWS_WITH(from_official_index(15625), Contains("index 15625, allowed 0 to 15624"));
}

TEST_CASE("nasbench201: 6,466 topology classes, 15,284 connected architectures") {
  std::set<std::string> classes;
  const Restriction<NasBench201> all;
  for (Count i = 0; i < all.count(); ++i) classes.insert(topology_class_text(all.at(i)));
  CHECK(classes.size() == 6466);
  CHECK(connected_count(all) == 15284);
}

TEST_CASE("nasbench201: topology texts of small cases by hand") {
  const auto text = [](std::string_view arch) {
    return topology_class_text(NasBench201::parse(arch));
  };
  CHECK(text("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|") ==
        "#+#+(0)@nor_conv_3x3");
  // The two middle nodes may trade places.
  CHECK(text("|nor_conv_1x1~0|+|avg_pool_3x3~0|none~1|+|none~0|skip_connect~1|none~2|") !=
        text("|nor_conv_1x1~0|+|avg_pool_3x3~0|none~1|+|none~0|none~1|skip_connect~2|"));
  CHECK(text("|nor_conv_1x1~0|+|skip_connect~0|none~1|+|none~0|nor_conv_3x3~1|none~2|") ==
        text("|nor_conv_1x1~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"));
}

TEST_CASE("nasbench201: connectedness by hand") {
  const auto connected = [](std::string_view arch) {
    return is_connected(NasBench201::parse(arch));
  };
  CHECK_FALSE(connected("|none~0|+|none~0|nor_conv_3x3~1|+|none~0|skip_connect~1|skip_connect~2|"));
  CHECK_FALSE(connected("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"));
  CHECK(connected("|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"));
  CHECK(connected("|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|"));
}

TEST_CASE("nasbench201: sampling is uniform over the connected architectures of a restriction") {
  Stream stream(4);
  Restriction<NasBench201> some;
  for (const unsigned e : {0U, 1U, 3U})
    some = some.with(DecisionId(e), {NasBench201::none, NasBench201::skip_connect});
  for (const unsigned e : {2U, 4U, 5U}) some = some.with(DecisionId(e), {NasBench201::none});
  some = some.with(DecisionId(4), {NasBench201::none, NasBench201::nor_conv_3x3});
  const std::size_t connected = connected_count(some);  // of 16: 3<-0 or (1<-0 and 3<-1)
  REQUIRE(connected == 10);
  std::map<Architecture<NasBench201>, int> counts;
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) ++counts[NasBench201::sample(some, stream)];
  CHECK(counts.size() == connected);
  double chi_square = 0.0;
  for (const auto& [architecture, count] : counts) {
    CHECK(is_connected(architecture));
    CHECK(some.contains(architecture));
    chi_square += (count - 2e3) * (count - 2e3) / 2e3;
  }
  CHECK(chi_square < 27.9);  // 9 degrees of freedom, p = 0.001
}

TEST_CASE("nasbench201: rare connected architectures are found, none is an error") {
  Stream stream(5);
  Restriction<NasBench201> none;
  for (const unsigned e : {0U, 1U, 3U}) none = none.with(DecisionId(e), {NasBench201::none});
  CHECK_THROWS_WITH(NasBench201::sample(none, stream), Contains("connects input and output"));
  // Both edges the only path needs are rarely drawn: 1 of 25 for each.
  auto rare = none.with(DecisionId(0), OptionSet::first(5));
  for (const unsigned e : {2U, 5U}) rare = rare.with(DecisionId(e), {NasBench201::none});
  for (int i = 0; i < 100; ++i) REQUIRE(is_connected(NasBench201::sample(rare, stream)));
}

TEST_CASE("nasbench201: bad arch strings get a position and what was expected") {
  const std::string good = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
  REQUIRE_NOTHROW(NasBench201::parse(good));
  const auto fails = [](const std::string& text, const std::string& part) {
    CHECK_THROWS_AS(NasBench201::parse(text), ParseError);
    CHECK_THROWS_WITH(NasBench201::parse(text), Contains(part));
  };
  fails("", "at byte 0: expected '|', found end of text");
  fails("|conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "at byte 1: expected an operation of edge 1<-0 (none, skip_connect, nor_conv_1x1, "
        "nor_conv_3x3, avg_pool_3x3), found 'conv_3x3~0|");
  fails("|none~0|+|none~0|+|none~0|none~1|none~2|",
        "at byte 17: expected an operation of edge 2<-1");
  fails("|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "at byte 5: expected '~0|'");
  fails(good + " ", "at byte 47: expected end of text");
  fails(good + good, "at byte 47: expected end of text");
  fails(good.substr(0, 40), "at byte 40: expected an operation of edge 3<-2");
  fails(std::string(1000, '|'), "at byte 256: expected at most 256 bytes, found 1000 bytes");
  fails(good.substr(0, 5) + std::string(1, '\0') + good.substr(5), "found '\\x00~0|");
  fails("|None" + good.substr(5), "at byte 1");
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    CHECK_THROWS_AS(NasBench201::parse(good.substr(0, cut)), ParseError);
}

TEST_CASE("nasbench201: absurd shapes are refused") {
  const Architecture<NasBench201> architecture;
  CHECK_THROWS_WITH(cost(architecture, {.channels = 0}), Contains("channels: 0, allowed 1 to"));
  CHECK_THROWS_AS(cost(architecture, {.image = 30}), ValueError);
  CHECK_THROWS_AS(cost(architecture, {.image = 0}), ValueError);
  CHECK_THROWS_AS(cost(architecture, {.classes = 0}), ValueError);
  CHECK_NOTHROW(cost(architecture, {.channels = 4096, .cells = 128, .image = 4096}));
}
