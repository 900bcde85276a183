#include <cleave/report/cell_svg.hpp>
#include <cleave/report/darts_cell_svg.hpp>
#include <cleave/report/heat_map_svg.hpp>
#include <cleave/report/scatter_svg.hpp>
#include <cleave/report/split_tree_svg.hpp>
#include <cleave/space/darts.hpp>
#include <cleave/space/restriction.hpp>
#include <cleave_test.hpp>

#include "well_formed.hpp"

using namespace cleave;
using namespace cleave::report;
using Catch::Matchers::Contains;
using Cell = space::NasBench201;

namespace {

HeatMap small_map() {
  Eigen::MatrixXd values(4, 4);
  values << 1, 0.1, 0.8, -0.2,  //
      0.1, 1, -0.004, 0.5,      //
      0.8, -0.004, 1, 0.3,      //
      -0.2, 0.5, 0.3, 1;
  graph::SimilarityMatrix similarity(values);
  return {.title = "edge 1<-0",
          .values = similarity,
          .names = {"a", "b<", "c&", "d"},
          .partition = graph::Partition(similarity, {{0, 2}, {1, 3}})};
}

}  // namespace

TEST_CASE("a cell drawing shows every operation once and its own arch string") {
  Stream stream(1);
  const Restriction<Cell> all;
  for (int trial = 0; trial < 50; ++trial) {
    const auto architecture = all.sample(stream);
    const auto svg = cell_svg(architecture);
    REQUIRE(xml_problem(svg) == "");
    REQUIRE(occurrences(svg, fmt::format(">{}<", Cell::to_text(architecture))) == 1);
    const std::array<std::string, 5> words{"none", "skip", "conv 1x1", "conv 3x3", "avg pool 3x3"};
    for (std::size_t o = 0; o < words.size(); ++o) {
      std::size_t edges = 0;
      for (const auto option : architecture.options()) edges += option.index() == o ? 1 : 0;
      // "none" is its own official name and stands in the legend as well
      REQUIRE(occurrences(svg, fmt::format(">{}<", words[o])) == edges + (o == 0 ? 1 : 0));
      REQUIRE(occurrences(svg, fmt::format("url(#arrow{})", o)) == edges);
    }
  }
  REQUIRE_THAT(cell_svg(Architecture<Cell>{}, "best & last"), Contains("best &amp; last"));
}

TEST_CASE("a DARTS cell drawing shows every edge of the cell that was asked for") {
  Stream stream(2);
  const std::array<std::string, 7> words{"max pool 3x3", "avg pool 3x3", "skip",        "sep conv 3x3",
                                         "sep conv 5x5", "dil conv 3x3", "dil conv 5x5"};
  for (int trial = 0; trial < 20; ++trial) {
    auto genotype = sample<space::Darts>({}, stream);
    genotype.reduce_concat = {3, 5};
    for (const bool reduction : {false, true}) {
      const auto svg = darts_cell_svg(genotype, reduction);
      REQUIRE(xml_problem(svg) == "");
      const auto& cell = reduction ? genotype.reduce : genotype.normal;
      for (std::size_t o = 0; o < words.size(); ++o) {
        std::size_t edges = 0;
        for (const auto& edge : cell) edges += static_cast<std::size_t>(edge.operation) == o ? 1 : 0;
        REQUIRE(occurrences(svg, fmt::format(">{}<", words[o])) == edges);
        REQUIRE(occurrences(svg, fmt::format("url(#arrow{})", o)) == edges);
      }
      REQUIRE_THAT(svg, Contains(reduction ? "nodes 3, 5 side" : "nodes 2, 3, 4, 5 side"));
    }
  }
  REQUIRE_THAT(darts_cell_svg({}, true, "a & b"), Contains("a &amp; b"));
}

