#include <cleave/graph/exact_balanced.hpp>
#include <cleave/graph/exact_two_way.hpp>
#include <cleave/graph/global_min_cut.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <limits>
#include <string>

#include "brute_force.hpp"

using brute_force::constant;
using cleave::Stream;
using cleave::ValueError;
using cleave::testing::check_partitioner;
using cleave::testing::random_similarity;
using namespace cleave::graph;

namespace {

template <class Policy>
std::string refusal(const Policy& policy, const SimilarityMatrix& similarity, std::size_t groups) {
  Stream stream;
  try {
    return "no error: " + policy(similarity, groups, stream).text();
  } catch (const ValueError& error) {
    return error.what();
  }
}

/// Vertex v belongs to block v mod blocks; 0.9 within a block, 0.1 across, plus small noise.
SimilarityMatrix planted(std::size_t n, std::size_t blocks, Stream& stream, Groups& truth) {
  Eigen::MatrixXd values =
      Eigen::MatrixXd::Identity(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(n));
  truth.assign(blocks, {});
  for (std::size_t i = 0; i < n; ++i) {
    truth[i % blocks].push_back(i);
    for (std::size_t j = 0; j < i; ++j) {
      const auto a = static_cast<Eigen::Index>(i);
      const auto b = static_cast<Eigen::Index>(j);
      const double base = i % blocks == j % blocks ? 0.9 : 0.1;
      values(a, b) = values(b, a) = base + 0.02 * stream.normal();
    }
  }
  make_canonical(truth);
  return SimilarityMatrix(values);
}

}  // namespace

TEST_CASE("the exact balanced cut equals brute force for every number of groups") {
  Stream stream(1);
  std::size_t compared = 0;
  for (std::size_t n = 1; n <= 8; ++n)
    for (std::size_t groups = 1; groups <= n; ++groups)
      for (std::size_t trial = 0; trial < 80; ++trial) {
        const auto similarity = random_similarity(n, stream);
        const auto found = ExactBalanced{}(similarity, groups, stream);
        const auto expected = brute_force::least_cut(
            similarity, [&](const auto& sizes) { return brute_force::balanced(sizes, n, groups); });
        REQUIRE(found.cut() == Approx(expected.cut).margin(1e-12));
        REQUIRE(found.groups() == expected.groups);
        ++compared;
      }
  CHECK(compared == 36 * 80);
}

TEST_CASE("the exact two-way cut equals brute force for every size range") {
  Stream stream(2);
  for (std::size_t n = 2; n <= 8; ++n)
    for (std::size_t least = 1; least <= n / 2; ++least)
      for (std::size_t most = least; most <= n / 2; ++most)
        for (std::size_t trial = 0; trial < 60; ++trial) {
          const auto similarity = random_similarity(n, stream, trial % 3 == 0);
          const ExactTwoWay policy{.min_size = least, .max_size = most};
          const auto found = policy(similarity, 2, stream);
          const auto expected = brute_force::least_cut(similarity, [&](const auto& sizes) {
            return sizes.size() == 2 && std::min(sizes[0], sizes[1]) >= least &&
                   std::min(sizes[0], sizes[1]) <= most;
          });
          REQUIRE(found.cut() == Approx(expected.cut).margin(1e-12));
          REQUIRE(found.groups() == expected.groups);
        }
}

TEST_CASE("the global minimum cut equals brute force on non-negative weights") {
  Stream stream(3);
  for (std::size_t n = 2; n <= 8; ++n)
    for (std::size_t trial = 0; trial < 300; ++trial) {
      auto values = random_similarity(n, stream, true).values();
      if (trial % 2 == 1)  // sparse graphs, where the least cut is rarely one vertex alone
        values = (values.array() < 0.6).select(0.0, values);
      const SimilarityMatrix similarity(values);
      const auto found = GlobalMinCut{}(similarity, 2, stream);
      const auto expected =
          brute_force::least_cut(similarity, [](const auto& sizes) { return sizes.size() == 2; });
      REQUIRE(found.cut() == Approx(expected.cut).margin(1e-12));
      if (trial % 2 == 0) REQUIRE(found.groups() == expected.groups);
    }
}

