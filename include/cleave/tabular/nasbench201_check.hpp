#pragma once

#include <array>
#include <cleave/space/nasbench201_topology.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave/tabular/top_k.hpp>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cleave::tabular {

/// The true top 5 % of the 15,625 rows.
inline constexpr std::size_t top_five_percent = 781;

/// tau-b of the parameter count against test accuracy: over all rows, and in the true top 5 %.
struct ParameterTau {
  double all;
  double top;
};

/// Figures every faithful copy of the benchmark gives, per data set, to three digits.
///
/// In the top 5 % the last 2, 5 and 8 places are shared by 5, 6 and 10 architectures of equal
/// accuracy. Any choice among them is possible and moves tau-b inside 0.016 to 0.024, 0.127 to
/// 0.130 and 0.279 to 0.284; these figures and `parameter_tau` take them by topology class.
inline constexpr std::array<ParameterTau, data_set_count> known_parameter_tau{
    {{0.578, 0.021}, {0.553, 0.127}, {0.520, 0.280}}};

/// How well the parameter count ranks, the baseline every ranking claim has to beat. Needs the
/// test accuracies; throws `ValueError` without. Ties at the 5 % cut are ordered by topology
/// class where the table has it, else by row.
[[nodiscard]] inline ParameterTau parameter_tau(const NasBench201Table& table,
                                                DataSetName data_set) {
  const auto truth = table.column({data_set, Metric::TestAccuracy});
  const auto parameters = table.column({data_set, Metric::Parameters});
  const NasBench201Column topology{data_set, Metric::TopologyClass};
  const auto order = table.has(topology) ? table.column(topology) : std::vector<double>{};
  return {kendall_tau_b(parameters, truth),
          kendall_tau_b_top(parameters, truth, top_five_percent, TopBy::Truth, order)};
}

/// What `check_nasbench201` looked at and found.
struct NasBench201Check {
  std::size_t rows = 0;
  std::size_t topology_classes = 0;     ///< 0 when the table has none
  std::vector<std::string> checked{};   ///< what was looked at, in words
  std::vector<std::string> absent{};    ///< what the table lacks, so that it was not
  std::vector<std::string> problems{};  ///< the first of each kind; empty when all is well
  /// Of the data sets whose test accuracy the table has.
  std::array<std::optional<ParameterTau>, data_set_count> tau{};

  [[nodiscard]] bool passed() const noexcept { return problems.empty(); }
};

namespace detail {

/// Topology numbers and canonical texts must be the same partition of the rows.
inline void check_topology(const NasBench201Table& table, NasBench201Check& result) {
  const NasBench201Column column{DataSetName::Cifar10, Metric::TopologyClass};
  if (!table.has(column)) {
    result.absent.emplace_back("topology classes");
    return;
  }
  std::unordered_map<std::string, double> number_of;
  std::unordered_map<double, std::string> text_of;
  for (std::size_t row = 0; row < table.size(); ++row) {
    const auto text = space::topology_class_text(table.architecture(row));
    const double number = table.value(row, column);
    if (number_of.try_emplace(text, number).first->second != number ||
        text_of.try_emplace(number, text).first->second != text) {
      result.problems.push_back(
          fmt::format("row {}: topology class {} is not that of '{}'", row, number, text));
      return;
    }
  }
  result.topology_classes = number_of.size();
  result.checked.push_back(fmt::format("{} topology classes", number_of.size()));
  constexpr std::size_t published = 6466;
  if (result.topology_classes != published)
    result.problems.push_back(
        fmt::format("{} topology classes, must be {}", result.topology_classes, published));
}

/// Stored counts against those computed from the architecture.
inline void check_cost(const NasBench201Table& table, DataSetName data_set, Metric metric,
                       NasBench201Check& result) {
  const NasBench201Column column{data_set, metric};
  if (!table.is_stored(column)) {
    result.absent.push_back(column_name(column));
    return;
  }
  result.checked.push_back(column_name(column));
  for (std::size_t row = 0; row < table.size(); ++row) {
    const auto cost = space::cost(table.architecture(row), shape_of(data_set));
    const auto computed = static_cast<double>(metric == Metric::Macs ? cost.macs : cost.params);
    if (table.value(row, column) != computed) {
      result.problems.push_back(fmt::format("row {}: {} is {}, the architecture has {}", row,
                                            column_name(column), table.value(row, column),
                                            computed));
      return;
    }
  }
}

}  // namespace detail

/// Checks a table against what is known of the benchmark: arch strings and official indices read
/// back for all rows, the topology classes, parameters and MACs computed from the architecture,
/// and the rank correlations of the parameter count. About 0.2 s.
[[nodiscard]] inline NasBench201Check check_nasbench201(const NasBench201Table& table) {
  NasBench201Check result;
  result.rows = table.size();
  result.checked = {"strings", "indices"};
  for (std::size_t row = 0; row < table.size(); ++row) {
    const auto text = space::NasBench201::to_text(table.architecture(row));
    if (table.row_of(space::NasBench201::parse(text)) != row) {
      result.problems.push_back(fmt::format("row {}: {} reads back as row {}", row, text,
                                            table.row_of(space::NasBench201::parse(text))));
      break;
    }
  }
  detail::check_topology(table, result);
  for (std::size_t set = 0; set < data_set_count; ++set) {
    const auto data_set = static_cast<DataSetName>(set);
    detail::check_cost(table, data_set, Metric::Parameters, result);
    detail::check_cost(table, data_set, Metric::Macs, result);
    const NasBench201Column test{data_set, Metric::TestAccuracy};
    if (!table.has(test)) {
      result.absent.push_back(column_name(test));
      continue;
    }
    const auto tau = parameter_tau(table, data_set);
    result.tau[set] = tau;
    // Without topology classes the tied rows at the cut are chosen otherwise; see above.
    const double top_tolerance = result.topology_classes != 0 ? 0.0005 : 0.006;
    const auto differs = [](double found, double known, double tolerance) {
      return !(std::abs(found - known) <= tolerance);
    };
    const auto& known = known_parameter_tau[set];
    if (differs(tau.all, known.all, 0.0005) || differs(tau.top, known.top, top_tolerance))
      result.problems.push_back(
          fmt::format("{}: tau-b of the parameters {:.4f} over all rows and {:.4f} in the top 5 %, "
                      "must be {} and {}",
                      column_name(test), tau.all, tau.top, known.all, known.top));
  }
  return result;
}

}  // namespace cleave::tabular
