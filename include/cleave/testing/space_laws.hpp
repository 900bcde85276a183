#pragma once

#include <cctype>
#include <cleave/space/genotype.hpp>
#include <cleave/split/split.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::testing {

/// How hard `check_space` tries.
struct SpaceLaws {
  std::size_t trials = 50;  ///< random restrictions, each with an architecture and a genotype
  std::uint64_t seed = 0;
};

/// A random non-empty option set for every decision.
template <SearchSpace S>
[[nodiscard]] Restriction<S> random_restriction(Stream& stream) {
  Restriction<S> result;
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const DecisionId decision(d);
    const std::uint64_t subsets = std::uint64_t{1} << S::option_count(decision);
    const auto mask = static_cast<std::uint32_t>(1 + stream.below(subsets - 1));
    result = result.with(decision, OptionSet::from_mask(mask));
  }
  return result;
}

namespace detail {

/// Names are written between ", ", ": " and " (" in trees, and between ',' in plain text.
inline bool usable_name(std::string_view name) {
  if (name.empty() || name.front() == ' ' || name.back() == ' ') return false;
  for (const char c : name)
    if (std::isprint(static_cast<unsigned char>(c)) == 0 || c == ',') return false;
  return true;
}

template <SearchSpace S>
void check_space_names(std::vector<std::string>& broken) {
  std::set<std::string> decisions;
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const DecisionId decision(d);
    const std::size_t count = S::option_count(decision);
    const auto called = decision_name<S>(decision);
    if (!usable_name(called) || !decisions.insert(called).second)
      broken.push_back(fmt::format("decision {}: the name '{}' is taken or unusable", d, called));
    if (count < 1 || count > OptionSet::capacity)
      broken.push_back(fmt::format("{}: {} options, 1 to {} allowed", called, count,
                                   OptionSet::capacity));
    std::set<std::string> options;
    for (std::size_t o = 0; o < count; ++o) {
      const std::string option(S::option_name(decision, OptionId(o)));
      if (!usable_name(option) || !options.insert(option).second)
        broken.push_back(fmt::format("{}, option {}: the name '{}' is taken or unusable", called, o,
                                     option));
    }
  }
}

}  // namespace detail

/// The laws of a search space, as a user's own test can check them. Returns the broken ones as
/// sentences; empty means that all hold.
///   1. Decisions have distinct names, options of one decision too, and 1 to 32 options each.
///   2. An architecture's text and number lead back to it.
///   3. A genotype's text leads back to it.
///   4. A sampled architecture or genotype lies in the restriction it was sampled from. A space may
///      refuse a restriction it can sample nothing from with `ValueError`.
///   5. So does the genotype derived from any weights.
///   6. Restrictions made by splitting one are disjoint and count up to it.
template <SearchSpace S>
[[nodiscard]] std::vector<std::string> check_space(const SpaceLaws& laws = {}) {
  std::vector<std::string> broken;
  detail::check_space_names<S>(broken);
  if (!broken.empty()) return broken;
  const auto require = [&broken](bool holds, std::string_view law, const std::string& where) {
    if (!holds) broken.push_back(fmt::format("{}: {}", law, where));
  };
  Stream stream = Stream(laws.seed).fork("space laws");
  for (std::size_t trial = 0; trial < laws.trials; ++trial) {
    const auto restriction = trial == 0 ? Restriction<S>() : random_restriction<S>(stream);
    const auto architecture = restriction.sample(stream);
    const auto shown = plain_text<S>(architecture);
    require(parse_plain_text<S>(shown) == architecture, "plain text does not lead back", shown);
    require(restriction.contains(architecture), "an architecture lies outside", shown);
    require(Restriction<S>().contains(restriction), "a restriction exceeds the space", shown);
    require(restriction.at(restriction.index_of(architecture)) == architecture,
            "the number does not lead back", shown);
    require(Restriction<S>(architecture).count() == 1, "one architecture is not alone", shown);

    const DecisionId decision(stream.below(S::decision_count));
    Split split{decision, {}};
    for (const auto option : restriction[decision]) split.groups.push_back(OptionSet{option});
    Count sum = 0;
    std::size_t holders = 0;
    for (const auto& child : children<S>(restriction, split)) {
      sum += child.count();
      holders += child.contains(architecture) ? 1U : 0U;
    }
    require(sum == restriction.count() && holders == 1, "children do not cover once", shown);

    std::vector<double> weights(S::decision_count * max_options<S>);
    for (auto& weight : weights) weight = stream.uniform();
    try {
      for (const auto& genotype : {cleave::sample<S>(restriction, stream),
                                   derive<S>(weights, restriction)}) {
        const auto text = to_text<S>(genotype);
        require(allows<S>(restriction, genotype), "a genotype lies outside", text);
        require(parse<S>(text) == genotype, "text does not lead back", text);
      }
    } catch (const ValueError&) {
      // The whole space must give something; a narrower restriction may hold no genotype.
      require(trial != 0, "the whole space yields no genotype", std::string(S::name));
    }
  }
  return broken;
}

}  // namespace cleave::testing
