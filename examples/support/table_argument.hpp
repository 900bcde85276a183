#pragma once

#include <cleave/tabular/nasbench201_table.hpp>
#include <string>

namespace example {

/// The NAS-Bench-201 table that `--table` names: a CSV by its ending, else the binary form. Throws
/// what the readers throw.
[[nodiscard]] inline cleave::tabular::NasBench201Table load_table(const std::string& path) {
  using Table = cleave::tabular::NasBench201Table;
  return path.ends_with(".csv") ? Table::read_csv(path) : Table::open(path);
}

}  // namespace example