TEST_CASE("a heat map shows names in group order, all numbers, and one cut per border") {
  const auto map = small_map();
  const auto svg = heat_map_svg(std::span(&map, 1), {.title = "split 1"});
  REQUIRE(xml_problem(svg) == "");
  REQUIRE(occurrences(svg, ">0.80<") == 2);
  REQUIRE(occurrences(svg, ">-0.20<") == 2);
  REQUIRE(occurrences(svg, ">1.00<") == 4);
  REQUIRE(occurrences(svg, ">0.00<") == 2);  // -0.004, without the sign
  REQUIRE(occurrences(svg, ">-0.00<") == 0);
  REQUIRE(occurrences(svg, ">b&lt;<") == 2);
  const auto row = [&](const char* name) {
    return svg.find(fmt::format("text-anchor=\"end\">{}<", name));
  };
  REQUIRE(row("a") < row("c&amp;"));
  REQUIRE(row("c&amp;") < row("b&lt;"));
  REQUIRE(row("b&lt;") < row("d"));
  REQUIRE(occurrences(svg, "stroke-width=\"3.5\"") == 2);  // one border: a row and a column line
  REQUIRE_THAT(svg, Contains("mean similarity cut 0.049"));
  REQUIRE_THAT(svg, Contains(">split 1<"));
}

TEST_CASE("only the chosen map is framed; without a partition there is no cut") {
  std::vector<HeatMap> maps(5, small_map());
  maps[3].chosen = true;
  maps[1].partition.reset();
  maps[1].note = "too young <to> cut";
  const auto svg = heat_map_svg(maps, {.columns = 2, .limit = 1.0, .scale_title = "cosine"});
  REQUIRE(xml_problem(svg) == "");
  REQUIRE(occurrences(svg, "stroke=\"#bc4c00\"") == 1);
  REQUIRE(occurrences(svg, ">split<") == 1);
  REQUIRE(occurrences(svg, "stroke-width=\"3.5\"") == 2 * 4);
  REQUIRE(occurrences(svg, ">too young &lt;to&gt; cut<") == 1);
  REQUIRE(occurrences(svg, ">cosine<") == 1);
  REQUIRE(occurrences(svg, ">-1<") == 1);
  REQUIRE_THROWS_AS(heat_map_svg({}), ValueError);
  REQUIRE_THROWS_AS(heat_map_svg(maps, {.columns = 0}), ValueError);
  REQUIRE_THROWS_AS(heat_map_svg(maps, {.limit = -1}), ValueError);
  maps[2].names.pop_back();
  REQUIRE_THROWS_WITH(heat_map_svg(maps), Contains("'edge 1<-0': 3 names for 4 options"));
  maps[2] = small_map();
  maps[2].partition =
      graph::Partition(graph::SimilarityMatrix(Eigen::MatrixXd::Identity(2, 2)), {{0}, {1}});
  REQUIRE_THROWS_WITH(heat_map_svg(maps), Contains("a partition of 2 options, the matrix has 4"));
}

TEST_CASE("a matrix of zeros and of one option can be drawn") {
  const HeatMap zeros{.values = graph::SimilarityMatrix(Eigen::MatrixXd::Zero(2, 2)),
                      .names = {"a", "b"}};
  REQUIRE(xml_problem(heat_map_svg(std::span(&zeros, 1))) == "");
  const HeatMap one{.values = graph::SimilarityMatrix(Eigen::MatrixXd::Identity(1, 1)),
                    .names = {"only"}};
  REQUIRE(occurrences(heat_map_svg(std::span(&one, 1)), ">only<") == 2);
}

