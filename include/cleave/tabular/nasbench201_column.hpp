#pragma once

#include <array>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cleave::tabular {

/// The three data sets NAS-Bench-201 was trained on.
enum class DataSetName : std::uint8_t { Cifar10, Cifar100, ImageNet16 };

/// What the benchmark measured. Accuracies in %, means over the training seeds.
enum class Metric : std::uint8_t {
  TestAccuracy,          ///< after 200 epochs
  ValidationAccuracy,    ///< after 200 epochs
  TestAccuracy12,        ///< after 12 epochs
  ValidationAccuracy12,  ///< after 12 epochs
  Parameters,            ///< count
  Macs,                  ///< multiply-adds of one image, as the benchmark counts them
  TrainingSeconds,       ///< of one training of 200 epochs
  LatencyMs,             ///< of one batch on the benchmark's GPU
  ValidationSeed0,       ///< after 200 epochs, first training seed
  ValidationSeed1,
  ValidationSeed2,  ///< NaN for the 7,456 architectures trained twice only
  TopologyClass,    ///< number of the isomorphism class; the same for every data set
};

inline constexpr std::size_t data_set_count = 3;
inline constexpr std::size_t metric_count = 12;

/// One column of the table.
struct NasBench201Column {
  DataSetName data_set = DataSetName::Cifar10;
  Metric metric = Metric::TestAccuracy;

  friend constexpr bool operator==(const NasBench201Column&, const NasBench201Column&) = default;
};

namespace detail {
inline constexpr std::array<std::string_view, data_set_count> data_set_prefixes{"c10", "c100",
                                                                                "in16"};
inline constexpr std::array<std::string_view, metric_count> metric_suffixes{
    "test",    "val",        "test12", "val12",  "params", "flops",
    "train_s", "gpu_lat_ms", "val_s0", "val_s1", "val_s2", "topo_id"};
}  // namespace detail

/// All columns have a number below this; see `column_number`.
inline constexpr std::size_t column_count = data_set_count * metric_count;

/// A dense number for every column. The topology class is one column whatever the data set.
/// Throws `ValueError` for enum values that were forced out of their range.
[[nodiscard]] constexpr std::size_t column_number(NasBench201Column column) {
  const auto set = static_cast<std::size_t>(column.data_set);
  const auto metric = static_cast<std::size_t>(column.metric);
  if (set >= data_set_count || metric >= metric_count)
    throw ValueError(
        fmt::format("nasbench201 column: data set {}, metric {}; allowed are 0 to {} "
                    "and 0 to {}",
                    set, metric, data_set_count - 1, metric_count - 1));
  return (column.metric == Metric::TopologyClass ? 0 : set * metric_count) + metric;
}

[[nodiscard]] constexpr NasBench201Column column_of_number(std::size_t number) {
  if (number >= column_count)
    throw ValueError(
        fmt::format("nasbench201 column {}, allowed 0 to {}", number, column_count - 1));
  return {static_cast<DataSetName>(number / metric_count),
          static_cast<Metric>(number % metric_count)};
}

/// The column's name in the CSV: "c10_test", "in16_val_s1", "topo_id".
[[nodiscard]] inline std::string column_name(NasBench201Column column) {
  (void)column_number(column);
  const auto suffix = detail::metric_suffixes[static_cast<std::size_t>(column.metric)];
  if (column.metric == Metric::TopologyClass) return std::string(suffix);
  return fmt::format("{}_{}", detail::data_set_prefixes[static_cast<std::size_t>(column.data_set)],
                     suffix);
}

/// The inverse of `column_name`; nothing for a name no column has.
[[nodiscard]] inline std::optional<NasBench201Column> column_of_name(std::string_view name) {
  for (std::size_t number = 0; number < column_count; ++number) {
    const auto column = column_of_number(number);
    if (column_number(column) == number && column_name(column) == name) return column;
  }
  return std::nullopt;
}

}  // namespace cleave::tabular
