#include <cleave/select/best_validation.hpp>
#include <cleave/select/oracle.hpp>
#include <cleave/select/successive_halving.hpp>
#include <cleave/space/toy.hpp>
#include <cleave_test.hpp>
#include <cstddef>
#include <span>
#include <tuple>
#include <vector>

using namespace cleave;
using Space = space::Toy;
using Candidates = std::vector<LeafCandidate<Space>>;

namespace {

/// Candidates with different architectures and these supernet accuracies.
Candidates candidates_with(const std::vector<double>& accuracies) {
  Candidates result;
  for (const double accuracy : accuracies)
    result.push_back({.node = result.size() + 1,
                      .genotype = Restriction<Space>().at(result.size()),
                      .supernet_accuracy = accuracy});
  return result;
}

using Call = std::tuple<std::size_t, std::size_t, std::size_t>;  ///< candidate, epochs, total

/// Trials that give each candidate a fixed accuracy and remember what they were asked.
struct Recorded {
  std::vector<double> accuracies;
  std::vector<Call> calls{};

  [[nodiscard]] Trials trials() {
    return {[this](std::size_t candidate, std::size_t epochs, std::size_t total) {
      calls.emplace_back(candidate, epochs, total);
      return accuracies.at(candidate);
    }};
  }
};

template <class Selection>
std::size_t choose(const Selection& selection, const Candidates& candidates,
                   const Trials& trials = {}) {
  return selection(std::span<const LeafCandidate<Space>>(candidates), trials);
}

}  // namespace

TEST_CASE("the best supernet accuracy wins, the earlier leaf on a tie, without trials") {
  CHECK(choose(select::BestValidation{}, candidates_with({0.2, 0.9, 0.4})) == 1);
  CHECK(choose(select::BestValidation{}, candidates_with({0.2, 0.9, 0.9})) == 1);
  CHECK(choose(select::BestValidation{}, candidates_with({0})) == 0);
}

TEST_CASE("the oracle asks the table and nothing else") {
  const auto candidates = candidates_with({0.9, 0.1, 0.2});
  std::size_t asked = 0;
  const select::Oracle<Space> oracle{[&](const Genotype<Space>& genotype) {
    ++asked;
    return genotype == candidates[2].genotype ? 94.0 : 60.0;
  }};
  CHECK(choose(oracle, candidates) == 2);
  CHECK(asked >= 3);
  CHECK_THROWS_WITH(choose(select::Oracle<Space>{}, candidates),
                    Catch::Matchers::Contains("oracle: `truth` is empty"));
}

TEST_CASE("successive halving trains all, then the better half, then the better half of those") {
  Recorded recorded{{0.1, 0.8, 0.3, 0.7, 0.2, 0.6, 0.5, 0.4}};
  const select::SuccessiveHalving halving{.rungs = {3, 6, 12}};
  CHECK(choose(halving, candidates_with(std::vector<double>(8)), recorded.trials()) == 1);
  const std::vector<Call> expected{
      {0, 3, 12},  {1, 3, 12}, {2, 3, 12}, {3, 3, 12},
      {4, 3, 12},  {5, 3, 12}, {6, 3, 12}, {7, 3, 12},  // all of them
      {1, 6, 12},  {3, 6, 12}, {5, 6, 12}, {6, 6, 12},  // the better half
      {1, 12, 12}, {3, 12, 12}};                        // the last two
  CHECK((recorded.calls == expected));
}

TEST_CASE("an odd number keeps the larger half, and the last rung decides") {
  Recorded five{{0.5, 0.4, 0.3, 0.2, 0.1}};
  CHECK(choose(select::SuccessiveHalving{.rungs = {1, 2}}, candidates_with(std::vector<double>(5)),
               five.trials()) == 0);
  CHECK(five.calls.size() == 5 + 3);
  Recorded one_rung{{0.1, 0.2, 0.3}};
  CHECK(choose(select::SuccessiveHalving{.rungs = {4}}, candidates_with(std::vector<double>(3)),
               one_rung.trials()) == 2);
  CHECK(one_rung.calls.size() == 3);
}

TEST_CASE("halving looks at later accuracies, not at earlier ones") {
  // Candidate 0 leads after one epoch and is overtaken afterwards.
  const Trials trials{[](std::size_t candidate, std::size_t epochs, std::size_t) {
    return candidate == 0 ? 0.5 : 0.1 * static_cast<double>(epochs * candidate);
  }};
  CHECK(choose(select::SuccessiveHalving{.rungs = {1, 8}}, candidates_with(std::vector<double>(4)),
               trials) == 3);
}

TEST_CASE("equal architectures are trained once, ties go to the earlier leaf") {
  auto candidates = candidates_with({0, 0, 0, 0});
  candidates[1].genotype = candidates[3].genotype = candidates[0].genotype;
  Recorded recorded{{0.6, 1, 0.6, 1}};
  CHECK(choose(select::SuccessiveHalving{.rungs = {2, 4}}, candidates, recorded.trials()) == 0);
  for (const auto& [candidate, epochs, total] : recorded.calls)
    CHECK((candidate == 0 || candidate == 2));
  CHECK(recorded.calls.size() == 2);

  candidates[2].genotype = candidates[0].genotype;
  Recorded none{{}};
  CHECK(choose(select::SuccessiveHalving{}, candidates, none.trials()) == 0);
  CHECK(none.calls.empty());
}

TEST_CASE("a single leaf needs no trial") {
  Recorded recorded{{0.3}};
  CHECK(choose(select::SuccessiveHalving{}, candidates_with({0}), recorded.trials()) == 0);
  CHECK(recorded.calls.empty());
}

TEST_CASE("rungs that do not rise are refused") {
  const auto candidates = candidates_with({0, 0});
  Recorded recorded{{0, 0}};
  for (const std::vector<std::size_t>& rungs :
       {std::vector<std::size_t>{}, {0, 3}, {6, 3}, {3, 3}, {3, 12, 6}})
    CHECK_THROWS_AS(
        choose(select::SuccessiveHalving{.rungs = rungs}, candidates, recorded.trials()),
        ValueError);
  CHECK(recorded.calls.empty());
}
