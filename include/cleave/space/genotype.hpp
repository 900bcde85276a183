#pragma once

#include <cleave/space/restriction.hpp>
#include <cmath>
#include <concepts>
#include <span>
#include <string>
#include <string_view>

namespace cleave {

/// What a search returns and other tools read. For most spaces it is an Architecture; the DARTS
/// space keeps two incoming edges per node, so it declares a `Genotype` of its own.
namespace detail {
template <class S>
struct GenotypeOf {
  using type = Architecture<S>;
};
template <class S>
  requires requires { typename S::Genotype; }
struct GenotypeOf<S> {
  using type = typename S::Genotype;
};
}  // namespace detail

template <SearchSpace S>
using Genotype = typename detail::GenotypeOf<S>::type;

/// The text other tools read: `S::to_text` where the space has one, else `plain_text`.
template <SearchSpace S>
[[nodiscard]] std::string to_text(const Genotype<S>& genotype) {
  if constexpr (requires { { S::to_text(genotype) } -> std::convertible_to<std::string>; })
    return S::to_text(genotype);
  else
    return plain_text<S>(genotype);
}

/// Reads `to_text` back. Throws `ParseError` with position, expected and found.
template <SearchSpace S>
[[nodiscard]] Genotype<S> parse(std::string_view text) {
  if constexpr (requires { { S::parse(text) } -> std::convertible_to<Genotype<S>>; })
    return S::parse(text);
  else
    return parse_plain_text<S>(text);
}

/// True when the genotype uses allowed options only.
template <SearchSpace S>
[[nodiscard]] bool allows(const Restriction<S>& restriction, const Genotype<S>& genotype) {
  if constexpr (requires { { S::allows(restriction, genotype) } -> std::same_as<bool>; })
    return S::allows(restriction, genotype);
  else
    return restriction.contains(genotype);
}

/// The genotype a table of option weights stands for. `weights`: [decision_count, max_options],
/// row-major; entries of options outside the restriction are ignored. Default: the heaviest
/// option of every decision, the lower id on a tie. NaN is never the largest; a decision with
/// nothing but NaN, like a table of another size, throws `ValueError`.
template <SearchSpace S>
[[nodiscard]] Genotype<S> derive(std::span<const double> weights, const Restriction<S>& allowed) {
  if (weights.size() != S::decision_count * max_options<S>)
    throw ValueError(fmt::format("{}: {} option weights, {} needed", S::name, weights.size(),
                                 S::decision_count * max_options<S>));
  if constexpr (requires { { S::derive(weights, allowed) } -> std::same_as<Genotype<S>>; }) {
    return S::derive(weights, allowed);
  } else {
    Architecture<S> result;
    for (std::size_t d = 0; d < S::decision_count; ++d) {
      const DecisionId decision(d);
      OptionId best = allowed[decision].nth(0);
      const auto row = weights.subspan(d * max_options<S>, max_options<S>);
      for (const auto option : allowed[decision])
        if (row[option.index()] > row[best.index()] || std::isnan(row[best.index()]))
          best = option;
      if (std::isnan(row[best.index()]))
        throw ValueError(fmt::format("{}: every weight of {} is NaN", S::name,
                                     decision_name<S>(decision)));
      result.set(decision, best);
    }
    return result;
  }
}

/// False for a genotype that is no network, because nothing of its input reaches its output. A space
/// that has such says so by a function `is_connected(genotype)` beside it.
template <SearchSpace S>
[[nodiscard]] bool is_network(const Genotype<S>& genotype) {
  if constexpr (requires { { is_connected(genotype) } -> std::same_as<bool>; })
    return is_connected(genotype);
  else
    return true;
}

/// A uniformly drawn genotype inside the restriction; spaces that must stay connected or keep
/// two edges per node define `S::sample(restriction, stream)`.
template <SearchSpace S>
[[nodiscard]] Genotype<S> sample(const Restriction<S>& restriction, Stream& stream) {
  if constexpr (requires { { S::sample(restriction, stream) } -> std::same_as<Genotype<S>>; })
    return S::sample(restriction, stream);
  else
    return restriction.sample(stream);
}

}  // namespace cleave
