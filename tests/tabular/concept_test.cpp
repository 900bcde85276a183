#include <cleave/space/toy.hpp>
#include <cleave/testing/tabular_laws.hpp>
#include <cleave_test.hpp>
#include <limits>

using namespace cleave;

namespace {

/// A user's benchmark: the toy space with invented accuracies and one column.
struct ToyTable {
  using Space = space::Toy;
  enum class Column { Accuracy, Latency };

  std::size_t size() const { return static_cast<std::size_t>(Restriction<Space>{}.count()); }
  Architecture<Space> architecture(std::size_t row) const { return Restriction<Space>{}.at(row); }
  std::size_t row_of(const Architecture<Space>& architecture) const {
    return static_cast<std::size_t>(Restriction<Space>{}.index_of(architecture)) + shift;
  }
  bool has(Column column) const { return column == Column::Accuracy; }
  double value(std::size_t row, Column column) const {
    if (row >= size() || !(has(column) || lenient)) throw ValueError("toy table: not there");
    return row == 7 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(row) / 2;
  }
  double value(const Architecture<Space>& architecture, Column column) const {
    return value(row_of(architecture), column);
  }
  std::vector<double> column(Column column) const {
    std::vector<double> values;
    for (std::size_t row = 0; row < size(); ++row) values.push_back(value(row, column));
    if (wrong_column) values[3] += 1;
    return values;
  }

  std::size_t shift = 0;
  bool lenient = false;
  bool wrong_column = false;
};
static_assert(TabularBenchmark<ToyTable>);

struct WithoutSpace : ToyTable {
  using Space = int;
};
static_assert(!CoversSpace<WithoutSpace> && !TabularBenchmark<WithoutSpace>);

struct AnswersText : ToyTable {
  std::string architecture(std::size_t) const { return "red"; }
};
static_assert(!NumbersRows<AnswersText> && AnswersQueries<AnswersText>);

struct ChangesWhenAsked : ToyTable {
  bool has(Column) { return true; }
};
static_assert(NumbersRows<ChangesWhenAsked> && !AnswersQueries<ChangesWhenAsked>);

std::vector<std::string> broken(const ToyTable& table) {
  return testing::check_tabular_benchmark(table, ToyTable::Column::Accuracy,
                                          ToyTable::Column::Latency);
}

}  // namespace

TEST_CASE("the laws of a tabular benchmark hold for a good one and name what is broken") {
  CHECK(broken({}).empty());
  CHECK(broken({.shift = 1}).at(0) == "row_of(architecture(0)) is 1");
  CHECK(broken({.lenient = true}) ==
        std::vector<std::string>{"value() of an absent column does not throw ValueError",
                                 "column() of an absent column does not throw ValueError"});
  CHECK(broken({.wrong_column = true}) ==
        std::vector<std::string>{"row 3: value() and column() differ"});
  CHECK(testing::check_tabular_benchmark(ToyTable{}, ToyTable::Column::Latency,
                                         ToyTable::Column::Latency)
            .at(0) == "has() is false for the column said to be present");
}
