#include <cleave/core/error.hpp>
#include <cleave/strategy/race.hpp>
#include <cleave/testing/choice_laws.hpp>
#include <cleave_test.hpp>
#include <string>
#include <vector>

using namespace cleave;
using strategy::FullEvaluation;
using strategy::Race;
using testing::KnownHits;

namespace {

/// 200 candidates with normal accuracies around 0.7, images that differ in difficulty, so that
/// candidates err together as paths of one supernet do.
KnownHits correlated(std::uint64_t seed) {
  Stream stream(seed);
  std::vector<double> skill(200);
  std::vector<double> difficulty(640);
  for (auto& s : skill) s = 2.5 + 0.7 * stream.normal();
  for (auto& d : difficulty) d = 2.0 * stream.normal();
  KnownHits known{std::vector<Hits>(skill.size(), Hits(difficulty.size())), 46};
  for (std::size_t i = 0; i < skill.size(); ++i)
    for (std::size_t k = 0; k < difficulty.size(); ++k)
      known.rows[i][k] = skill[i] - difficulty[k] + 1.5 * stream.normal() > 0 ? 1 : 0;
  return known;
}

/// Chooses by the first batch alone.
struct Hasty {
  static constexpr std::string_view name = "hasty";
  std::size_t operator()(const Contest& contest) const {
    auto first = contest;
    first.batches = 1;
    return FullEvaluation{}(first);
  }
};

/// Asks for the leader again at every batch.
struct Forgetful {
  static constexpr std::string_view name = "forgetful";
  std::size_t operator()(const Contest& contest) const {
    (void)contest.hits(std::vector<std::size_t>{0}, 0);
    return FullEvaluation{}(contest);
  }
};

/// Ties go to the last.
struct LastOfEqual {
  static constexpr std::string_view name = "last of equal";
  std::size_t operator()(const Contest& contest) const {
    std::size_t best = 0;
    std::size_t most = 0;
    for (std::size_t i = 0; i < contest.candidates; ++i) {
      std::size_t right = 0;
      for (std::size_t k = 0; k < contest.batches; ++k) {
        const auto rows = contest.hits(std::vector<std::size_t>{i}, k);
        for (const auto hit : rows.front()) right += hit;
      }
      if (right >= most) best = i;
      most = std::max(most, right);
    }
    return best;
  }
};

}  // namespace

TEST_CASE("race and full evaluation keep the laws of a choice") {
  CHECK(testing::check_path_choice(Race{}) == std::vector<std::string>{});
  CHECK(testing::check_path_choice(Race{.z = 1.0, .growth = 1}) == std::vector<std::string>{});
  CHECK(testing::check_path_choice(FullEvaluation{}) == std::vector<std::string>{});
}

TEST_CASE("the law check finds who breaks one") {
  const auto broken = [](const auto& choice) {
    const auto sentences = testing::check_path_choice(choice);
    return sentences.size() == 1 ? sentences.front() : std::to_string(sentences.size());
  };
  CHECK(broken(Hasty{}) == "hasty: prefers a candidate that another one dominates");
  CHECK(broken(Forgetful{}) == "forgetful: asks for a candidate's hits on a batch twice");
  CHECK(broken(LastOfEqual{}) == "last of equal: of equal candidates it does not choose the first");
}

TEST_CASE("full evaluation counts every hit once") {
  const KnownHits known{{{1, 0, 0, 1, 0}, {0, 1, 1, 0, 1}, {1, 1, 1, 0, 0}}, 2};
  const auto outcome = known.outcome(FullEvaluation{});
  CHECK(outcome.chosen == 1);  // as many as candidate 2, but before it
  CHECK(outcome.passes == 9);
}

TEST_CASE("a race chooses as full evaluation does for a third of the passes") {
  int agreed = 0;
  double share = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto known = correlated(seed);
    const auto full = known.outcome(FullEvaluation{});
    const auto race = known.outcome(Race{});
    agreed += race.chosen == full.chosen ? 1 : 0;
    share += static_cast<double>(race.passes) / static_cast<double>(full.passes) / 40;
  }
  INFO(agreed << " of 40 agreed, " << share << " of the passes");
  CHECK(agreed >= 38);
  CHECK(share < 1.0 / 3.0);
}

TEST_CASE("a race drops by the rule of its documentation") {
  // Batches of 10 of 40 images. After the first, candidate 1 is wrong on 9 images where the leader
  // is right and right on none where it is wrong: 9 / sqrt(9) * sqrt(40 / 30) = 3.46.
  KnownHits known{{Hits(40, 1), Hits(40, 1)}, 10};
  for (std::size_t i = 0; i < 9; ++i) known.rows[1][i] = 0;
  CHECK(known.outcome(Race{.z = 3.4}).passes == 2);
  CHECK(known.outcome(Race{.z = 3.5}).passes > 2);

  // Nothing can be caught up any more, whatever z says: after 30 images 11 are missing, 10 to come.
  KnownHits late{{Hits(40, 1), Hits(40, 1)}, 10};
  for (std::size_t i = 0; i < 11; ++i) late.rows[1][19 + i] = 0;
  CHECK(late.outcome(Race{.z = 1000, .growth = 1}).passes == 6);
  late.rows[1][19] = 1;  // 10 missing: a tie is possible, so both run to the end
  CHECK(late.outcome(Race{.z = 1000, .growth = 1}).passes == 8);
}

TEST_CASE("looks lie further and further apart and never after the last batch") {
  CHECK(Race{}.looks_at(1).empty());
  CHECK(Race{}.looks_at(14) == std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 8, 10, 12});
  CHECK(Race{.growth = 2}.looks_at(14) == std::vector<std::size_t>{1, 2, 4, 8});
  CHECK(Race{.growth = 1}.looks_at(4) == std::vector<std::size_t>{1, 2, 3});
  CHECK(Race{}.looks_at(469).size() < 32);
}

TEST_CASE("a single candidate has won") {
  const KnownHits one{{Hits(20, 0)}, 10};
  CHECK(one.outcome(Race{}).chosen == 0);
  CHECK(one.outcome(Race{}).passes == 0);
}

TEST_CASE("a race refuses settings that mean nothing") {
  const KnownHits known{{Hits(20, 0), Hits(20, 1)}, 10};
  CHECK_THROWS_AS(known.outcome(Race{.z = 0}), ValueError);
  CHECK_THROWS_AS(known.outcome(Race{.growth = 0.5}), ValueError);
}