TEST_CASE("the exact policies agree where their problems do") {
  Stream stream(4);
  for (std::size_t trial = 0; trial < 100; ++trial) {
    const std::size_t n = 9 + stream.below(4);
    const auto similarity = random_similarity(n, stream);
    const ExactTwoWay halves{.min_size = n / 2};
    REQUIRE(halves(similarity, 2, stream) == ExactBalanced{}(similarity, 2, stream));
    const auto positive = random_similarity(n, stream, true);
    REQUIRE(ExactTwoWay{}(positive, 2, stream) == GlobalMinCut{}(positive, 2, stream));
  }
}

TEST_CASE("planted blocks are recovered") {
  Stream stream(5);
  Groups truth;
  for (std::size_t blocks = 2; blocks <= 6; ++blocks) {
    const auto similarity = planted(12, blocks, stream, truth);
    CHECK(ExactBalanced{}(similarity, blocks, stream).groups() == truth);
  }
  const auto uneven = planted(11, 4, stream, truth);
  CHECK(ExactBalanced{}(uneven, 4, stream).groups() == truth);
  const auto large = planted(24, 2, stream, truth);
  CHECK(ExactTwoWay{.min_size = 6}(large, 2, stream).groups() == truth);

  // Two cliques joined by one weak edge, of 30 and 10 vertices: too many for enumeration.
  Eigen::MatrixXd cliques = Eigen::MatrixXd::Zero(40, 40);
  cliques.topLeftCorner(30, 30).setConstant(1.0);
  cliques.bottomRightCorner(10, 10).setConstant(1.0);
  cliques(3, 35) = cliques(35, 3) = 0.25;
  const auto partition = GlobalMinCut{}(SimilarityMatrix(cliques), 2, stream);
  CHECK(partition.cut() == 0.25);
  CHECK(partition.groups()[0].front() == 30);
  CHECK(partition.groups()[0].size() == 10);
}

TEST_CASE("a negative similarity pulls vertices apart") {
  Eigen::MatrixXd values = Eigen::MatrixXd::Constant(4, 4, -0.1);
  values(0, 3) = values(3, 0) = 1.0;
  const SimilarityMatrix similarity(values);
  Stream stream;
  CHECK(ExactTwoWay{}(similarity, 2, stream).text() == "{0,3|1,2}");
  CHECK(ExactBalanced{}(similarity, 3, stream).text() == "{1|2|0,3}");
}

TEST_CASE("ties go to the smallest canonical groups") {
  Stream stream;
  for (const double value : {1.0, 0.0, -0.1, 0.1}) {
    CAPTURE(value);
    CHECK(ExactBalanced{}(constant(5, value), 2, stream).text() == "{0,1|2,3,4}");
    CHECK(ExactBalanced{}(constant(7, value), 3, stream).text() == "{0,1|2,3|4,5,6}");
    CHECK(ExactBalanced{}(constant(12, value), 4, stream).text() == "{0,1,2|3,4,5|6,7,8|9,10,11}");
    CHECK(ExactTwoWay{.min_size = 3}(constant(6, value), 2, stream).text() == "{0,1,2|3,4,5}");
  }
  CHECK(ExactTwoWay{}(constant(6, 0.0), 2, stream).text() == "{0|1,2,3,4,5}");
  CHECK(ExactTwoWay{}(constant(6, 1.0), 2, stream).text() == "{0|1,2,3,4,5}");
  CHECK(ExactTwoWay{}(constant(6, -1.0), 2, stream).text() == "{0,1,2|3,4,5}");
  CHECK(ExactTwoWay{.min_size = 2}(constant(6, 0.0), 2, stream).text() == "{0,1|2,3,4,5}");
}

