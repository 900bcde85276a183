// Both readers of the NAS-Bench-201 table on arbitrary bytes: they may throw DataError and
// nothing else. A file that is accepted must pack, open and give back the same numbers.

#include <cleave/tabular/nasbench201_table.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace cleave;
using namespace cleave::tabular;

void require(bool good) {
  if (!good) std::abort();
}

/// CSV of as many rows as the text has line ends, so that short inputs reach every branch.
void read_csv(std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  const auto rows = std::min(lines, space::nasbench201_size);
  NasBench201Columns columns;
  try {
    columns = read_nasbench201_csv(text, "fuzz", rows == 0 ? 0 : rows - 1);
  } catch (const DataError&) {
    return;
  }
  for (const auto& column : columns) {
    if (!column || column->values.empty()) continue;
    const auto plan = plan_packing(*column);
    std::vector<std::byte> bytes;
    append_packed(bytes, *column, plan);
    append_little(bytes, 0, PackedColumn::padding);
    const PackedColumn packed(plan.layout, bytes);
    for (std::size_t row = 0; row < column->values.size(); ++row)
      require(packed.number(row) == column->values[row]);
  }
}

void open_binary(std::vector<std::byte> bytes) {
  try {
    const auto table = NasBench201Table::from_bytes(std::move(bytes));
    for (std::size_t number = 0; number < column_count; ++number) {
      const auto column = column_of_number(number);
      if (table.is_stored(column))
        for (std::size_t row = 0; row < table.size(); ++row) (void)table.value(row, column);
    }
  } catch (const DataError&) {
  }
}

/// Opens the bytes as a forger would leave them: size and checksum made right.
void open_forged(std::vector<std::byte> bytes) {
  std::vector<std::byte> fixed;
  append_little(fixed, bytes.size(), 8);
  std::copy(fixed.begin(), fixed.end(), bytes.begin() + 16);
  fixed.clear();
  append_little(fixed, NasBench201Binary::checksum(bytes), 4);
  std::copy(fixed.begin(), fixed.end(), bytes.begin() + NasBench201Binary::crc_at);
  open_binary(std::move(bytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto* start = reinterpret_cast<const std::byte*>(data);
  if (size > 0 && data[0] != 'C') read_csv({reinterpret_cast<const char*>(data), size});
  std::vector<std::byte> bytes(start, start + size);
  open_binary(bytes);
  if (size < NasBench201Binary::header_bytes) return 0;
  open_forged(bytes);
  // Stretched by zeros, so that entries of short inputs can claim a column of 15,625 rows.
  bytes.resize(std::max<std::size_t>(size, 20'000));
  open_forged(std::move(bytes));
  return 0;
}
