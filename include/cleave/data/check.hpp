#pragma once

#include <cleave/data/concept.hpp>

namespace cleave::data {

/// For hosts with an unconstrained data argument: says in a sentence which requirement a type
/// misses, instead of a list of failed substitutions. Always true when it compiles.
///
///     template <class D> void run(const D& data) { static_assert(data::is_data_set<D>()); }
template <class D>
[[nodiscard]] consteval bool is_data_set() {
  static_assert(DescribesImages<D>,
                "a data set needs const members `name()`, `classes()` and `shape()`, the last one "
                "an ImageShape (docs/policies.md, Data sets)");
  static_assert(HasLabels<D>,
                "a data set needs `std::span<const std::int64_t> labels(Part) const` "
                "(docs/policies.md, Data sets)");
  static_assert(GivesBatches<D>,
                "a data set needs `Batch batch(Part, std::span<const std::int64_t> indices, bool "
                "augment, Stream) const` (docs/policies.md, Data sets)");
  return true;
}

}  // namespace cleave::data
