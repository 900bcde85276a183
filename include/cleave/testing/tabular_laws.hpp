#pragma once

#include <cleave/core/error.hpp>
#include <cleave/tabular/concept.hpp>
#include <cmath>
#include <string>
#include <vector>

namespace cleave::testing {

/// The laws of `TabularBenchmark` on a benchmark and one column it has and one it lacks (pass the
/// same twice when it lacks none). Returns the broken laws as sentences; empty when all hold.
template <TabularBenchmark B>
[[nodiscard]] std::vector<std::string> check_tabular_benchmark(const B& benchmark,
                                                               const typename B::Column& present,
                                                               const typename B::Column& absent) {
  std::vector<std::string> broken;
  const auto refuses = [](auto&& call) {
    try {
      call();
    } catch (const ValueError&) {
      return true;
    }
    return false;
  };
  if (!benchmark.has(present)) return {"has() is false for the column said to be present"};
  const auto column = benchmark.column(present);
  if (column.size() != benchmark.size())
    return {fmt::format("column() has {} values, size() is {}", column.size(), benchmark.size())};
  const auto equal = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (std::size_t row = 0; row < benchmark.size() && broken.empty(); ++row) {
    const auto architecture = benchmark.architecture(row);
    if (benchmark.row_of(architecture) != row)
      broken.push_back(
          fmt::format("row_of(architecture({})) is {}", row, benchmark.row_of(architecture)));
    if (!equal(benchmark.value(row, present), column[row]) ||
        !equal(benchmark.value(architecture, present), column[row]))
      broken.push_back(fmt::format("row {}: value() and column() differ", row));
  }
  if (!refuses([&] { (void)benchmark.value(benchmark.size(), present); }))
    broken.emplace_back("value() of a row out of range does not throw ValueError");
  if (!refuses([&] { (void)benchmark.architecture(benchmark.size()); }))
    broken.emplace_back("architecture() of a row out of range does not throw ValueError");
  if (!benchmark.has(absent) && !refuses([&] { (void)benchmark.value(0, absent); }))
    broken.emplace_back("value() of an absent column does not throw ValueError");
  if (!benchmark.has(absent) && !refuses([&] { (void)benchmark.column(absent); }))
    broken.emplace_back("column() of an absent column does not throw ValueError");
  return broken;
}

}  // namespace cleave::testing
