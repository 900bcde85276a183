#include <cleave/graph/reference_rules.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cleave_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "brute_force.hpp"

using brute_force::constant;
using cleave::Stream;
using cleave::ValueError;
using cleave::testing::check_partitioner;
using namespace cleave::graph;

TEST_CASE("the reference rules give the groups and scores of the public code in every case") {
  const auto path = cleave::testing::fixture_path("cuts.json");
  std::ifstream file(path);
  INFO(path);
  REQUIRE(file.good());
  const auto cases = nlohmann::json::parse(file).at("cases");
  REQUIRE(!cases.empty());
  std::size_t checked = 0;
  for (const auto& entry : cases) {
    const auto rows = entry.at("distance").get<std::vector<std::vector<double>>>();
    const auto n = static_cast<Eigen::Index>(rows.size());
    Eigen::MatrixXd distance(n, n);
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t j = 0; j < rows.size(); ++j)
        distance(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = rows[i].at(j);
    const auto similarity = SimilarityMatrix::from_distance(distance);
    const auto rule = entry.at("rule").get<std::string>();
    CAPTURE(checked, rule);
    Groups expected = entry.at("groups").get<Groups>();
    make_canonical(expected);
    const double score = entry.at("score").get<double>();
    Stream stream;
    if (rule == "nasbench201") {
      const auto partition = ReferenceNasBench201{}(similarity, 2, stream);
      CHECK(partition.groups() == expected);
      CHECK(cut_distance(partition) == Approx(score).epsilon(1e-9));
    } else {
      REQUIRE(rule == "darts");
      const auto partition = ReferenceDarts{}(similarity, 2, stream);
      CHECK(partition.groups() == expected);
      CHECK(within_distance(partition) == Approx(score).epsilon(1e-9));
    }
    ++checked;
  }
  CHECK(checked == cases.size());
}

TEST_CASE("distance across and within, by hand") {
  Eigen::MatrixXd distance = Eigen::MatrixXd::Zero(4, 4);
  distance(0, 1) = distance(1, 0) = 0.5;
  distance(2, 3) = distance(3, 2) = 0.25;
  distance(0, 3) = distance(3, 0) = 2.0;
  const Partition partition(SimilarityMatrix::from_distance(distance), {{0, 1}, {2, 3}});
  CHECK(cut_distance(partition) == Approx(2.0));
  CHECK(within_distance(partition) == Approx(0.75));
}

TEST_CASE("the first partition found wins a tie") {
  Stream stream;
  for (const double value : {0.1, 1.0, 0.0, -0.3}) {
    CAPTURE(value);
    CHECK(ReferenceNasBench201{}(constant(5, value), 2, stream).text() == "{0,1|2,3,4}");
    CHECK(ReferenceNasBench201{}(constant(4, value), 2, stream).text() == "{0,1|2,3}");
  }
  // Distance 1 everywhere: fewest pairs within. Distance 0 everywhere: all equal, so the
  // smallest size comes first.
  CHECK(ReferenceDarts{}(constant(8, 0.0), 2, stream).text() == "{0,1,2,3|4,5,6,7}");
  CHECK(ReferenceDarts{}(constant(8, 1.0), 2, stream).text() == "{0,1|2,3,4,5,6,7}");
  CHECK(ReferenceDarts{}(constant(7, 0.1), 2, stream).text() == "{0,1,2|3,4,5,6}");
}

TEST_CASE("the NASBench-201 rule splits off a pair whatever the number of options") {
  Stream stream(1);
  const auto similarity = cleave::testing::random_similarity(9, stream);
  CHECK(ReferenceNasBench201{}(similarity, 2, stream).groups()[0].size() == 2);
  const auto three = cleave::testing::random_similarity(3, stream);
  CHECK(ReferenceNasBench201{}(three, 2, stream).groups()[1].size() == 2);
}

TEST_CASE("the reference rules refuse what they cannot do") {
  Stream stream;
  CHECK_THROWS_WITH(ReferenceNasBench201{}(constant(5, 1.0), 3, stream),
                    "reference_nasbench201: 3 groups, it makes exactly 2");
  CHECK_THROWS_WITH(ReferenceNasBench201{}(constant(2, 1.0), 2, stream),
                    "reference_nasbench201: 2 vertices, at least 3 are needed");
  CHECK_THROWS_WITH(ReferenceDarts{}(constant(3, 1.0), 2, stream),
                    "reference_darts: 3 vertices, at least 4 are needed");
  CHECK_THROWS_WITH(ReferenceDarts{}(constant(17, 1.0), 2, stream),
                    "reference_darts: 17 vertices, at most 16 are possible");
  CHECK_THROWS_AS(ReferenceDarts{}(constant(8, 1.0), 1, stream), ValueError);
}

TEST_CASE("the reference rules keep the laws of a partitioner") {
  CHECK(check_partitioner(ReferenceNasBench201{}, {.min_vertices = 3, .only_groups = 2}) ==
        std::vector<std::string>{});
  CHECK(check_partitioner(ReferenceDarts{}, {.min_vertices = 4, .only_groups = 2}) ==
        std::vector<std::string>{});
}
