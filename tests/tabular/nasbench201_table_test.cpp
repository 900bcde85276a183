#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave/testing/tabular_laws.hpp>
#include <cleave_test.hpp>
#include <fstream>

#include "part_of.hpp"
#include "synthetic_table.hpp"

using namespace cleave;
using namespace cleave::tabular;

namespace {

constexpr NasBench201Column c10_test{DataSetName::Cifar10, Metric::TestAccuracy};
constexpr NasBench201Column c10_seed2{DataSetName::Cifar10, Metric::ValidationSeed2};
constexpr NasBench201Column in16_val{DataSetName::ImageNet16, Metric::ValidationAccuracy};

NasBench201Columns synthetic_columns() {
  return read_nasbench201_csv(synthetic_csv(space::nasbench201_size, Stream(3)), "synthetic");
}

std::string open_message(std::vector<std::byte> bytes) {
  try {
    (void)NasBench201Table::from_bytes(std::move(bytes), "t.bin");
  } catch (const DataError& error) {
    return error.what();
  }
  return "fine";
}

void put(std::vector<std::byte>& bytes, std::size_t at, std::uint64_t value, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    bytes[at + i] = static_cast<std::byte>((value >> (8 * i)) & 0xffU);
}

/// Makes the checksum right again, so that what lies behind it is tested.
std::vector<std::byte> sealed(std::vector<std::byte> bytes) {
  put(bytes, NasBench201Binary::crc_at, NasBench201Binary::checksum(bytes), 4);
  return bytes;
}

}  // namespace

TEST_CASE("CSV, binary in memory and mapped file give the same numbers") {
  const auto directory = std::filesystem::temp_directory_path() / "cleave_nasbench201_table_test";
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "t.csv") << synthetic_csv(space::nasbench201_size, Stream(3));
  const auto columns = synthetic_columns();
  const auto from_csv = NasBench201Table::read_csv(directory / "t.csv");
  from_csv.write(directory / "t.bin");
  CHECK_FALSE(std::filesystem::exists(directory / "t.bin.new"));
  const auto mapped = NasBench201Table::open(directory / "t.bin");
  std::filesystem::remove_all(directory);  // the mapping outlives the name
  CHECK(std::equal(mapped.bytes().begin(), mapped.bytes().end(), from_csv.bytes().begin(),
                   from_csv.bytes().end()));
  for (std::size_t number = 0; number < column_count; ++number) {
    if (!columns[number]) continue;
    const auto column = column_of_number(number);
    REQUIRE(mapped.is_stored(column));
    for (std::size_t row = 0; row < mapped.size(); ++row) {
      const auto stored = columns[number]->values[row];
      const auto value = mapped.value(row, column);
      if (stored == DecimalColumn::missing)
        REQUIRE(std::isnan(value));
      else
        REQUIRE(value == stored / DecimalColumn::powers[columns[number]->decimals]);
    }
  }
  CHECK_THROWS_AS(from_csv.write(directory / "no_such_folder" / "t.bin"), IoError);
  CHECK_THROWS_AS(NasBench201Table::open(directory / "t.bin"), IoError);
  CHECK_THROWS_AS(NasBench201Table::read_csv(directory / "t.csv"), IoError);
}

TEST_CASE("the table keeps the laws of a tabular benchmark") {
  const auto table = NasBench201Table::from_columns(synthetic_columns());
  CHECK(testing::check_tabular_benchmark(table, c10_test, in16_val).empty());
  CHECK(testing::check_tabular_benchmark(table, c10_seed2, in16_val).empty());
}

