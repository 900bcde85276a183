#include <cleave/graph/partition.hpp>
#include <cleave/graph/to_split.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cleave_test.hpp>
#include <limits>
#include <string>

using cleave::DecisionId;
using cleave::OptionId;
using cleave::OptionSet;
using cleave::Stream;
using cleave::ValueError;
using namespace cleave::graph;

namespace {

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no error";
}

SimilarityMatrix counting(Eigen::Index n) {
  Eigen::MatrixXd values(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = 0; j <= i; ++j) values(i, j) = values(j, i) = double(10 * j + i);
  return SimilarityMatrix(values);
}

}  // namespace

TEST_CASE("a similarity matrix refuses what no cut can use, naming the entry") {
  const auto refused = [](const Eigen::MatrixXd& values) {
    return message_of([&] { (void)SimilarityMatrix(values); });
  };
  CHECK(refused(Eigen::MatrixXd()) == "similarity matrix: empty, at least 1 x 1 is needed");
  CHECK(refused(Eigen::MatrixXd::Zero(2, 3)) == "similarity matrix: 2 x 3, a square one is needed");

  Eigen::MatrixXd values = Eigen::MatrixXd::Identity(3, 3);
  values(1, 2) = std::numeric_limits<double>::quiet_NaN();
  CHECK(refused(values) == "similarity matrix: entry (1, 2) is nan, not finite");
  values(1, 2) = -std::numeric_limits<double>::infinity();
  CHECK(refused(values) == "similarity matrix: entry (1, 2) is -inf, not finite");
  values(1, 2) = 0.5;
  CHECK(refused(values) ==
        "similarity matrix: entry (1, 2) is 0.5 but (2, 1) is 0, they may differ by at most 1e-06");
  CHECK(refused(Eigen::MatrixXd::Constant(2, 2, 1e308)) ==
        "similarity matrix: entries up to 1e+308, their sum overflows");
  CHECK(message_of([&] { (void)SimilarityMatrix(Eigen::MatrixXd::Zero(2, 2), -1.0); }) ==
        "similarity matrix: tolerance -1, at least 0 is needed");
  CHECK(message_of([] { (void)SimilarityMatrix::from_distance(Eigen::MatrixXd::Zero(1, 2)); }) ==
        "similarity matrix: 1 x 2, a square one is needed");
}

TEST_CASE("a similarity matrix becomes symmetric to the last bit") {
  Eigen::MatrixXd values = Eigen::MatrixXd::Identity(3, 3);
  values(0, 1) = 1000.0;
  values(1, 0) = 1000.0 + 0.9e-3;  // relative to the largest magnitude: within 1e-6
  const SimilarityMatrix similarity(values);
  CHECK(similarity(0, 1) == similarity(1, 0));
  CHECK(similarity(0, 1) == Approx(1000.00045).epsilon(1e-12));
  values(1, 0) = 1000.0 + 1.1e-3;
  CHECK_THROWS_AS(SimilarityMatrix(values), ValueError);
  CHECK_NOTHROW(SimilarityMatrix(values, 1e-5));
  CHECK(SimilarityMatrix(Eigen::MatrixXd::Constant(2, 2, 0.1))(0, 1) == 0.1);
}

TEST_CASE("distances become similarities s = 1 - d") {
  Eigen::MatrixXd distance(2, 2);
  distance << 0.0, 1.75, 1.75, 0.0;
  const auto similarity = SimilarityMatrix::from_distance(distance);
  CHECK(similarity(0, 1) == -0.75);
  CHECK(similarity(1, 1) == 1.0);
  CHECK(similarity.size() == 2);
}

TEST_CASE("a partition sums pairs across and within its groups") {
  // s(i, j) = 10 i + j for i < j.
  const Partition partition(counting(5), {{4, 1, 2}, {3, 0}});
  CHECK(partition.groups() == Groups{{0, 3}, {1, 2, 4}});
  CHECK(partition.text() == "{0,3|1,2,4}");
  CHECK(partition.within() == 3.0 + 12.0 + 14.0 + 24.0);
  CHECK(partition.cut() == 1.0 + 2.0 + 4.0 + 13.0 + 23.0 + 34.0);
  CHECK(partition.total() == 130.0);
  CHECK(partition.cut_pairs() == 6);
  CHECK(partition.normalised_cut() == Approx(77.0 / 6.0));
  CHECK(partition.group_count() == 2);
  CHECK(partition.vertex_count() == 5);
  CHECK(partition.group_of(3) == 0);
  CHECK(partition.group_of(4) == 1);
  CHECK(message_of([&] { (void)partition.group_of(5); }) == "partition: vertex 5, it has 5");
}

