#pragma once

#include <array>
#include <cleave/core/count.hpp>
#include <cleave/core/random.hpp>
#include <cleave/space/architecture.hpp>
#include <compare>
#include <cstddef>

namespace cleave {

/// The allowed options of every decision: a sub-space, and the identity of a sub-supernet.
/// No decision is ever without an option, so a restriction always holds an architecture.
template <class Space>
class Restriction {
 public:
  static constexpr std::size_t size = Space::decision_count;

  /// The whole space.
  constexpr Restriction() {
    for (std::size_t d = 0; d < size; ++d)
      allowed_[d] = OptionSet::first(Space::option_count(DecisionId(d)));
  }

  /// The single architecture.
  constexpr explicit Restriction(const Architecture<Space>& architecture) : Restriction() {
    for (std::size_t d = 0; d < size; ++d)
      allowed_[d] = OptionSet{architecture[DecisionId(d)]};
  }

  [[nodiscard]] constexpr OptionSet operator[](DecisionId decision) const {
    return allowed_[decision.index()];
  }

  /// The same restriction with another option set for one decision. Throws `ValueError` when the
  /// set is empty or names options the decision does not have.
  [[nodiscard]] constexpr Restriction with(DecisionId decision, OptionSet options) const {
    if (decision.index() >= size)
      throw ValueError(fmt::format("{}: decision {}, it has {}", Space::name, decision.index(),
                                   size));
    if (options.empty() ||
        !OptionSet::first(Space::option_count(decision)).contains(options))
      throw ValueError(fmt::format("{}: option set {:#x} for {}, it has {} options and needs one",
                                   Space::name, options.mask(), decision_name<Space>(decision),
                                   Space::option_count(decision)));
    Restriction result = *this;
    result.allowed_[decision.index()] = options;
    return result;
  }

  /// Exact number of architectures. Throws `ValueError` above 2^128.
  [[nodiscard]] constexpr Count count() const {
    Count product = 1;
    for (const auto options : allowed_) product = checked_product(product, options.size());
    return product;
  }

  [[nodiscard]] constexpr bool contains(const Architecture<Space>& architecture) const {
    for (std::size_t d = 0; d < size; ++d)
      if (!allowed_[d].contains(architecture[DecisionId(d)])) return false;
    return true;
  }
  [[nodiscard]] constexpr bool contains(const Restriction& other) const {
    for (std::size_t d = 0; d < size; ++d)
      if (!allowed_[d].contains(other.allowed_[d])) return false;
    return true;
  }

  /// The index-th architecture, 0 <= index < count(): a mixed-radix number whose most significant
  /// digit is decision 0. Throws `ValueError` when out of range.
  [[nodiscard]] constexpr Architecture<Space> at(Count index) const {
    if (index >= count())
      throw ValueError(fmt::format("{}: architecture {}, the restriction has {}", Space::name,
                                   to_string(index), to_string(count())));
    Architecture<Space> result;
    for (std::size_t d = size; d-- > 0;) {
      const auto options = allowed_[d];
      result.set(DecisionId(d), options.nth(static_cast<std::size_t>(index % options.size())));
      index /= options.size();
    }
    return result;
  }

  /// The inverse of `at`. Throws `ValueError` for an architecture outside.
  [[nodiscard]] constexpr Count index_of(const Architecture<Space>& architecture) const {
    Count index = 0;
    for (std::size_t d = 0; d < size; ++d) {
      const auto options = allowed_[d];
      const auto option = architecture[DecisionId(d)];
      if (!options.contains(option))
        throw ValueError(fmt::format("{}: option {} of {} lies outside the restriction",
                                     Space::name, Space::option_name(DecisionId(d), option),
                                     decision_name<Space>(DecisionId(d))));
      const auto below = OptionSet::from_mask((1U << option.index()) - 1U);
      index = index * options.size() + (options & below).size();
    }
    return index;
  }

  /// Uniform over the restriction.
  [[nodiscard]] constexpr Architecture<Space> sample(Stream& stream) const {
    Architecture<Space> result;
    for (std::size_t d = 0; d < size; ++d)
      result.set(DecisionId(d), allowed_[d].nth(stream.below(allowed_[d].size())));
    return result;
  }

  friend constexpr auto operator<=>(const Restriction&, const Restriction&) = default;

 private:
  std::array<OptionSet, size> allowed_{};
};

/// Whether a decision means anything under the restriction. A space in which some choices make
/// others idle (OFA: the width of a layer beyond every allowed depth) says so through
/// `uses(restriction, decision)`; elsewhere every decision does.
template <class S>
[[nodiscard]] constexpr bool is_used(const Restriction<S>& restriction, DecisionId decision) {
  if constexpr (requires { S::uses(restriction, decision); })
    return S::uses(restriction, decision);
  else
    return true;
}

/// True when some architecture lies in both.
template <class S>
[[nodiscard]] constexpr bool intersect(const Restriction<S>& a, const Restriction<S>& b) {
  for (std::size_t d = 0; d < S::decision_count; ++d)
    if ((a[DecisionId(d)] & b[DecisionId(d)]).empty()) return false;
  return true;
}

/// The architectures of both. Throws `ValueError` when there are none.
template <class S>
[[nodiscard]] constexpr Restriction<S> intersection(Restriction<S> a, const Restriction<S>& b) {
  for (std::size_t d = 0; d < S::decision_count; ++d)
    a = a.with(DecisionId(d), a[DecisionId(d)] & b[DecisionId(d)]);
  return a;
}

}  // namespace cleave