TEST_CASE("ties are found although sums round: brute force over matrices of few values") {
  Stream stream(6);
  for (std::size_t trial = 0; trial < 1000; ++trial) {
    const std::size_t n = 2 + stream.below(6);
    const auto size = static_cast<Eigen::Index>(n);
    Eigen::MatrixXd values = Eigen::MatrixXd::Zero(size, size);
    for (Eigen::Index i = 0; i < size; ++i)
      for (Eigen::Index j = 0; j < i; ++j)
        values(i, j) = values(j, i) = 0.1 * static_cast<double>(stream.below(4)) - 0.1;
    const SimilarityMatrix similarity(values);
    const std::size_t groups = 1 + stream.below(n);
    const auto balanced = brute_force::least_cut(
        similarity, [&](const auto& sizes) { return brute_force::balanced(sizes, n, groups); });
    REQUIRE(ExactBalanced{}(similarity, groups, stream).groups() == balanced.groups);
    const auto two_way =
        brute_force::least_cut(similarity, [](const auto& sizes) { return sizes.size() == 2; });
    REQUIRE(ExactTwoWay{}(similarity, 2, stream).groups() == two_way.groups);
  }
}

TEST_CASE("tied global minimum cuts are chosen among deterministically") {
  Stream stream;
  CHECK(GlobalMinCut{}(constant(5, 0.0), 2, stream) == GlobalMinCut{}(constant(5, 0.0), 2, stream));
  CHECK(GlobalMinCut{}(constant(5, 1.0), 2, stream).groups()[0].size() == 1);
}

TEST_CASE("one and two vertices, as many groups as vertices, one group") {
  Stream stream(7);
  CHECK(ExactBalanced{}(constant(1, 1.0), 1, stream).text() == "{0}");
  CHECK(ExactBalanced{}(constant(2, 1.0), 2, stream).text() == "{0|1}");
  CHECK(ExactBalanced{}(constant(2, 1.0), 1, stream).text() == "{0,1}");
  CHECK(ExactTwoWay{}(constant(2, -1.0), 2, stream).text() == "{0|1}");
  CHECK(GlobalMinCut{}(constant(2, 1.0), 2, stream).text() == "{0|1}");
  CHECK(ExactBalanced{}(random_similarity(12, stream), 12, stream).group_count() == 12);
  CHECK(ExactBalanced{}(random_similarity(12, stream), 1, stream).group_count() == 1);
}

TEST_CASE("extreme magnitudes neither overflow nor vanish") {
  Stream stream(8);
  for (const double scale : {1e300, 1e-300, std::numeric_limits<double>::denorm_min() * 1e6}) {
    Eigen::MatrixXd values = Eigen::MatrixXd::Constant(4, 4, 0.01);
    values(0, 2) = values(2, 0) = values(1, 3) = values(3, 1) = 1.0;
    const SimilarityMatrix similarity((scale * values).eval());
    CHECK(ExactBalanced{}(similarity, 2, stream).text() == "{0,2|1,3}");
    CHECK(ExactTwoWay{.min_size = 2}(similarity, 2, stream).text() == "{0,2|1,3}");
    CHECK(GlobalMinCut{}(similarity, 2, stream).text() == "{0,2|1,3}");
  }
}

