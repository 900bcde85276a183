#pragma once

#include <cleave/space/architecture.hpp>
#include <concepts>
#include <cstddef>
#include <vector>

namespace cleave {

/// Atom: the benchmark says which search space its rows belong to.
template <class B>
concept CoversSpace = requires {
  typename B::Space;
  requires SearchSpace<typename B::Space>;
};

/// Atom: rows and architectures map to each other.
template <class B>
concept NumbersRows = CoversSpace<B> &&
    requires(const B& benchmark, const Architecture<typename B::Space>& architecture,
             std::size_t row) {
  { benchmark.size() } -> std::convertible_to<std::size_t>;
  { benchmark.architecture(row) } -> std::same_as<Architecture<typename B::Space>>;
  { benchmark.row_of(architecture) } -> std::convertible_to<std::size_t>;
};

/// Atom: columns are named by a type of the benchmark's own and read as numbers.
template <class B>
concept AnswersQueries = CoversSpace<B> &&
    requires(const B& benchmark, const Architecture<typename B::Space>& architecture,
             std::size_t row, const typename B::Column& column) {
  { benchmark.has(column) } -> std::same_as<bool>;
  { benchmark.value(row, column) } -> std::convertible_to<double>;
  { benchmark.value(architecture, column) } -> std::convertible_to<double>;
  { benchmark.column(column) } -> std::same_as<std::vector<double>>;
};

/// A tabular benchmark: a search space in which every architecture of the table was trained, so
/// that a search can be judged by looking its result up. It is an *oracle* where test accuracy is
/// read: select by validation, look test accuracy up once, at the end.
///
/// Requirements, on a const object:
///   1. `B::Space`, a `SearchSpace`                                            (`CoversSpace`).
///   2. `size()`; `architecture(row)` for row < size(); `row_of(architecture)`  (`NumbersRows`).
///   3. `B::Column`; `has(column)`; `value(row, column)`, `value(architecture, column)`;
///      `column(column)`, the values of all rows in row order               (`AnswersQueries`).
/// Laws (checked by `testing::check_tabular_benchmark`, testing/tabular_laws.hpp):
///   1. `row_of(architecture(row)) == row` for every row.
///   2. Both `value`s and `column` agree; NaN says that this row was not measured.
///   3. A row out of range and a column for which `has` is false throw `ValueError`.
///
/// Accepted: a struct with these members over `space::Toy`. Rejected: one whose `architecture`
/// returns a text, or that has no `Space`.
/// Models: tabular::NasBench201Table.
template <class B>
concept TabularBenchmark = NumbersRows<B> && AnswersQueries<B>;

}  // namespace cleave
