#include <cleave/graph/exact_balanced.hpp>
#include <cleave/graph/exact_two_way.hpp>
#include <cleave/graph/kernighan_lin.hpp>
#include <cleave/graph/spectral.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <limits>
#include <string>

using cleave::Stream;
using cleave::testing::check_partitioner;
using cleave::testing::random_similarity;
using namespace cleave::graph;

namespace {

/// Cosines of random directions in three dimensions: what gradients look like, any sign.
SimilarityMatrix random_cosines(std::size_t n, Stream& stream) {
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(n), 3);
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    for (Eigen::Index k = 0; k < 3; ++k) rows(i, k) = stream.normal();
    rows.row(i).normalize();
  }
  return SimilarityMatrix(rows * rows.transpose());
}

/// The share of the possible gain that `found` leaves unused: 0 for the least cut, 1 for the mean
/// of all balanced cuts. Unlike a ratio of cuts it makes sense for cuts near zero or below.
double loss(const Partition& found, const Partition& exact, std::size_t n) {
  const double pairs = static_cast<double>(n * (n - 1)) / 2.0;
  const double mean = exact.total() * static_cast<double>(exact.cut_pairs()) / pairs;
  return (found.cut() - exact.cut()) / (mean - exact.cut());
}

}  // namespace

TEST_CASE("spectral cuts are within 5 % of the exact cut on 95 % of random matrices") {
  Stream stream(1);
  const std::size_t trials = 300;
  for (const std::string kind : {"uniform", "normal", "cosine"}) {
    std::size_t near_in_gain = 0;
    std::size_t near_in_ratio = 0;
    for (std::size_t trial = 0; trial < trials; ++trial) {
      const auto similarity = kind == "cosine" ? random_cosines(16, stream)
                                               : random_similarity(16, stream, kind == "uniform");
      const auto exact = ExactTwoWay{.min_size = 8}(similarity, 2, stream);
      const auto found = Spectral{}(similarity, 2, stream);
      REQUIRE(found.cut() >= exact.cut() - 1e-9);
      if (loss(found, exact, 16) <= 0.05) ++near_in_gain;
      if (found.cut() - exact.cut() <= 0.05 * std::abs(exact.cut()) + 1e-12) ++near_in_ratio;
    }
    CAPTURE(kind, near_in_gain, near_in_ratio, trials);
    CHECK(near_in_gain * 100 >= trials * 95);
    CHECK(near_in_ratio * 100 >= trials * 95);
  }
}

TEST_CASE("spectral cuts into more groups come as near") {
  Stream stream(2);
  for (std::size_t groups = 3; groups <= 6; ++groups) {
    std::size_t near_in_gain = 0;
    for (std::size_t trial = 0; trial < 60; ++trial) {
      const auto similarity = random_similarity(11, stream);
      const auto exact = ExactBalanced{}(similarity, groups, stream);
      const auto found = Spectral{}(similarity, groups, stream);
      REQUIRE(found.cut() >= exact.cut() - 1e-9);
      REQUIRE(found.groups().back().size() - found.groups().front().size() <= 1);
      if (loss(found, exact, 11) <= 0.05) ++near_in_gain;
    }
    CAPTURE(groups, near_in_gain);
    CHECK(near_in_gain >= 57);
  }
}

TEST_CASE("planted blocks of a large graph are recovered under noise") {
  Stream stream(3);
  for (const std::size_t blocks : {2U, 3U, 4U, 7U}) {
    const std::size_t n = 60;
    Groups truth(blocks);
    Eigen::MatrixXd values = random_similarity(n, stream).values();
    for (std::size_t v = 0; v < n; ++v) {
      truth[v % blocks].push_back(v);
      for (std::size_t u = 0; u < n; ++u)
        if (u % blocks == v % blocks)
          values(static_cast<Eigen::Index>(v), static_cast<Eigen::Index>(u)) += 4.0;
    }
    make_canonical(truth);
    CAPTURE(blocks);
    CHECK(Spectral{}(SimilarityMatrix(values), blocks, stream).groups() == truth);
  }
}