TEST_CASE("what the exact policies cannot do is refused with the reason") {
  CHECK(refusal(ExactBalanced{}, constant(13, 1.0), 2) ==
        "exact_balanced: 13 vertices, at most 12 are possible (use Spectral, "
        "graph/spectral.hpp)");
  CHECK(refusal(ExactBalanced{}, constant(3, 1.0), 4) ==
        "exact_balanced: 4 groups of 3 vertices, 1 to 3 are possible");
  CHECK(refusal(ExactBalanced{}, constant(3, 1.0), 0) ==
        "exact_balanced: 0 groups of 3 vertices, 1 to 3 are possible");
  CHECK(refusal(ExactTwoWay{}, constant(5, 1.0), 3) ==
        "exact_two_way: 3 groups, it makes exactly 2");
  CHECK(refusal(ExactTwoWay{}, constant(1, 1.0), 2) ==
        "exact_two_way: 1 vertices, at least 2 are needed");
  CHECK(refusal(ExactTwoWay{}, constant(25, 1.0), 2) ==
        "exact_two_way: 25 vertices, at most 24 are possible (use Spectral, "
        "graph/spectral.hpp, or GlobalMinCut)");
  CHECK(refusal(ExactTwoWay{.min_size = 3}, constant(5, 1.0), 2) ==
        "exact_two_way: smaller group of 3 to 2 vertices, 5 vertices allow 1 to 2");
  CHECK(refusal(ExactTwoWay{.min_size = 0}, constant(5, 1.0), 2) ==
        "exact_two_way: smaller group of 0 to 2 vertices, 5 vertices allow 1 to 2");
  CHECK(refusal(ExactTwoWay{.min_size = 2, .max_size = 1}, constant(5, 1.0), 2) ==
        "exact_two_way: smaller group of 2 to 1 vertices, 5 vertices allow 1 to 2");
  CHECK(refusal(GlobalMinCut{}, constant(4, -0.5), 2) ==
        "global_min_cut: entry (0, 1) is -0.5, only non-negative weights are possible (use "
        "ExactTwoWay)");
  CHECK(refusal(GlobalMinCut{}, constant(4, 1.0), 1) ==
        "global_min_cut: 1 groups, it makes exactly 2");
  CHECK(refusal(GlobalMinCut{}, constant(1, 1.0), 2) ==
        "global_min_cut: 1 vertices, at least 2 are needed");
}

TEST_CASE("the exact policies keep the laws of a partitioner") {
  CHECK(check_partitioner(ExactBalanced{}, {}) == std::vector<std::string>{});
  CHECK(
      check_partitioner(ExactTwoWay{}, {.min_vertices = 2, .max_vertices = 10, .only_groups = 2}) ==
      std::vector<std::string>{});
  CHECK(check_partitioner(ExactTwoWay{.min_size = 2, .max_size = 3},
                          {.min_vertices = 4, .max_vertices = 10, .only_groups = 2}) ==
        std::vector<std::string>{});
  CHECK(check_partitioner(
            GlobalMinCut{},
            {.min_vertices = 2, .max_vertices = 12, .only_groups = 2, .non_negative = true}) ==
        std::vector<std::string>{});
}

TEST_CASE("the largest problems are answered", "[slow]") {
  Stream stream(9);
  const auto similarity = random_similarity(24, stream);
  const auto free = ExactTwoWay{}(similarity, 2, stream);
  const auto even = ExactTwoWay{.min_size = 12}(similarity, 2, stream);
  CHECK(free.cut() <= even.cut());
  CHECK(even.groups()[0].size() == 12);
  // No exchange of two vertices and no move of one improves an optimum.
  for (std::size_t i = 0; i < 24; ++i) {
    Groups moved(2);
    for (std::size_t v = 0; v < 24; ++v)
      moved[(free.group_of(v) + (v == i ? 1 : 0)) % 2].push_back(v);
    if (!moved[0].empty() && !moved[1].empty())
      CHECK(Partition(similarity, moved).cut() >= free.cut());
    for (std::size_t j = 0; j < i; ++j) {
      if (even.group_of(i) == even.group_of(j)) continue;
      Groups swapped(2);
      for (std::size_t v = 0; v < 24; ++v)
        swapped[(even.group_of(v) + (v == i || v == j ? 1 : 0)) % 2].push_back(v);
      CHECK(Partition(similarity, swapped).cut() >= even.cut());
    }
  }
}