TEST_CASE("a split tree shows decisions, groups, leaves and the chosen one") {
  SplitTree<Cell> tree;
  REQUIRE(occurrences(split_tree_svg(tree), ">root: 15625 architectures<") == 1);
  const auto set = [](std::initializer_list<std::size_t> options) {
    OptionSet result;
    for (const auto option : options) result.insert(OptionId(option));
    return result;
  };
  tree.split(0, {DecisionId(3), {set({0, 4}), set({1, 2, 3})}});
  tree.split(2, {DecisionId(5), {set({0}), set({1, 2}), set({3, 4})}});
  const auto svg =
      split_tree_svg(tree, {.title = "tree", .leaf_notes = {"x", "y & z", "u", "v"}, .chosen = 1});
  REQUIRE(xml_problem(svg) == "");
  REQUIRE(occurrences(svg, ">3&lt;-0<") == 1);
  REQUIRE(occurrences(svg, ">3&lt;-2<") == 1);
  REQUIRE(occurrences(svg, ">none, avg_pool_3x3<") == 1);
  REQUIRE(occurrences(svg, ">nor_conv_3x3, avg_pool_3x3<") == 1);
  REQUIRE(occurrences(svg, ">leaf 0: 6250 architectures<") == 1);
  REQUIRE(occurrences(svg, ">leaf 1.2: 3750 architectures<") == 1);
  REQUIRE(occurrences(svg, ">y &amp; z<") == 1);
  REQUIRE(occurrences(svg, "stroke=\"#bc4c00\"") == 1);
  REQUIRE_THROWS_WITH(split_tree_svg(tree, {.leaf_notes = {"x"}}),
                      Contains("1 notes for 4 leaves"));
  REQUIRE_THROWS_WITH(split_tree_svg(tree, {.chosen = 4}), Contains("leaf 4 chosen, there are 4"));
}

TEST_CASE("a scatter plot shows every point where it belongs, axes with round numbers, a legend") {
  const std::vector<Scatter> plots{
      {.title = "one & two",
       .note = "tau 0.5",
       .x_title = "truth",
       .y_title = "estimate",
       .series = {{"leaf 0", {{0, 10}, {5, 20}}}, {"leaf 1", {{10, 30}}}}},
      {.title = "flat", .series = {{"", {{1, 7}, {1, 7}}}}}};
  const auto svg = scatter_svg(plots, 2);
  REQUIRE(xml_problem(svg) == "");
  REQUIRE(occurrences(svg, "width=\"800\" height=\"380\"") >= 1);
  REQUIRE(occurrences(svg, "r=\"2.6\"") == 5);
  REQUIRE(occurrences(svg, ">leaf 0<") == 1);
  REQUIRE(occurrences(svg, ">one &amp; two<") == 1);
  // The first plot's area is 322 wide from x = 62 and 242 high down to y = 304: its corners and
  // middle.
  REQUIRE(occurrences(svg, "<circle cx=\"62\" cy=\"304\"") == 1);
  REQUIRE(occurrences(svg, "<circle cx=\"223\" cy=\"183\"") == 1);
  REQUIRE(occurrences(svg, "<circle cx=\"384\" cy=\"62\"") == 1);
  for (const auto label : {">0<", ">2<", ">8<", ">15<", ">25<"})
    REQUIRE(occurrences(svg, label) == 1);
  REQUIRE(occurrences(svg, ">10<") == 2);  // of both axes

  REQUIRE_THROWS_WITH(scatter_svg({}), Contains("nothing to draw"));
  REQUIRE_THROWS_WITH(scatter_svg(plots, 0), Contains("0 columns"));
  const Scatter empty{.title = "empty", .series = {{"leaf 0", {}}}};
  REQUIRE_THROWS_WITH(scatter_svg(std::span(&empty, 1)), Contains("'empty': no points"));
  const Scatter broken{.title = "nan", .series = {{"", {{0, std::nan("")}}}}};
  REQUIRE_THROWS_WITH(scatter_svg(std::span(&broken, 1)), Contains("'nan': a point at 0, nan"));
}

TEST_CASE("an axis covers its values with few intervals of round steps") {
  for (const auto& [low, high] :
       {std::pair(0.0, 10.0), std::pair(0.1234, 0.1301), std::pair(-7.0, 93.0),
        std::pair(84.1, 94.37), std::pair(3.0, 3.0)}) {
    const auto axis = report::detail::Axis::around(low, high);
    CAPTURE(low, high, axis.low, axis.high, axis.step);
    REQUIRE(axis.low <= low + 1e-12);
    REQUIRE(axis.high >= high - 1e-12);
    REQUIRE(axis.marks() >= 1);
    REQUIRE(axis.marks() <= 7);
    const double mantissa = axis.step / std::pow(10, std::floor(std::log10(axis.step) + 1e-9));
    REQUIRE((std::abs(mantissa - 1) < 1e-9 || std::abs(mantissa - 2) < 1e-9 ||
             std::abs(mantissa - 5) < 1e-9));
  }
}
