#pragma once

#include <cleave/strategy/concept.hpp>
#include <concepts>
#include <span>
#include <string_view>
#include <vector>

namespace cleave::strategy {

/// Reads a genotype off option weights [decision_count, max_options] under a restriction.
///
/// Requirements on a const object: `R::name` and `rule.template derive<Space>(weights, allowed)`.
/// Law: the genotype lies in the restriction. Models: SpaceRule, LiteralRule.
template <class R, class Space>
concept DerivationRule = requires(const R& rule, std::span<const double> weights,
                                  const Restriction<Space>& allowed) {
  { R::name } -> std::convertible_to<std::string_view>;
  { rule.template derive<Space>(weights, allowed) } -> std::same_as<Genotype<Space>>;
};

/// The space's own rule, what strategies use by themselves. On the DARTS space it ranks edges by a
/// measure that is fair between split and unsplit ones (space/darts.hpp).
struct SpaceRule {
  static constexpr std::string_view name = "rule of the space";
  template <SearchSpace S>
  [[nodiscard]] Genotype<S> derive(std::span<const double> weights,
                                   const Restriction<S>& allowed) const {
    return cleave::derive<S>(weights, allowed);
  }
};

/// The public code's rule where the space knows one: on the DARTS space the two edges with the
/// largest best weight, so that an edge with three options left (1/3 each) beats one with seven.
struct LiteralRule {
  static constexpr std::string_view name = "literal rule";
  template <SearchSpace S>
  [[nodiscard]] Genotype<S> derive(std::span<const double> weights,
                                   const Restriction<S>& allowed) const {
    static_assert(
        requires { S::derive_literal(weights, allowed); },
        "LiteralRule: this space has no literal rule; it needs Genotype derive_literal(weights, "
        "restriction), as the DARTS space has (docs/policies.md, Derivation)");
    return S::derive_literal(weights, allowed);
  }
};

/// A strategy that derives by another rule; in all else it is `Strategy`. For strategies that weigh
/// options (`option_weights`): DARTS, SNAS.
template <class Strategy, class Rule = LiteralRule>
struct DerivedBy : Strategy {
  Rule rule{};

  template <class F>
  void fields(F&& field) const {
    if constexpr (requires { Strategy::fields(field); }) Strategy::fields(field);
    field("rule", rule);
  }

  template <class Net>
  [[nodiscard]] Genotype<typename Net::Space> derive(
      const Net& net, const typename Strategy::template State<Net>& state, const Judge<Net>&,
      Stream) const {
    static_assert(
        requires { Strategy::option_weights(net, state); },
        "DerivedBy: the strategy has no option weights to derive from; it needs option_weights(net, "
        "state), as DARTS and SNAS have (docs/policies.md, Derivation)");
    static_assert(DerivationRule<Rule, typename Net::Space>,
                  "DerivedBy: a rule needs name and `template <SearchSpace S> Genotype<S> "
                  "derive(std::span<const double>, const Restriction<S>&) const` "
                  "(docs/policies.md, Derivation)");
    const std::vector<double> table = Strategy::option_weights(net, state);
    return rule.template derive<typename Net::Space>(table, net.restriction());
  }
};

}  // namespace cleave::strategy
