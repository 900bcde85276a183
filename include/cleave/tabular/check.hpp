#pragma once

#include <cleave/tabular/concept.hpp>

namespace cleave::tabular {

/// Compiles for a `TabularBenchmark`, and says in one sentence what another type lacks. Hosts call
/// it first in their bodies: `static_assert(is_tabular_benchmark<B>());`.
template <class B>
[[nodiscard]] consteval bool is_tabular_benchmark() {
  static_assert(CoversSpace<B>,
                "a tabular benchmark needs `using Space = ...`, a SearchSpace "
                "(docs/policies.md, Tabular benchmarks)");
  if constexpr (CoversSpace<B>) {
    static_assert(NumbersRows<B>,
                  "a tabular benchmark needs const `size()`, `Architecture<Space> "
                  "architecture(std::size_t row)` and `row_of(architecture)` "
                  "(docs/policies.md, Tabular benchmarks)");
    static_assert(
        AnswersQueries<B>,
        "a tabular benchmark needs `Column` and const `has(column)`, `value(row, column)`, "
        "`value(architecture, column)`, `std::vector<double> column(column)` "
        "(docs/policies.md, Tabular benchmarks)");
  }
  return TabularBenchmark<B>;
}

}  // namespace cleave::tabular
