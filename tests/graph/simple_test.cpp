#include <cleave/graph/random_balanced.hpp>
#include <cleave/graph/singletons.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cleave_test.hpp>
#include <map>
#include <string>

using cleave::Stream;
using cleave::testing::check_partitioner;
using cleave::testing::random_similarity;
using namespace cleave::graph;

namespace {

/// Broken on purpose, one law each: the law check must notice.
struct Whole {
  static constexpr std::string_view name = "whole";
  Partition operator()(const SimilarityMatrix& similarity, std::size_t, Stream&) const {
    Groups all(1);
    for (std::size_t v = 0; v < similarity.size(); ++v) all[0].push_back(v);
    return Partition(similarity, all);
  }
};

struct FirstAlone {
  static constexpr std::string_view name = "first_alone";
  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups, Stream&) const {
    check_group_count(name, similarity.size(), groups);
    Groups result(groups);
    for (std::size_t v = 0; v < similarity.size(); ++v)
      result[std::min(v, groups - 1)].push_back(v);
    return Partition(similarity, result);
  }
};

struct Moody {
  static constexpr std::string_view name = "moody";
  mutable std::size_t calls = 0;
  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups,
                       Stream& stream) const {
    if (++calls % 2 == 0) return FirstAlone{}(similarity, groups, stream);
    return RandomBalanced{}(similarity, groups, stream);
  }
};

/// Another matrix than the one it was given.
struct Forgetful {
  static constexpr std::string_view name = "forgetful";
  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups,
                       Stream& stream) const {
    const SimilarityMatrix other((2.0 * similarity.values()).eval());
    return FirstAlone{}(other, groups, stream);
  }
};

bool mentions(const std::vector<std::string>& broken, const std::string& law) {
  return std::any_of(broken.begin(), broken.end(),
                     [&](const auto& text) { return text.find(law) != std::string::npos; });
}

}  // namespace

TEST_CASE("singletons put every vertex alone, whatever number is asked for") {
  Stream stream(1);
  const auto similarity = random_similarity(4, stream);
  for (const std::size_t groups : {0U, 1U, 2U, 4U, 9U})
    CHECK(Singletons{}(similarity, groups, stream).text() == "{0|1|2|3}");
  const auto partition = Singletons{}(similarity, 4, stream);
  CHECK(partition.cut() == partition.total());
  CHECK(check_partitioner(Singletons{}, {.ignores_groups = true}) == std::vector<std::string>{});
}

TEST_CASE("random balanced partitions are uniform") {
  // 5 in groups of 3 and 2: 10 partitions. 6 in three pairs: 15. 7 in 3, 2, 2: 105.
  struct Case {
    std::size_t n, groups, partitions;
  };
  for (const auto [n, groups, partitions] : {Case{5, 2, 10}, Case{6, 3, 15}, Case{7, 3, 105}}) {
    Stream stream(2);
    const auto similarity = random_similarity(n, stream);
    std::map<std::string, std::size_t> seen;
    const std::size_t draws = 200 * partitions;
    for (std::size_t k = 0; k < draws; ++k)
      ++seen[RandomBalanced{}(similarity, groups, stream).text()];
    CAPTURE(n, groups);
    REQUIRE(seen.size() == partitions);
    double chi_square = 0.0;
    for (const auto& [text, count] : seen) {
      const double difference = static_cast<double>(count) - 200.0;
      chi_square += difference * difference / 200.0;
    }
    // Mean f, variance 2 f for f = partitions - 1 degrees of freedom: five deviations.
    const double freedom = static_cast<double>(partitions - 1);
    CHECK(chi_square < freedom + 5.0 * std::sqrt(2.0 * freedom));
  }
}

TEST_CASE("random balanced follows the stream and keeps the laws") {
  Stream a(3);
  Stream b(3);
  Stream other(4);
  const auto similarity = random_similarity(12, other);
  CHECK(RandomBalanced{}(similarity, 3, a) == RandomBalanced{}(similarity, 3, b));
  CHECK(RandomBalanced{}(similarity, 3, a) != RandomBalanced{}(similarity, 3, other));
  CHECK_THROWS_WITH(RandomBalanced{}(similarity, 13, a),
                    "random_balanced: 13 groups of 12 vertices, 1 to 12 are possible");
  CHECK(check_partitioner(RandomBalanced{}, {.random = true}) == std::vector<std::string>{});
}

TEST_CASE("the law check notices each broken law") {
  const auto whole = check_partitioner(Whole{});
  CHECK(mentions(whole, "not as many groups as asked for"));
  CHECK(mentions(whole, "0 groups are accepted"));
  CHECK(mentions(whole, "more groups than vertices are accepted"));
  const auto first_alone = check_partitioner(FirstAlone{});
  CHECK(first_alone.size() == 1);
  CHECK(mentions(first_alone, "relabelled vertices give other groups"));
  CHECK(mentions(check_partitioner(Moody{}), "two calls with equal arguments differ"));
  CHECK(mentions(check_partitioner(RandomBalanced{}), "draws from the stream"));
  const auto forgetful = check_partitioner(Forgetful{});
  CHECK(mentions(forgetful, "within() is wrong"));
  CHECK(mentions(forgetful, "total() is wrong"));
}
