#pragma once

#include <algorithm>
#include <cleave/space/genotype.hpp>
#include <cstddef>
#include <utility>
#include <vector>

namespace cleave {

/// `count` different genotypes of the restriction, drawn like `sample`; all of them, in random
/// order, when it holds no more.
///
/// Up to 65,536 architectures are enumerated and drawn from without replacement; those that are no
/// networks (`is_network`) are left out, as `sample` leaves them out. Larger restrictions, and genotypes that say
/// more than one option per decision, are drawn one by one: after 64 draws for each one wanted the
/// restriction counts as exhausted (of exactly 200 genotypes one is then missed with probability
/// e^-58). Throws what `sample` throws; cost: the enumeration, or count^2 comparisons.
template <SearchSpace S>
[[nodiscard]] std::vector<Genotype<S>> distinct_samples(const Restriction<S>& restriction,
                                                        std::size_t count, Stream& stream) {
  constexpr Count few = 65536;
  constexpr std::size_t draws_per_sample = 64;
  std::vector<Genotype<S>> found;
  if constexpr (std::same_as<Genotype<S>, Architecture<S>>) {
    if (restriction.count() <= few) {
      for (Count i = 0; i < restriction.count(); ++i) {
        auto architecture = restriction.at(i);
        if (is_network<S>(architecture)) found.push_back(std::move(architecture));
      }
      if (found.empty()) (void)sample<S>(restriction, stream);  // throws the space's sentence
      stream.shuffle(found);
      if (found.size() > count)
        found.erase(found.begin() + static_cast<std::ptrdiff_t>(count), found.end());
      return found;
    }
  }
  for (std::size_t draw = 0; draw < draws_per_sample * count && found.size() < count; ++draw) {
    auto genotype = sample<S>(restriction, stream);
    if (std::find(found.begin(), found.end(), genotype) == found.end())
      found.push_back(std::move(genotype));
  }
  return found;
}

}  // namespace cleave
