#include <cleave/tabular/nasbench201_csv.hpp>
#include <cleave_test.hpp>
#include <set>

#include "part_of.hpp"
#include "synthetic_table.hpp"

using namespace cleave;
using namespace cleave::tabular;

namespace {

const std::string row0 =
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|"
    "skip_connect~2|";
const std::string row1 =
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|"
    "skip_connect~2|";

/// The message of reading a CSV of two rows, or "fine".
std::string read(const std::string& text) {
  try {
    (void)read_nasbench201_csv(text, "t.csv", 2);
  } catch (const DataError& error) {
    return error.what();
  }
  return "fine";
}

std::string with_cells(const std::string& first, const std::string& second) {
  return "index,arch,c10_test,c10_val_s2\n0," + row0 + "," + first + "\n1," + row1 + "," + second +
         "\n";
}

}  // namespace

TEST_CASE("names and numbers of columns are unique and read back") {
  std::set<std::string> names;
  std::set<std::size_t> numbers;
  for (std::size_t number = 0; number < column_count; ++number) {
    const auto column = column_of_number(number);
    numbers.insert(column_number(column));
    names.insert(column_name(column));
    REQUIRE(column_number(*column_of_name(column_name(column))) == column_number(column));
  }
  CHECK(names.size() == 34);
  CHECK(numbers.size() == 34);
  CHECK(column_name({DataSetName::ImageNet16, Metric::LatencyMs}) == "in16_gpu_lat_ms");
  CHECK(column_name({DataSetName::ImageNet16, Metric::TopologyClass}) == "topo_id");
  CHECK_FALSE(column_of_name("c10_topo_id").has_value());
  CHECK_FALSE(column_of_name("").has_value());
  CHECK_THROWS_AS(column_number({static_cast<DataSetName>(3), Metric::Macs}), ValueError);
  CHECK_THROWS_AS(column_of_number(column_count), ValueError);
}

TEST_CASE("a good CSV: any line ends, decimals of a column brought together") {
  const auto columns = read_nasbench201_csv(with_cells("85.8633,", "93.66,90.88"), "t.csv", 2);
  const auto& test = columns[column_number({DataSetName::Cifar10, Metric::TestAccuracy})];
  const auto& seed = columns[column_number({DataSetName::Cifar10, Metric::ValidationSeed2})];
  REQUIRE(test.has_value());
  REQUIRE(seed.has_value());
  CHECK(*test == DecimalColumn{4, {858633, 936600}});
  CHECK(*seed == DecimalColumn{2, {DecimalColumn::missing, 9088}});
  CHECK_FALSE(columns[column_number({DataSetName::Cifar100, Metric::TestAccuracy})].has_value());

  auto crlf = with_cells("1,2", "3,4");
  for (std::size_t at = 0; (at = crlf.find('\n', at)) != std::string::npos; at += 2)
    crlf.insert(at, 1, '\r');
  CHECK(read(crlf) == "fine");
  auto open_end = with_cells("1,2", "3,4");
  open_end.pop_back();
  CHECK(read(open_end) == "fine");
}

TEST_CASE("hostile headers are refused with their place") {
  CHECK(read("") == "t.csv:1:1: expected the header 'index,arch,...', found an empty file");
  CHECK(read("arch,index\n") ==
        "t.csv:1:1: expected the header 'index,arch,...', found "
        "'arch,index'");
  CHECK(read("index,arch\n") == "t.csv:1:11: expected a column behind index and arch");
  CHECK(read("index,archc10_test\n") == "t.csv:1:11: expected ','");
  check_part(read("index,arch,c10_tset\n"), "t.csv:1:12: unknown column 'c10_tset'");
  check_part(read("index,arch,c10_test,\n"), "t.csv:1:21: unknown column end of text");
  CHECK(read("index,arch,c10_test,c10_test\n") == "t.csv:1:21: column c10_test stands there twice");
}

TEST_CASE("hostile rows are refused with their place") {
  CHECK(read("index,arch,c10_test\n") == "t.csv:2:1: expected 2 rows, the file ends after 0");
  CHECK(read("index,arch,c10_test\n0," + row0 + ",1\n") ==
        "t.csv:3:1: expected 2 rows, the file ends after 1");
  CHECK(read(with_cells("1,2", "3,4") + "2,x\n") ==
        "t.csv:4:1: expected the end after 2 rows, found '2,x'");
  CHECK(read(with_cells("1", "3,4")) ==
        "t.csv:2:100: expected ',' after column c10_test, found the end of the line");
  CHECK(read(with_cells("1,2,3", "3,4")) ==
        "t.csv:2:102: expected the end of the line after column c10_val_s2");
  CHECK(read("index,arch,c10_test\n7," + row0 + ",1\n") ==
        "t.csv:2:1: expected index 0, found '7'");
  CHECK(read("index,arch,c10_test\n0\n") ==
        "t.csv:2:2: expected ',' after column index, found the end of the line");
  // The architecture of row 0 once more.
  CHECK(read("index,arch,c10_test\n0," + row0 + ",1\n1," + row0 + ",1\n") ==
        "t.csv:3:3: this row must be " + row1 + ", found the architecture of row 0");
  check_part(read("index,arch,c10_test\n0,|avg_pool_5x5~0|,1\n"),
             "t.csv:2:3: NAS-Bench-201 arch string: at byte 1: expected an operation");
}

TEST_CASE("hostile numbers are refused with their place") {
  const auto cell = [](const std::string& text) { return read(with_cells(text + ",", "3,4")); };
  CHECK(cell("") == "t.csv:2:99: column c10_test is empty; only seeds may be");
  for (const std::string text : {"-1", "+1", "1e3", "nan", "inf", " 1", "1 ", "0x10", "1.2.3", ".5",
                                 "5.", ".", "1;2", "\"1\""})
    check_part(cell(text), "column c10_test: expected a decimal number, found");
  CHECK(cell(std::string("1\0", 2)) ==
        "t.csv:2:100: column c10_test: expected a decimal number, found '\\x00'");
  check_part(cell("99999999999999999999999"),
             "t.csv:2:99: column c10_test: "
             "'99999999999999999999'... has too many");
  check_part(cell("4294967295"), "too many digits");
  check_part(cell("0.0000000001"), "too many digits");
  CHECK(cell("100.0001") == "t.csv:2:99: column c10_test: accuracy 100.0001, allowed 0 to 100");
  CHECK(cell("100.0000") == "fine");
  CHECK(cell("0") == "fine");
  // Fine alone, too large with the other row's nine decimals.
  check_part(read(with_cells("99,1", "0.000000001,1")),
             "t.csv:2:1: column c10_test: too "
             "large to be kept");
}

TEST_CASE("every cut-off prefix of a CSV is refused, none crashes") {
  const auto whole = with_cells("85.8633,81.1", "93.66,90.88");
  for (std::size_t length = 0; length + 7 < whole.size(); ++length)
    REQUIRE(read(whole.substr(0, length)) != "fine");
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto changed = whole;
    changed[at] = '\0';
    // NUL never passes: not in the header, the architectures, the numbers or between them.
    REQUIRE(read(changed) != "fine");
  }
}

TEST_CASE("a CSV cannot ask for more rows than the space has") {
  CHECK_THROWS_AS(read_nasbench201_csv("", "t.csv", 15626), ValueError);
}