TEST_CASE("absent columns say what the table has; params and MACs are always there") {
  const auto table = NasBench201Table::from_columns(synthetic_columns());
  CHECK_FALSE(table.has(in16_val));
  try {
    (void)table.value(0, in16_val);
    FAIL("no error");
  } catch (const ValueError& error) {
    CHECK(std::string(error.what()) ==
          "nasbench201 table: no column in16_val; the file it was made from has c10_test, "
          "c10_val_s2, topo_id, c100_train_s, in16_params");
  }
  const NasBench201Column params{DataSetName::ImageNet16, Metric::Parameters};
  const NasBench201Column macs{DataSetName::ImageNet16, Metric::Macs};
  CHECK(table.is_stored(params));
  CHECK(table.has(macs));
  CHECK_FALSE(table.is_stored(macs));
  const auto empty = NasBench201Table::from_columns({});
  CHECK(empty.column(params) == table.column(params));
  CHECK_FALSE(empty.has(c10_test));
  // Row 0 as printed by the benchmark.
  CHECK(empty.value(0, params) == 136456);
  CHECK(empty.value(0, macs) == 3919480);
  CHECK(empty.value(0, {DataSetName::Cifar10, Metric::Macs}) == 15647370);
  CHECK(empty.value(0, {DataSetName::Cifar100, Metric::Parameters}) == 135156);
  // The topology class does not depend on the data set.
  CHECK(table.value(5, {DataSetName::ImageNet16, Metric::TopologyClass}) ==
        table.value(5, {DataSetName::Cifar10, Metric::TopologyClass}));
  CHECK_THROWS_AS(table.value(15625, c10_test), ValueError);
  CHECK_THROWS_AS(shape_of(static_cast<DataSetName>(3)), ValueError);
}

TEST_CASE("columns of the wrong length are not encoded") {
  NasBench201Columns columns;
  columns[0] = DecimalColumn{2, {1, 2, 3}};
  CHECK_THROWS_AS(NasBench201Binary::encode(columns), ValueError);
  columns[0] = DecimalColumn{10, std::vector<std::uint32_t>(space::nasbench201_size)};
  CHECK_THROWS_AS(NasBench201Binary::encode(columns), ValueError);
}

TEST_CASE("a damaged binary table never opens") {
  const auto good = NasBench201Binary::encode(synthetic_columns());
  REQUIRE(open_message(good) == "fine");
  Stream stream(4);
  for (int trial = 0; trial < 400; ++trial) {
    auto bytes = good;
    const auto bit = trial < 200 ? stream.below(8 * 200) : stream.below(8 * bytes.size());
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    INFO("bit " << bit);
    REQUIRE(open_message(bytes) != "fine");
  }
  for (std::size_t length = 0; length < 300; ++length)
    REQUIRE(open_message({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)}) !=
            "fine");
  auto longer = good;
  longer.push_back(std::byte{0});
  check_part(open_message(longer), "t.bin: at byte 16: the table has");
}

TEST_CASE("a forged binary table is refused even with the right checksum") {
  const auto good = NasBench201Binary::encode(synthetic_columns());
  const auto forge = [&](std::size_t at, std::uint64_t value, std::size_t count) {
    auto bytes = good;
    put(bytes, at, value, count);
    return open_message(sealed(bytes));
  };
  constexpr std::size_t entry = NasBench201Binary::header_bytes;
  check_part(forge(0, 0x20202020, 4), "at byte 0: not a NAS-Bench-201 table");
  CHECK(forge(8, 2, 4) == "t.bin: at byte 8: version 2, this library reads 1");
  CHECK(forge(24, 15624, 4) == "t.bin: at byte 24: 15624 rows, must be 15625");
  CHECK(forge(12, 0xffffffff, 4) == "t.bin: at byte 12: 4294967295 columns, at most 36 allowed");
  check_part(forge(12, 4, 4), "offset");
  CHECK(forge(entry, 36, 4) == "t.bin: at byte 32: unknown column 36");
  CHECK(forge(entry, 23, 4) == "t.bin: at byte 32: unknown column 23");  // topo_id of CIFAR-100
  check_part(forge(entry + 24, 0, 4), "column 0 stands there twice");
  check_part(forge(entry + 8, 0xffffffff, 4), "4294967295 dictionary entries");
  check_part(forge(entry + 12, 0, 1), "0 bits a value, allowed 1 to 32");
  check_part(forge(entry + 12, 33, 1), "33 bits a value");
  check_part(forge(entry + 12, 32, 1), "offset");
  check_part(forge(entry + 13, 10, 1), "10 decimals, at most 9");
  check_part(forge(entry + 14, 2, 1), "unknown flags");
  check_part(forge(entry + 15, 1, 1), "unknown flags");
  check_part(forge(entry + 16, ~std::uint64_t{0}, 8), "offset 18446744073709551615");
  // The last column claims wider codes than there are bytes.
  check_part(forge(entry + 4 * 24 + 12, 32, 1), "leaves the file");
  // Its dictionary of 28 loses an entry: 27 * 4 bytes and the codes no longer fill the file.
  check_part(forge(entry + 4 * 24 + 8, 27, 4), "dictionary entry");
}
