#pragma once

#include <algorithm>
#include <cleave/space/genotype.hpp>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace cleave::strategy {

/// An architecture that was looked at, and how good it is.
template <SearchSpace S>
struct Individual {
  Architecture<S> architecture{};
  double accuracy = 0;
};

/// The architecture with every decision that means nothing in it at its first allowed option, so
/// that equal networks are equal architectures.
template <SearchSpace S>
[[nodiscard]] Architecture<S> canonical(Architecture<S> architecture,
                                        const Restriction<S>& allowed) {
  const Restriction<S> alone(architecture);
  for (std::size_t d = 0; d < S::decision_count; ++d)
    if (!is_used(alone, DecisionId(d)))
      architecture.set(DecisionId(d), allowed[DecisionId(d)].nth(0));
  return architecture;
}

/// Evolution as Once-for-all searches (Cai et al., ICLR 2020; Real et al., AAAI 2019): the best of
/// a generation are the parents of the next, half of which are mutants and half crossings of them.
/// An architecture is judged once, however often it comes up, and only if it is allowed: hard
/// limits hold for every network that is looked at.
struct Evolution {
  static constexpr std::string_view name = "evolution";

  std::size_t population = 100;
  std::size_t generations = 500;  ///< after the first
  double parents = 0.25;          ///< share of a generation that goes on
  double mutants = 0.5;      ///< share of the children that are mutants; the rest are crossings
  double mutation = 0.1;     ///< probability that a mutant draws a decision anew
  std::size_t tries = 1000;  ///< draws for a network that is allowed and new
  template <class F>
  void fields(F&& field) const {
    field("population", population);
    field("generations", generations);
    field("parents", parents);
    field("mutants", mutants);
    field("mutation", mutation);
    field("tries", tries);
  }

  /// All architectures that were judged, in the order in which they came.
  /// `is_allowed(architecture)` says whether one keeps the limits, `accuracies(span of
  /// architectures)` how good they are. Ends early when `tries` draws bring nothing new. Those of
  /// `first` that keep the limits belong to the first generation: where limits are tight, draws
  /// seldom keep them. Throws `ValueError` for settings out of range, and when nothing allowed is
  /// found at all.
  template <SearchSpace S, class IsAllowed, class Accuracies>
  [[nodiscard]] std::vector<Individual<S>> operator()(
      const Restriction<S>& restriction, IsAllowed is_allowed, Accuracies accuracies, Stream stream,
      std::span<const Architecture<std::type_identity_t<S>>> first = {}) const {
    check();
    std::vector<Individual<S>> seen;
    std::vector<Architecture<S>> fresh;
    const auto known = [&](const Architecture<S>& architecture) {
      const auto is = [&](const auto& other) { return other == architecture; };
      return std::any_of(fresh.begin(), fresh.end(), is) ||
             std::any_of(seen.begin(), seen.end(),
                         [&](const auto& other) { return is(other.architecture); });
    };
    /// Adds one that `draw` makes to the fresh ones, or says that it found none.
    const auto add = [&](auto draw) {
      for (std::size_t i = 0; i < tries; ++i) {
        const auto architecture = canonical(draw(), restriction);
        if (!is_allowed(architecture) || known(architecture)) continue;
        fresh.push_back(architecture);
        return true;
      }
      return false;
    };
    const auto judge = [&](std::vector<Individual<S>>& generation) {
      const std::vector<double> found = accuracies(std::span<const Architecture<S>>(fresh));
      for (std::size_t i = 0; i < fresh.size(); ++i) {
        generation.push_back({fresh[i], found.at(i)});
        seen.push_back(generation.back());
      }
      fresh.clear();
    };

    std::vector<Individual<S>> generation;
    for (const auto& one : first) {
      const auto architecture = canonical(one, restriction);
      if (fresh.size() < population && is_allowed(architecture) && !known(architecture))
        fresh.push_back(architecture);
    }
    while (fresh.size() < population && add([&] { return restriction.sample(stream); })) {
    }
    if (fresh.empty())
      throw ValueError(
          fmt::format("evolution: none of {} networks drawn from {} keeps the limits; "
                      "are they too tight?",
                      tries, S::name));
    judge(generation);
    const auto kept = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::lround(parents * static_cast<double>(population))));
    for (std::size_t g = 0; g < generations; ++g) {
      std::stable_sort(generation.begin(), generation.end(),
                       [](const auto& a, const auto& b) { return a.accuracy > b.accuracy; });
      if (generation.size() > kept) generation.resize(kept);
      const auto any = [&] { return generation[stream.below(generation.size())].architecture; };
      const auto children = population - std::min(population, generation.size());
      const auto mutating =
          static_cast<std::size_t>(std::lround(mutants * static_cast<double>(children)));
      for (std::size_t i = 0; i < children; ++i)
        if (i < mutating)
          add([&] { return mutated(any(), restriction, stream); });
        else
          add([&] {
            const auto one = any();  // drawn first, whatever the compiler's order of arguments
            return crossed(one, any(), stream);
          });
      if (fresh.empty()) break;
      judge(generation);
    }
    return seen;
  }

 private:
  void check() const {
    const auto share = [](std::string_view what, double value) {
      if (!(value >= 0 && value <= 1))
        throw ValueError(fmt::format("evolution: {} is {}, allowed 0 to 1", what, value));
    };
    share("parents", parents);
    share("mutants", mutants);
    share("mutation", mutation);
    if (population == 0 || tries == 0)
      throw ValueError(fmt::format("evolution: population {} and tries {}, at least 1 is needed",
                                   population, tries));
  }

  template <SearchSpace S>
  [[nodiscard]] Architecture<S> mutated(Architecture<S> architecture,
                                        const Restriction<S>& restriction, Stream& stream) const {
    for (std::size_t d = 0; d < S::decision_count; ++d)
      if (stream.uniform() < mutation) {
        const auto options = restriction[DecisionId(d)];
        architecture.set(DecisionId(d), options.nth(stream.below(options.size())));
      }
    return architecture;
  }
  template <SearchSpace S>
  [[nodiscard]] static Architecture<S> crossed(Architecture<S> one, const Architecture<S>& other,
                                               Stream& stream) {
    for (std::size_t d = 0; d < S::decision_count; ++d)
      if (stream.below(2) == 0) one.set(DecisionId(d), other[DecisionId(d)]);
    return one;
  }
};

/// The individual with the highest accuracy, the first of equals. There must be one.
template <SearchSpace S>
[[nodiscard]] const Individual<S>& best_of(const std::vector<Individual<S>>& individuals) {
  return *std::max_element(individuals.begin(), individuals.end(),
                           [](const auto& a, const auto& b) { return a.accuracy < b.accuracy; });
}

/// Those that no other one beats in cost and accuracy, by rising cost: each is more accurate than
/// everything that costs as little. `cost_of(architecture)` is a number.
template <SearchSpace S, class CostOf>
[[nodiscard]] std::vector<Individual<S>> pareto_front(const std::vector<Individual<S>>& individuals,
                                                      CostOf cost_of) {
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < individuals.size(); ++i)
    order.emplace_back(static_cast<double>(cost_of(individuals[i].architecture)), i);
  std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    const auto left = individuals[a.second].accuracy;
    const auto right = individuals[b.second].accuracy;
    return left != right ? left > right : a.second < b.second;
  });
  std::vector<Individual<S>> front;
  for (const auto& [unused, i] : order)
    if (front.empty() || individuals[i].accuracy > front.back().accuracy)
      front.push_back(individuals[i]);
  return front;
}

}  // namespace cleave::strategy
