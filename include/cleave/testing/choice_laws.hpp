#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cleave/core/random.hpp>
#include <cleave/strategy/contest.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cleave::testing {

/// Candidates whose hits are known: row i holds candidate i's hits on all images. Cut into batches
/// of `batch` images, the last one shorter.
struct KnownHits {
  std::vector<Hits> rows;
  std::size_t batch = 1;

  [[nodiscard]] std::size_t batches() const { return (rows.front().size() + batch - 1) / batch; }
  /// A contest that counts its passes and writes down who asked for what twice. All three must
  /// outlive it.
  [[nodiscard]] Contest contest(std::size_t& passes,
                                std::set<std::pair<std::size_t, std::size_t>>& asked,
                                bool& repeated) const {
    return {
        rows.size(), batches(), rows.front().size(),
        [this, &passes, &asked, &repeated](std::span<const std::size_t> candidates, std::size_t k) {
          std::vector<Hits> result;
          for (const auto i : candidates) {
            ++passes;
            repeated |= !asked.emplace(i, k).second;
            const auto begin = rows.at(i).begin() + static_cast<std::ptrdiff_t>(k * batch);
            const auto size = std::min(batch, rows[i].size() - k * batch);
            result.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
          }
          return result;
        }};
  }
  /// What a choice says, after how many passes, and whether it asked for anything twice.
  struct Outcome {
    std::size_t chosen = 0;
    std::size_t passes = 0;
    bool repeated = false;
  };
  template <class Choice>
  [[nodiscard]] Outcome outcome(const Choice& choice) const {
    Outcome result;
    std::set<std::pair<std::size_t, std::size_t>> asked;
    result.chosen = choice(contest(result.passes, asked, result.repeated));
    return result;
  }
};

/// Independent candidates, i right with probability `accuracies[i]`.
[[nodiscard]] inline KnownHits random_hits(const std::vector<double>& accuracies,
                                           std::size_t images, std::size_t batch, Stream& stream) {
  KnownHits known{std::vector<Hits>(accuracies.size(), Hits(images)), batch};
  for (std::size_t i = 0; i < accuracies.size(); ++i)
    for (auto& hit : known.rows[i]) hit = stream.uniform() < accuracies[i] ? 1 : 0;
  return known;
}

/// The laws of `strategy::PathChoice` over random contests; the broken ones as sentences.
template <strategy::PathChoice Choice>
[[nodiscard]] std::vector<std::string> check_path_choice(const Choice& choice,
                                                         std::uint64_t seed = 0) {
  std::set<std::string> broken;
  const auto want = [&](bool kept, const char* law) {
    if (!kept) broken.insert(fmt::format("{}: {}", Choice::name, law));
  };
  Stream stream(seed);
  for (int trial = 0; trial < 40; ++trial) {
    std::vector<double> accuracies(1 + stream.below(20));
    for (auto& accuracy : accuracies) accuracy = stream.uniform();
    const auto images = 1 + stream.below(200);
    auto known = random_hits(accuracies, images, 1 + stream.below(40), stream);
    const auto first = known.outcome(choice);
    const auto second = known.outcome(choice);
    want(first.chosen < known.rows.size(), "chooses a candidate that is not there");
    want(!first.repeated, "asks for a candidate's hits on a batch twice");
    want(first.chosen == second.chosen && first.passes == second.passes,
         "depends on more than the contest");

    const KnownHits equal{std::vector<Hits>(known.rows.size(), known.rows[0]), known.batch};
    want(equal.outcome(choice).chosen == 0, "of equal candidates it does not choose the first");

    // Right wherever the other one is, and on one image more.
    auto better = known.rows[0];
    const auto wrong = std::find(better.begin(), better.end(), 0);
    if (wrong == better.end()) continue;
    *wrong = 1;
    for (const std::size_t place : {std::size_t{0}, std::size_t{1}}) {
      KnownHits pair{{known.rows[0], known.rows[0]}, known.batch};
      pair.rows[place] = better;
      want(pair.outcome(choice).chosen == place, "prefers a candidate that another one dominates");
    }
  }
  return {broken.begin(), broken.end()};
}

}  // namespace cleave::testing
