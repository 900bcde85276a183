#pragma once

#include <array>
#include <cleave/core/scanner.hpp>
#include <cleave/space/concept.hpp>
#include <compare>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace cleave {

/// One option per decision: a point of the space. Regular value type, `decision_count` bytes.
template <class Space>
class Architecture {
  static_assert(HasDecisions<Space>,
                "cleave: a search space needs the static members `name` (text) and "
                "`decision_count` (a constant of at least 1); see docs/policies.md#search-space");
  static_assert(HasOptions<Space>,
                "cleave: a search space needs the static functions `option_count(DecisionId)`, "
                "constexpr, and `option_name(DecisionId, OptionId)`; see "
                "docs/policies.md#search-space");

 public:
  static constexpr std::size_t size = Space::decision_count;

  /// Every decision at its option 0.
  constexpr Architecture() = default;

  /// Throws `ValueError` when an option is out of its decision's range.
  constexpr explicit Architecture(const std::array<OptionId, size>& options) {
    for (std::size_t d = 0; d < size; ++d) set(DecisionId(d), options[d]);
  }

  [[nodiscard]] constexpr OptionId operator[](DecisionId decision) const {
    return options_[decision.index()];
  }

  constexpr Architecture& set(DecisionId decision, OptionId option) {
    if (decision.index() >= size)
      throw ValueError(fmt::format("{}: decision {}, it has {}", Space::name, decision.index(),
                                   size));
    if (option.index() >= Space::option_count(decision))
      throw ValueError(fmt::format("{}: option {} of {}, allowed 0 to {}", Space::name,
                                   option.index(), decision_name<Space>(decision),
                                   Space::option_count(decision) - 1));
    options_[decision.index()] = option;
    return *this;
  }

  [[nodiscard]] constexpr std::span<const OptionId, size> options() const noexcept {
    return options_;
  }

  friend constexpr auto operator<=>(const Architecture&, const Architecture&) = default;

 private:
  std::array<OptionId, size> options_{};
};

/// The plain text of an architecture: option names joined by ','. Spaces with a text of their
/// own (arch string, genotype) define it themselves; see genotype.hpp.
template <SearchSpace S>
[[nodiscard]] std::string plain_text(const Architecture<S>& architecture) {
  std::string text;
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    if (d != 0) text += ',';
    text += S::option_name(DecisionId(d), architecture[DecisionId(d)]);
  }
  return text;
}

/// Reads `plain_text` back. Throws `ParseError` with the position of the first wrong byte.
template <SearchSpace S>
[[nodiscard]] Architecture<S> parse_plain_text(std::string_view text) {
  Scanner scan(S::name, text);
  Architecture<S> architecture;
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const DecisionId decision(d);
    if (d != 0) scan.expect(",");
    const auto start = scan.position();
    OptionId best;
    std::size_t longest = 0;  // an option's name may begin another's: the longest match counts
    std::string names;
    for (std::size_t o = 0; o < S::option_count(decision); ++o) {
      const std::string_view name = S::option_name(decision, OptionId(o));
      names += (o == 0 ? "" : ", ") + std::string(name);
      if (name.size() > longest && text.substr(start).starts_with(name)) {
        longest = name.size();
        best = OptionId(o);
      }
    }
    if (longest == 0) scan.fail(fmt::format("one of {}", names));
    scan.expect(text.substr(start, longest));
    architecture.set(decision, best);
  }
  scan.expect_end();
  return architecture;
}

}  // namespace cleave
