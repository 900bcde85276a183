#pragma once

#include <cleave/space/nasbench201_cost.hpp>
#include <cleave/space/nasbench201_index.hpp>
#include <cleave/tabular/concept.hpp>
#include <cleave/core/mapped_file.hpp>
#include <cleave/core/replace_file.hpp>
#include <cleave/tabular/nasbench201_binary.hpp>
#include <cleave/tabular/nasbench201_csv.hpp>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cleave::tabular {

/// The benchmark's network for a data set: classes and image size.
[[nodiscard]] constexpr space::NasBench201Shape shape_of(DataSetName data_set) {
  switch (data_set) {
    case DataSetName::Cifar10:
      return {};
    case DataSetName::Cifar100:
      return {.classes = 100};
    case DataSetName::ImageNet16:
      return {.image = 16, .classes = 120};
  }
  throw ValueError(
      fmt::format("data set {}, allowed 0 to {}", static_cast<int>(data_set), data_set_count - 1));
}

/// NAS-Bench-201 as a table (Dong and Yang, ICLR 2020): what each of the 15,625 architectures
/// reached when trained alone. Rows are the official indices.
///
/// All columns together take below 1 MB, in memory as on disk, because numbers are kept as the
/// integers they were printed from and packed to the bit; the doubles handed out are exactly
/// those the text reads as. Opening the binary form maps and checks it (half a ms); a query unpacks
/// one number. Copies share the data; all members are const and safe to call from many threads.
///
/// A table may lack columns (`has`). `Parameters` and `Macs` are always there: they follow from
/// the architecture and are computed where the file does not hold them.
class NasBench201Table {
 public:
  using Space = space::NasBench201;
  using Column = NasBench201Column;

  /// Reads a CSV (see `read_nasbench201_csv`). Throws `IoError` and `DataError`.
  [[nodiscard]] static NasBench201Table read_csv(const std::filesystem::path& path) {
    const MappedFile file(path);
    const auto bytes = file.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return from_columns(read_nasbench201_csv(text, path.string()));
  }

  /// Maps the binary form. Throws `IoError`, and `DataError` for a file that is not whole.
  [[nodiscard]] static NasBench201Table open(const std::filesystem::path& path) {
    return NasBench201Table(MappedFile(path), path.string());
  }

  /// The binary form in memory. `name` stands in messages.
  [[nodiscard]] static NasBench201Table from_bytes(std::vector<std::byte> bytes,
                                                   std::string_view name = "table in memory") {
    return NasBench201Table(std::move(bytes), name);
  }

  [[nodiscard]] static NasBench201Table from_columns(const NasBench201Columns& columns) {
    return from_bytes(NasBench201Binary::encode(columns));
  }

  /// Writes the binary form as `replace_file` does: no half written file ever bears the name. Throws
  /// `IoError`.
  void write(const std::filesystem::path& path) const { replace_file(path, {bytes()}); }

  /// The binary form.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

  [[nodiscard]] static constexpr std::size_t size() noexcept { return space::nasbench201_size; }
  [[nodiscard]] static Architecture<Space> architecture(std::size_t row) {
    return space::from_official_index(row);
  }
  [[nodiscard]] static std::size_t row_of(const Architecture<Space>& architecture) {
    return space::official_index(architecture);
  }

  [[nodiscard]] bool has(Column column) const {
    return columns_[column_number(column)].has_value() || is_computed(column.metric);
  }

  /// True when the number comes from the file, not from the architecture.
  [[nodiscard]] bool is_stored(Column column) const {
    return columns_[column_number(column)].has_value();
  }

  /// One number; NaN when this row was not measured (a seed that was not trained). Throws
  /// `ValueError` for a row out of range and for a column the table does not have.
  [[nodiscard]] double value(std::size_t row, Column column) const {
    if (row >= size())
      throw ValueError(fmt::format("nasbench201 table: row {}, allowed 0 to {}", row, size() - 1));
    if (const auto& packed = columns_[column_number(column)]) return packed->value(row);
    if (!is_computed(column.metric)) throw_absent(column);
    const auto cost = space::cost(architecture(row), shape_of(column.data_set));
    return static_cast<double>(column.metric == Metric::Macs ? cost.macs : cost.params);
  }
  [[nodiscard]] double value(const Architecture<Space>& architecture, Column column) const {
    return value(row_of(architecture), column);
  }

  /// The numbers of all rows, in row order. Throws `ValueError` as `value`.
  [[nodiscard]] std::vector<double> column(Column column) const {
    std::vector<double> values(size());
    for (std::size_t row = 0; row < size(); ++row) values[row] = value(row, column);
    return values;
  }

 private:
  using Storage = std::variant<std::vector<std::byte>, MappedFile>;

  NasBench201Table(Storage storage, std::string_view name)
      : storage_(std::make_shared<const Storage>(std::move(storage))),
        bytes_(std::visit(
            [](const auto& held) -> std::span<const std::byte> {
              if constexpr (requires { held.bytes(); })
                return held.bytes();
              else
                return held;
            },
            *storage_)),
        columns_(NasBench201Binary::decode(bytes_, name)) {}

  [[nodiscard]] static constexpr bool is_computed(Metric metric) {
    return metric == Metric::Parameters || metric == Metric::Macs;
  }

  [[noreturn]] void throw_absent(Column column) const {
    std::vector<std::string> present;
    for (std::size_t number = 0; number < column_count; ++number)
      if (columns_[number]) present.push_back(column_name(column_of_number(number)));
    throw ValueError(fmt::format(
        "nasbench201 table: no column {}; the file it was made from has {}", column_name(column),
        present.empty() ? std::string("none") : fmt::format("{}", fmt::join(present, ", "))));
  }

  std::shared_ptr<const Storage> storage_;
  std::span<const std::byte> bytes_;
  NasBench201Binary::Columns columns_;
};

static_assert(TabularBenchmark<NasBench201Table>);

}  // namespace cleave::tabular
