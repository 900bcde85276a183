// expect: a tabular benchmark needs `using Space = ...`, a SearchSpace
// needs: core
#include <cleave/space/toy.hpp>
#include <cleave/tabular/check.hpp>

struct Table {
  std::size_t size() const;
  cleave::Architecture<cleave::space::Toy> architecture(std::size_t) const;
  std::size_t row_of(const cleave::Architecture<cleave::space::Toy>&) const;
  enum class Column { Accuracy };
  bool has(Column) const;
  double value(std::size_t, Column) const;
  std::vector<double> column(Column) const;
  double value(const cleave::Architecture<cleave::space::Toy>&, Column) const;
};

static_assert(cleave::tabular::is_tabular_benchmark<Table>());

int main() {}