TEST_CASE("canonical groups are ordered by size, then by smallest member") {
  const Partition partition(counting(7), {{6, 2, 0}, {5, 4}, {3, 1}});
  CHECK(partition.text() == "{1,3|4,5|0,2,6}");
}

TEST_CASE("one group cuts nothing, and its normalised cut is 0") {
  const Partition whole(counting(3), {{0, 1, 2}});
  CHECK(whole.cut() == 0.0);
  CHECK(whole.within() == whole.total());
  CHECK(whole.cut_pairs() == 0);
  CHECK(whole.normalised_cut() == 0.0);
  const Partition single(counting(1), {{0}});
  CHECK(single.text() == "{0}");
  CHECK(single.total() == 0.0);
}

TEST_CASE("partitions compare by groups alone") {
  const Partition a(counting(4), {{0, 1}, {2, 3}});
  const Partition b(SimilarityMatrix(Eigen::MatrixXd::Zero(4, 4)), {{3, 2}, {1, 0}});
  CHECK(a == b);
  CHECK(a != Partition(counting(4), {{0, 2}, {1, 3}}));
}

TEST_CASE("groups that do not cover every vertex once are refused, naming the vertex") {
  const auto refused = [](Groups groups) {
    return message_of([&] { (void)Partition(counting(3), groups); });
  };
  CHECK(refused({{0, 1}}) == "partition: vertex 2 is in no group");
  CHECK(refused({{0, 1}, {1, 2}}) == "partition: vertex 1 is in group 0 and in group 1");
  CHECK(refused({{0, 1}, {2, 2}}) == "partition: vertex 2 is in group 1 and in group 1");
  CHECK(refused({{0, 1}, {2, 3}}) == "partition: vertex 3 in group 1, the matrix has 3");
  CHECK(refused({{0, 1, 2}, {}}) == "partition: group 1 is empty");
  CHECK(refused({}) == "partition: vertex 0 is in no group");
}

TEST_CASE("every random partition keeps the laws, whatever its vertices are called") {
  Stream stream(11);
  for (std::size_t trial = 0; trial < 2000; ++trial) {
    const std::size_t n = 1 + stream.below(12);
    const auto similarity = cleave::testing::random_similarity(n, stream);
    Groups groups(1 + stream.below(n));
    for (std::size_t v = 0; v < n; ++v)
      groups[v < groups.size() ? v : stream.below(groups.size())].push_back(v);
    const Partition partition(similarity, groups);
    REQUIRE(cleave::testing::check_partition(similarity, partition).empty());

    std::vector<std::size_t> name(n);
    for (std::size_t v = 0; v < n; ++v) name[v] = v;
    stream.shuffle(name);
    const Partition other(cleave::testing::relabelled(similarity, name),
                          cleave::testing::relabelled(groups, name));
    REQUIRE(other.cut() == Approx(partition.cut()).margin(1e-12));
    REQUIRE(other.within() == Approx(partition.within()).margin(1e-12));
    REQUIRE(other.cut_pairs() == partition.cut_pairs());
  }
}

TEST_CASE("a partition becomes a split: vertex k is the k-th allowed option") {
  const OptionSet allowed{OptionId(1), OptionId(2), OptionId(4)};
  const Partition partition(counting(3), {{0, 2}, {1}});
  const auto split = to_split(DecisionId(3), allowed, partition);
  CHECK(split.decision == DecisionId(3));
  REQUIRE(split.groups.size() == 2);
  CHECK(split.groups[0] == OptionSet{OptionId(2)});
  CHECK(split.groups[1] == OptionSet{OptionId(1), OptionId(4)});
  CHECK(message_of([&] { (void)to_split(DecisionId(3), OptionSet::first(4), partition); }) ==
        "split of decision 3: 4 allowed options, a partition of 3");
}

TEST_CASE("the split of a partition makes disjoint children that cover the parent") {
  const cleave::Restriction<cleave::space::Toy> parent;
  const OptionSet allowed = parent[DecisionId(0)];
  Groups groups(2);
  for (std::size_t v = 0; v < allowed.size(); ++v) groups[v % 2].push_back(v);
  const Partition partition(counting(static_cast<Eigen::Index>(allowed.size())), groups);
  const auto parts = cleave::children(parent, to_split(DecisionId(0), allowed, partition));
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].count() + parts[1].count() == parent.count());
}
