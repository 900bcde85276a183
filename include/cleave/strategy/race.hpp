#pragma once

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cleave/strategy/contest.hpp>
#include <cmath>

namespace cleave::strategy {

/// All candidates run the first batches, and whoever is surely beaten drops out, until one is left
/// or no images are: it chooses what `FullEvaluation` would, at a fraction of the passes.
///
/// Candidates are compared on the same images, so only images on which two differ tell them apart
/// (McNemar, 1947). With b images on which only the leader is right and a on which only the other
/// one is, of m seen and n in all, the other one drops out when
///
///     (b - a) / sqrt(a + b) * sqrt(n / (n - m)) > z,   or b - a > n - m (it cannot catch up),
///
/// where the second factor counts that the images are a finite set: near its end little can change.
/// Whoever is left at the end has run on everything, so ties there are broken as `FullEvaluation`
/// does. Successive halving drops by rank instead, near ties included.
struct Race {
  static constexpr std::string_view name = "race";

  double z = 3.0;        ///< standard deviations a beaten candidate is behind the leader, positive
  double growth = 1.25;  ///< each look after so many times the batches of the last, at least 1
  template <class F>
  void fields(F&& field) const {
    field("z", z);
    field("growth", growth);
  }

  /// Throws `ValueError` for settings out of their range.
  [[nodiscard]] std::size_t operator()(const Contest& contest) const {
    if (!(z > 0)) throw ValueError(fmt::format("race: z is {}, it must be positive", z));
    if (!(growth >= 1))
      throw ValueError(fmt::format("race: growth is {}, at least 1 is needed", growth));
    const auto looks = looks_at(contest.batches);

    std::vector<Runner> running(contest.candidates);
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < running.size(); ++i) running[i].candidate = i;
    std::size_t next = 0;
    for (std::size_t k = 0; k < contest.batches && running.size() > 1; ++k) {
      numbers.clear();
      for (const auto& runner : running) numbers.push_back(runner.candidate);
      const auto rows = contest.hits(numbers, k);
      for (std::size_t i = 0; i < rows.size(); ++i) running[i].add(rows[i]);
      if (next < looks.size() && looks[next] == k + 1) {
        ++next;
        drop_beaten(running, contest.images);
      }
    }
    return leader(running).candidate;
  }

  /// After how many batches the candidates are compared: 1, 2, ... ever further apart.
  [[nodiscard]] std::vector<std::size_t> looks_at(std::size_t batches) const {
    std::vector<std::size_t> looks;
    for (std::size_t k = 1; k < batches;) {
      looks.push_back(k);
      const double next = std::min(static_cast<double>(batches), static_cast<double>(k) * growth);
      k = std::max(k + 1, static_cast<std::size_t>(next));
    }
    return looks;
  }

 private:
  struct Runner {
    std::size_t candidate = 0;
    std::size_t right = 0;
    Hits seen{};

    void add(const Hits& hits) {
      seen.insert(seen.end(), hits.begin(), hits.end());
      for (const auto hit : hits) right += hit;
    }
  };

  /// Most hits, the lower number on a tie; runners stay in the order of their numbers.
  static const Runner& leader(const std::vector<Runner>& running) {
    const Runner* best = &running.front();
    for (const auto& runner : running)
      if (runner.right > best->right) best = &runner;
    return *best;
  }

  void drop_beaten(std::vector<Runner>& running, std::size_t images) const {
    const Runner first = leader(running);
    const auto seen = first.seen.size();
    const auto left = static_cast<double>(images - seen);
    const double finite = std::sqrt(static_cast<double>(images) / left);
    std::erase_if(running, [&](const Runner& runner) {
      std::size_t differ = 0;
      for (std::size_t i = 0; i < seen; ++i) differ += first.seen[i] != runner.seen[i] ? 1U : 0U;
      const auto lead = static_cast<double>(first.right - runner.right);
      return lead > left || lead * finite > z * std::sqrt(static_cast<double>(differ));
    });
  }
};

static_assert(PathChoice<Race>);

}  // namespace cleave::strategy
