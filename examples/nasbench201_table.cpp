// Looks architectures up in NAS-Bench-201, checks a table, converts CSV to the binary form.
//
//     nasbench201_table --csv nasbench201.csv --check
//     nasbench201_table --csv nasbench201.csv --write nasbench201.bin
//     nasbench201_table --table nasbench201.bin --index 6111

#include <CLI/CLI.hpp>
#include <cleave/tabular/nasbench201_check.hpp>
#include <cstdio>

namespace tabular = cleave::tabular;
using Space = cleave::space::NasBench201;

constexpr std::array<const char*, tabular::data_set_count> data_set_titles{"CIFAR-10", "CIFAR-100",
                                                                           "ImageNet16-120"};

void print_row(const tabular::NasBench201Table& table, std::size_t row) {
  std::printf("%zu %s\n", row, Space::to_text(table.architecture(row)).c_str());
  const auto show = [&](tabular::NasBench201Column column, const char* format) {
    if (table.has(column)) std::printf(format, table.value(row, column));
  };
  for (std::size_t set = 0; set < tabular::data_set_count; ++set) {
    const auto data_set = static_cast<tabular::DataSetName>(set);
    std::printf("  %-14s", data_set_titles[set]);
    show({data_set, tabular::Metric::TestAccuracy}, "  test %.4f %%");
    show({data_set, tabular::Metric::ValidationAccuracy}, "  validation %.4f %%");
    show({data_set, tabular::Metric::Parameters}, "  params %.0f");
    show({data_set, tabular::Metric::Macs}, "  MACs %.0f");
    show({data_set, tabular::Metric::TrainingSeconds}, "  training %.2f s");
    show({data_set, tabular::Metric::LatencyMs}, "  latency %.4f ms");
    std::printf("\n");
  }
}

/// One line; returns whether all that the table holds is right.
bool print_check(const tabular::NasBench201Table& table) {
  const auto check = tabular::check_nasbench201(table);
  for (const auto& problem : check.problems) std::fprintf(stderr, "wrong: %s\n", problem.c_str());
  std::vector<std::string> all;
  std::vector<std::string> top;
  for (const auto& tau : check.tau)
    if (tau) {
      all.push_back(fmt::format("{:.3f}", tau->all));
      top.push_back(fmt::format("{:.3f}", tau->top));
    }
  auto line = fmt::format("check {}: {} rows; {}", check.passed() ? "passed" : "FAILED", check.rows,
                          fmt::join(check.checked, ", "));
  if (!all.empty())
    line += fmt::format("; tau-b of params against test accuracy {}, in the top 5 % {}",
                        fmt::join(all, " / "), fmt::join(top, " / "));
  if (!check.absent.empty())
    line += fmt::format("; not in this table: {}", fmt::join(check.absent, ", "));
  std::printf("%s\n", line.c_str());
  return check.passed();
}

int main(int argc, char** argv) try {
  CLI::App app("NAS-Bench-201: look up, check, convert");
  std::string csv;
  std::string binary;
  std::string arch;
  std::string write;
  std::size_t index = 0;
  bool check = false;
  auto* source = app.add_option_group("table");
  source->add_option("--csv", csv, "read a CSV");
  source->add_option("--table", binary, "read the binary form");
  source->require_option(1);
  app.add_flag("--check", check, "check everything that is known of the benchmark");
  app.add_option("--arch", arch, "look up an arch string, |op~0|+|op~0|op~1|+|op~0|op~1|op~2|");
  auto* index_option = app.add_option("--index", index, "look up an official index, 0 to 15624");
  app.add_option("--write", write, "write the binary form");
  CLI11_PARSE(app, argc, argv);

  const auto table = csv.empty() ? tabular::NasBench201Table::open(binary)
                                 : tabular::NasBench201Table::read_csv(csv);
  if (!write.empty()) {
    table.write(write);
    std::printf("wrote %s, %zu bytes\n", write.c_str(), table.bytes().size());
  }
  if (!arch.empty()) print_row(table, table.row_of(Space::parse(arch)));
  if (index_option->count() > 0) print_row(table, index);
  return check && !print_check(table) ? 1 : 0;
} catch (const cleave::Error& error) {
  std::fprintf(stderr, "nasbench201_table: %s\n", error.what());
  return 1;
}
