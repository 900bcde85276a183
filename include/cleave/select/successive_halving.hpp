#pragma once

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cleave/select/concept.hpp>
#include <fmt/ranges.h>
#include <functional>
#include <vector>

namespace cleave::select {

/// Trains the leaves' architectures alone: all of them to the first rung, the better half on to
/// the next, until one is left (Jamieson and Talwalkar, AISTATS 2016). The numbers compared come
/// from networks that share nothing, so they are calibrated. Equal architectures are trained once;
/// ties go to the earlier leaf.
struct SuccessiveHalving {
  static constexpr std::string_view name = "successive halving";
  std::vector<std::size_t> rungs{3, 6, 12};  ///< epochs in all; the last is the schedule's end
  template <class F>
  void fields(F&& field) const {
    field("rungs", rungs);
  }

  /// Throws `ValueError` for rungs that are no schedule.
  void check() const {
    const bool rising = std::adjacent_find(rungs.begin(), rungs.end(), std::greater_equal{}) ==
                        rungs.end();
    if (rungs.empty() || !rising || rungs.front() == 0)
      throw ValueError(fmt::format("successive halving: rungs {} must be epochs that increase, "
                                   "the first at least 1",
                                   fmt::join(rungs, ", ")));
  }

  template <class Space>
  [[nodiscard]] std::size_t operator()(std::span<const LeafCandidate<Space>> candidates,
                                       const Trials& trials) const {
    check();
    std::vector<std::size_t> alive;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const bool known = std::any_of(alive.begin(), alive.end(), [&](std::size_t other) {
        return candidates[other].genotype == candidates[i].genotype;
      });
      if (!known) alive.push_back(i);
    }
    for (std::size_t rung = 0; alive.size() > 1; ++rung) {
      const auto epochs = rungs[std::min(rung, rungs.size() - 1)];
      std::vector<double> accuracy(candidates.size());
      for (const auto i : alive)
        accuracy[i] = trials.validation_after(i, epochs, rungs.back());
      std::stable_sort(alive.begin(), alive.end(),
                       [&](std::size_t a, std::size_t b) { return accuracy[a] > accuracy[b]; });
      alive.resize(rung + 1 < rungs.size() ? (alive.size() + 1) / 2 : 1);
    }
    return alive.front();
  }
};

}  // namespace cleave::select
