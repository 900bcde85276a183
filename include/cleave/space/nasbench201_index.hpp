#pragma once

#include <array>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/nasbench201_rows.hpp>
#include <cstdint>

namespace cleave::space {

inline constexpr std::size_t nasbench201_size = 15625;

/// The architecture of a row of the benchmark's tables, 0 <= index < 15,625. O(1).
/// Throws `ValueError` when out of range.
[[nodiscard]] constexpr Architecture<NasBench201> from_official_index(std::size_t index) {
  if (index >= nasbench201_size)
    throw ValueError(
        fmt::format("nasbench201: index {}, allowed 0 to {}", index, nasbench201_size - 1));
  constexpr std::size_t options = NasBench201::operations.size();
  Architecture<NasBench201> architecture;
  for (std::size_t pair = 0; pair < 3; ++pair) {
    const auto code = static_cast<std::size_t>(detail::nasbench201_rows[3 * index + pair] - 'A');
    architecture.set(DecisionId(2 * pair), OptionId(code / options));
    architecture.set(DecisionId(2 * pair + 1), OptionId(code % options));
  }
  return architecture;
}

/// The lexicographic number of an architecture, edge 0 the most significant base-5 digit: its
/// place in `Restriction<NasBench201>{}.at(i)`.
[[nodiscard]] constexpr std::size_t lexicographic_index(
    const Architecture<NasBench201>& architecture) {
  std::size_t index = 0;
  for (const auto option : architecture.options())
    index = NasBench201::operations.size() * index + option.index();
  return index;
}

namespace detail {
/// Row of each lexicographic number. Not constexpr on purpose: a compiler would try to fill the
/// table at compile time, which costs every reader of this header three seconds.
[[nodiscard]] inline std::array<std::uint16_t, nasbench201_size> rows_by_lexicographic_index() {
  std::array<std::uint16_t, nasbench201_size> table{};
  for (std::size_t row = 0; row < nasbench201_size; ++row)
    table[lexicographic_index(from_official_index(row))] = static_cast<std::uint16_t>(row);
  return table;
}
}  // namespace detail

/// The row of an architecture in the benchmark's tables; inverse of `from_official_index`.
/// The first call builds a table of 31 kB, later ones look it up.
[[nodiscard]] inline std::size_t official_index(const Architecture<NasBench201>& architecture) {
  static const auto rows = detail::rows_by_lexicographic_index();
  return rows[lexicographic_index(architecture)];
}

static_assert(detail::nasbench201_rows.size() == 3 * nasbench201_size);

}  // namespace cleave::space