TEST_CASE("spectral: small, full and degenerate problems are defined") {
  Stream stream(4);
  const auto zeros = [](Eigen::Index n) { return SimilarityMatrix(Eigen::MatrixXd::Zero(n, n)); };
  CHECK(Spectral{}(zeros(1), 1, stream).text() == "{0}");
  CHECK(Spectral{}(zeros(2), 2, stream).text() == "{0|1}");
  CHECK(Spectral{}(zeros(3), 3, stream).text() == "{0|1|2}");
  CHECK(Spectral{}(zeros(3), 1, stream).text() == "{0,1,2}");
  CHECK(Spectral{}(zeros(7), 3, stream) == Spectral{}(zeros(7), 3, stream));
  CHECK(Spectral{}(zeros(7), 3, stream).groups().back().size() == 3);
  for (const double scale : {1e300, 1e-310}) {
    Eigen::MatrixXd values = Eigen::MatrixXd::Constant(4, 4, 0.01 * scale);
    values(0, 2) = values(2, 0) = values(1, 3) = values(3, 1) = scale;
    CHECK(Spectral{}(SimilarityMatrix(values), 2, stream).text() == "{0,2|1,3}");
  }
}

TEST_CASE("spectral refuses impossible numbers of groups and directions") {
  Stream stream;
  const SimilarityMatrix similarity(Eigen::MatrixXd::Identity(3, 3));
  CHECK_THROWS_WITH(Spectral{}(similarity, 4, stream),
                    "spectral: 4 groups of 3 vertices, 1 to 3 are possible");
  CHECK_THROWS_WITH(Spectral{}(similarity, 0, stream),
                    "spectral: 0 groups of 3 vertices, 1 to 3 are possible");
  CHECK_THROWS_WITH(Spectral{.directions = 0}(similarity, 2, stream),
                    "spectral: 0 directions, at least 1 is needed");
}

TEST_CASE("spectral keeps the laws of a partitioner") {
  CHECK(check_partitioner(Spectral{}, {.max_vertices = 12}) == std::vector<std::string>{});
}

TEST_CASE("Kernighan-Lin never worsens a partition and keeps it balanced") {
  Stream stream(5);
  for (std::size_t trial = 0; trial < 500; ++trial) {
    const std::size_t n = 2 + stream.below(14);
    const std::size_t groups = 1 + stream.below(n);
    const auto similarity = random_similarity(n, stream);
    std::vector<std::size_t> order(n);
    for (std::size_t v = 0; v < n; ++v) order[v] = v;
    stream.shuffle(order);
    Groups start(groups);
    for (std::size_t k = 0; k < n; ++k) start[k % groups].push_back(order[k]);
    const Partition before(similarity, start);
    const Partition after(similarity, KernighanLin(similarity, start).run());
    REQUIRE(after.cut() <= before.cut() + 1e-9);
    REQUIRE(after.group_count() == groups);
    REQUIRE(after.groups().front().size() >= n / groups);
    REQUIRE(after.groups().back().size() <= (n + groups - 1) / groups);
  }
}

TEST_CASE("Kernighan-Lin moves one vertex where sizes differ") {
  // Vertex 2 belongs to {3, 4}; only {0, 1} | {2, 3, 4} is right, reached by one move.
  Eigen::MatrixXd values = Eigen::MatrixXd::Constant(5, 5, -1.0);
  for (const auto& [i, j] : {std::pair{0, 1}, {2, 3}, {2, 4}, {3, 4}})
    values(i, j) = values(j, i) = 1.0;
  const SimilarityMatrix similarity(values);
  CHECK(KernighanLin(similarity, {{0, 1, 2}, {3, 4}}).run() == Groups{{0, 1}, {2, 3, 4}});
  CHECK_THROWS_WITH(KernighanLin(similarity, {{0}, {1, 2, 3, 4}}),
                    "Kernighan-Lin: a group of 1, balance needs 2 or 3");
}
