#pragma once

#include <cleave/engine/schedule.hpp>
#include <cleave/split/exhaustive.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/derived_by.hpp>
#include <string_view>
#include <utility>
#include <variant>

// Parts whose kind is known at run time only: each is one policy to the search, so that a program
// with four criteria and two rules compiles one search per strategy, not eight.

namespace example {

/// A fixed number of repeats, or as many as it takes when that is 0.
struct ChosenRepeats {
  static constexpr std::string_view name = "chosen repeats";
  std::size_t count = 0;
  cleave::split::UntilCertain certain{};

  template <class F>
  void fields(F&& field) const {
    field("count", count);
    field("certain", certain);
  }
  [[nodiscard]] std::size_t most() const { return count > 0 ? count : certain.most(); }
  [[nodiscard]] bool enough(std::size_t done, const cleave::split::Agreement& agreement) const {
    return count > 0 ? done >= count : certain.enough(done, agreement);
  }
  [[nodiscard]] double drop_below() const { return count > 0 ? 0 : certain.drop_below(); }
};
static_assert(cleave::split::Repeats<ChosenRepeats>);

/// Gradient matching among some decisions.
using Matching = cleave::split::GradientMatching<cleave::score::Cosine, cleave::graph::ExactBalanced,
                                                 cleave::split::Among<>, ChosenRepeats>;

struct ChosenCriterion {
  static constexpr std::string_view name = "chosen criterion";
  std::variant<Matching, cleave::split::Exhaustive, cleave::split::Random> criterion;

  template <class F>
  void fields(F&& field) const {
    std::visit([&](const auto& chosen) { field("chosen", chosen); }, criterion);
  }

  template <class Net>
  [[nodiscard]] cleave::SplitOutcome operator()(const cleave::SplitScene<Net>& scene) const {
    return std::visit([&](const auto& chosen) { return chosen(scene); }, criterion);
  }
};

/// none, every or last, as `--restart` has it.
[[nodiscard]] inline cleave::Restart restart_of(std::string_view text) {
  return text == "none"    ? cleave::Restart::None
         : text == "every" ? cleave::Restart::EverySplit
                           : cleave::Restart::LastSplit;
}

/// The space's own rule of derivation, or the literal one.
struct ChosenRule {
  static constexpr std::string_view name = "chosen rule";
  bool literal = false;

  template <class F>
  void fields(F&& field) const {
    field("literal", literal);
  }

  template <cleave::SearchSpace S>
  [[nodiscard]] cleave::Genotype<S> derive(std::span<const double> weights,
                                           const cleave::Restriction<S>& allowed) const {
    return literal ? cleave::strategy::LiteralRule{}.derive<S>(weights, allowed)
                   : cleave::strategy::SpaceRule{}.derive<S>(weights, allowed);
  }
};

}  // namespace example
