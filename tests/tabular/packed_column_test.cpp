#include <cleave/core/crc32c.hpp>
#include <cleave/core/random.hpp>
#include <cleave/core/mapped_file.hpp>
#include <cleave/tabular/packed_column.hpp>
#include <cleave_test.hpp>
#include <fstream>
#include <string_view>

using namespace cleave;
using namespace cleave::tabular;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

/// One bit at a time, straight from the definition.
std::uint32_t slow_crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const auto byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

void require_round_trip(const DecimalColumn& column) {
  const auto plan = plan_packing(column);
  std::vector<std::byte> bytes;
  append_packed(bytes, column, plan);
  REQUIRE(bytes.size() == plan.layout.bytes(column.values.size()));
  append_little(bytes, 0, PackedColumn::padding);
  const PackedColumn packed(plan.layout, bytes);
  REQUIRE(packed.codes_are_valid(column.values.size()));
  for (std::size_t row = 0; row < column.values.size(); ++row)
    REQUIRE(packed.number(row) == column.values[row]);
}

}  // namespace

TEST_CASE("CRC-32C: published values, slices, continuation, every single bit") {
  CHECK(crc32c(bytes_of("")) == 0);
  CHECK(crc32c(bytes_of("123456789")) == 0xe3069283U);
  CHECK(crc32c(std::vector<std::byte>(32)) == 0x8a9136aaU);                   // RFC 3720 B.4
  CHECK(crc32c(std::vector<std::byte>(32, std::byte{0xff})) == 0x62a8ab43U);  // RFC 3720 B.4
  Stream stream(1);
  for (std::size_t length = 0; length < 70; ++length) {
    std::vector<std::byte> bytes(length);
    for (auto& byte : bytes) byte = static_cast<std::byte>(stream.below(256));
    const auto crc = crc32c(bytes);
    REQUIRE(crc == slow_crc32c(bytes));
    const std::span<const std::byte> all(bytes);
    for (std::size_t cut = 0; cut <= length; ++cut)
      REQUIRE(crc32c(all.subspan(cut), crc32c(all.first(cut))) == crc);
    for (std::size_t bit = 0; bit < 8 * length; ++bit) {
      bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
      REQUIRE(crc32c(bytes) != crc);
      bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    }
  }
}

TEST_CASE("packed columns hold any 32-bit numbers and gaps exactly") {
  Stream stream(2);
  for (int trial = 0; trial < 600; ++trial) {
    DecimalColumn column{.decimals = static_cast<unsigned>(stream.below(10))};
    const std::size_t rows = 1 + stream.below(200);
    const auto range = 1 + (stream() >> (32 + stream.below(32)));
    const auto base = stream.below(std::uint64_t{DecimalColumn::missing} - range + 1);
    const bool gaps = stream.below(2) == 0;
    for (std::size_t row = 0; row < rows; ++row)
      column.values.push_back(gaps && stream.below(4) == 0
                                  ? DecimalColumn::missing
                                  : static_cast<std::uint32_t>(base + stream.below(range)));
    INFO("trial " << trial << " range " << range << " base " << base);
    require_round_trip(column);
  }
  require_round_trip({0, {0, DecimalColumn::missing - 1}});
  require_round_trip({0, {0, DecimalColumn::missing - 1, DecimalColumn::missing}});
  require_round_trip({0, std::vector<std::uint32_t>(9, DecimalColumn::missing)});
  require_round_trip({0, std::vector<std::uint32_t>(9, 7)});
  CHECK_THROWS_AS(plan_packing({}), ValueError);
}

TEST_CASE("a few large values are kept in a dictionary, dense ones as offsets") {
  DecimalColumn few;
  DecimalColumn dense;
  for (std::uint32_t row = 0; row < 1000; ++row) {
    few.values.push_back(row % 3 * 1'000'000);
    dense.values.push_back(500 + row);
  }
  CHECK(plan_packing(few).layout == PackedLayout{.dictionary = 3, .bits = 2});
  CHECK(plan_packing(dense).layout == PackedLayout{.base = 500, .bits = 10});
}

TEST_CASE("numbers come back as the double their text reads as") {
  const DecimalColumn column{4, {943733, 735133, 1, 0, DecimalColumn::missing}};
  const auto plan = plan_packing(column);
  std::vector<std::byte> bytes;
  append_packed(bytes, column, plan);
  append_little(bytes, 0, PackedColumn::padding);
  const PackedColumn packed(plan.layout, bytes);
  CHECK(packed.value(0) == 94.3733);
  CHECK(packed.value(1) == 73.5133);
  CHECK(packed.value(2) == 0.0001);
  CHECK(packed.value(3) == 0);
  CHECK(std::isnan(packed.value(4)));
}

TEST_CASE("a code without dictionary entry is found") {
  std::vector<std::byte> bytes;
  for (const std::uint32_t entry : {10U, 20U, 30U}) append_little(bytes, entry, 4);
  append_little(bytes, 0b11'10'01'00, 1);
  append_little(bytes, 0, PackedColumn::padding);
  const PackedColumn packed({.dictionary = 3, .bits = 2}, bytes);
  CHECK(packed.codes_are_valid(3));
  CHECK_FALSE(packed.codes_are_valid(4));
  // With a reserved code for gaps, code 3 means entry 2 and all is well.
  CHECK(PackedColumn({.dictionary = 3, .bits = 2, .has_missing = true}, bytes).codes_are_valid(4));
}

TEST_CASE("files are mapped, moved and refused with a reason") {
  const auto directory = std::filesystem::temp_directory_path() / "cleave_mapped_file_test";
  std::filesystem::create_directories(directory);
  const auto path = directory / "file";
  std::ofstream(path) << "hello";
  MappedFile file(path);
  CHECK(file.bytes().size() == 5);
  MappedFile moved(std::move(file));
  MappedFile assigned(directory / "file");
  assigned = std::move(moved);
  CHECK(assigned.bytes()[4] == std::byte{'o'});
  std::ofstream(directory / "empty").close();
  CHECK(MappedFile(directory / "empty").bytes().empty());
  const auto message = [](const std::filesystem::path& wrong, std::size_t most) -> std::string {
    try {
      const MappedFile refused(wrong, most);
    } catch (const IoError& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(message(directory / "none", 9) ==
        "cannot read " + (directory / "none").string() + ": No such file or directory");
  CHECK(message(directory, 9) == "cannot read " + directory.string() + ": not a regular file");
  CHECK(message(path, 4) == "cannot read " + path.string() + ": 5 bytes, at most 4 allowed");
  std::filesystem::remove_all(directory);
}
