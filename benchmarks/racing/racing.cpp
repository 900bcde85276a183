// Does a race choose the path that evaluating all of them would, and for how many passes?
//
//     benchmark_racing [seeds = 20] [epochs = 20] [paths = 200] [first seed = 0]
//
// Trains the digits supernet of NASBench-201 (16 channels, 1 cell per stage) on uniform paths, once
// per seed, evaluates all drawn paths on the whole search half, and lets every way of choosing run
// on what was recorded.

#include <algorithm>
#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

namespace {

using Space = cleave::space::NasBench201;
using cleave::strategy::FullEvaluation;
using cleave::strategy::Race;

/// The common alternative: the better half by hits so far goes on, rung after rung, each rung on as
/// many new batches as the passes allow when every rung gets the same number of them.
struct Halving {
  static constexpr std::string_view name = "halving";
  double share = 0.33;  ///< of the passes of a full evaluation

  std::size_t operator()(const cleave::Contest& contest) const {
    std::vector<std::size_t> alive(contest.candidates);
    std::iota(alive.begin(), alive.end(), std::size_t{0});
    std::vector<std::size_t> right(contest.candidates);
    std::size_t rungs = 0;
    while ((std::size_t{1} << rungs) < contest.candidates) ++rungs;
    const double per_rung = share * static_cast<double>(contest.candidates * contest.batches) /
                            static_cast<double>(rungs);
    double due = 0;
    for (std::size_t rung = 0, k = 0; alive.size() > 1; ++rung) {
      due += per_rung / static_cast<double>(alive.size());
      const auto until = rung + 1 == rungs ? contest.batches : static_cast<std::size_t>(due + 0.5);
      for (; k < std::min(until, contest.batches); ++k) {
        const auto rows = contest.hits(alive, k);
        for (std::size_t i = 0; i < alive.size(); ++i)
          for (const auto hit : rows[i]) right[alive[i]] += hit;
      }
      std::stable_sort(alive.begin(), alive.end(), [&](std::size_t a, std::size_t b) {
        return right[a] != right[b] ? right[a] > right[b] : a < b;
      });
      alive.resize((alive.size() + 1) / 2);
      std::sort(alive.begin(), alive.end());
    }
    return alive.front();
  }
};
static_assert(cleave::strategy::PathChoice<Halving>);

/// All hits of all candidates, [candidate][batch].
struct Recorded {
  std::vector<std::vector<cleave::Hits>> hits;
  std::size_t images = 0;

  [[nodiscard]] std::size_t right(std::size_t candidate) const {
    std::size_t sum = 0;
    for (const auto& batch : hits[candidate])
      sum += std::accumulate(batch.begin(), batch.end(), std::size_t{0});
    return sum;
  }
};

/// A choice that evaluates everything and keeps what it saw.
struct Recorder {
  static constexpr std::string_view name = "recorder";
  Recorded* to = nullptr;

  std::size_t operator()(const cleave::Contest& contest) const {
    to->images = contest.images;
    to->hits.assign(contest.candidates, {});
    auto watched = contest;
    watched.hits = [&](std::span<const std::size_t> candidates, std::size_t batch) {
      auto rows = contest.hits(candidates, batch);
      for (std::size_t i = 0; i < rows.size(); ++i) to->hits[candidates[i]].push_back(rows[i]);
      return rows;
    };
    return FullEvaluation{}(watched);
  }
};

struct Score {
  std::string name;
  std::size_t agreed = 0;
  double share = 0;  ///< of the passes, summed over seeds
  double most = 0;
  double regret = 0;  ///< points of accuracy lost, worst seed
};

template <class Choice>
void judge(const Choice& choice, const Recorded& recorded, std::size_t best, Score& score) {
  std::size_t passes = 0;
  const auto batches = recorded.hits.front().size();
  const cleave::Contest contest{recorded.hits.size(), batches, recorded.images,
                                [&](std::span<const std::size_t> candidates, std::size_t batch) {
                                  passes += candidates.size();
                                  std::vector<cleave::Hits> rows;
                                  for (const auto i : candidates)
                                    rows.push_back(recorded.hits[i][batch]);
                                  return rows;
                                }};
  const auto chosen = choice(contest);
  const double share =
      static_cast<double>(passes) / static_cast<double>(batches * recorded.hits.size());
  score.agreed += chosen == best ? 1U : 0U;
  score.share += share;
  score.most = std::max(score.most, share);
  score.regret = std::max(
      score.regret, 100.0 * static_cast<double>(recorded.right(best) - recorded.right(chosen)) /
                        static_cast<double>(recorded.images));
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i, std::size_t otherwise) {
    return argc > i ? static_cast<std::size_t>(std::strtoul(argv[i], nullptr, 10)) : otherwise;
  };
  const auto seeds = number(1, 20);
  const auto epochs = number(2, 20);
  const auto paths = number(3, 200);
  const auto first = number(4, 0);
  const auto data = cleave::data::digits();

  const std::vector<std::pair<std::string, Race>> races{
      {"race, z = 2", {.z = 2}}, {"race, z = 2.5", {.z = 2.5}},
      {"race, z = 3", {}},       {"race, z = 3.5", {.z = 3.5}},
      {"race, z = 4", {.z = 4}}, {"race, z = 3, all looks", {.growth = 1}}};
  const std::vector<std::pair<std::string, Halving>> halvings{
      {"halving, few passes", {0.2}}, {"halving, more", {0.33}}, {"halving, as the race", {0.4}}};
  std::vector<Score> scores;
  for (const auto& [name, race] : races) scores.push_back({name});
  for (const auto& [name, halving] : halvings) scores.push_back({name});
  std::printf("seed  paths  batches  best %%  second %%  median %%\n");
  for (std::size_t seed = first; seed < first + seeds; ++seed) {
    using Strategy = cleave::strategy::Rsps<Recorder>;
    using Search = cleave::FewShotSearch<Space, Strategy, cleave::split::Random>;
    Search::Settings settings;
    settings.schedule = {.splits = {}, .final_epochs = epochs};
    settings.supernet = {.channels = 16, .cells = 1, .image_channels = 1};
    settings.network = settings.supernet;
    settings.seed = seed;
    Recorded recorded;
    (void)Search(settings, Strategy{.paths = paths, .choice = {&recorded}}).run(data);

    std::vector<std::size_t> rights;
    for (std::size_t i = 0; i < recorded.hits.size(); ++i) rights.push_back(recorded.right(i));
    const auto best =
        static_cast<std::size_t>(std::max_element(rights.begin(), rights.end()) - rights.begin());
    std::sort(rights.rbegin(), rights.rend());
    const auto percent = [&](std::size_t rank) {
      return 100.0 * static_cast<double>(rights[rank]) / static_cast<double>(recorded.images);
    };
    std::printf("%4zu  %5zu  %7zu  %6.2f  %8.2f  %8.2f\n", seed, recorded.hits.size(),
                recorded.hits.front().size(), percent(0), percent(1), percent(rights.size() / 2));
    std::fflush(stdout);
    std::size_t row = 0;
    for (const auto& [name, race] : races) judge(race, recorded, best, scores[row++]);
    for (const auto& [name, halving] : halvings) judge(halving, recorded, best, scores[row++]);
  }
  std::printf("\n%-28s %10s %12s %12s %14s\n", "choice", "agreed", "mean share", "most",
              "worst loss");
  for (const auto& score : scores)
    std::printf("%-28s %4zu of %zu %10.1f %% %10.1f %% %7.2f points\n", score.name.c_str(),
                score.agreed, seeds, 100 * score.share / static_cast<double>(seeds),
                100 * score.most, score.regret);
  return 0;
}
