// Rank correlation of 15,625 rows, and the NAS-Bench-201 table: load, query, whole column.
// The table holds invented numbers, so the program needs no data.

#include <benchmark/benchmark.h>

#include <cleave/core/random.hpp>
#include <cleave/tabular/bootstrap.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave/tabular/top_k.hpp>

namespace {

using namespace cleave;
using namespace cleave::tabular;

/// An estimate with few distinct values (as a parameter count has), and a truth with few ties.
std::pair<std::vector<double>, std::vector<double>> lists(std::size_t n) {
  Stream stream(1);
  std::pair<std::vector<double>, std::vector<double>> result;
  for (std::size_t i = 0; i < n; ++i) {
    const double quality = stream.normal();
    result.first.push_back(std::round(4 * (quality + stream.normal())));
    result.second.push_back(std::round(1e4 * quality));
  }
  return result;
}

NasBench201Table invented_table() {
  Stream stream(2);
  NasBench201Columns columns;
  for (std::size_t number = 0; number < column_count; ++number) {
    if (column_number(column_of_number(number)) != number) continue;
    DecimalColumn column{.decimals = 4};
    for (std::size_t row = 0; row < space::nasbench201_size; ++row)
      column.values.push_back(static_cast<std::uint32_t>(stream.below(10'000)));
    columns[number] = column;
  }
  return NasBench201Table::from_columns(columns);
}

void kendall(benchmark::State& state) {
  const auto [x, y] = lists(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(kendall_tau_b(x, y));
}
BENCHMARK(kendall)->Arg(100)->Arg(1'000)->Arg(15'625)->Unit(benchmark::kMicrosecond);

void spearman(benchmark::State& state) {
  const auto [x, y] = lists(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(spearman_rho(x, y));
}
BENCHMARK(spearman)->Arg(15'625)->Unit(benchmark::kMicrosecond);

void precision(benchmark::State& state) {
  const auto [x, y] = lists(15'625);
  for (auto _ : state) benchmark::DoNotOptimize(precision_at_k(x, y, 100));
}
BENCHMARK(precision)->Unit(benchmark::kMicrosecond);

void bootstrap_kendall(benchmark::State& state) {
  const auto [x, y] = lists(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(bootstrap(kendall_tau_b, x, y, Stream(3), {.resamples = 100}));
}
BENCHMARK(bootstrap_kendall)->Arg(100)->Arg(15'625)->Unit(benchmark::kMillisecond);

void open_table(benchmark::State& state) {
  const auto path = std::filesystem::temp_directory_path() / "cleave_ranking_benchmark.bin";
  invented_table().write(path);
  for (auto _ : state) benchmark::DoNotOptimize(NasBench201Table::open(path));
  std::filesystem::remove(path);
}
BENCHMARK(open_table)->Unit(benchmark::kMicrosecond);

void query(benchmark::State& state) {
  const auto table = invented_table();
  std::size_t row = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.value(row, {DataSetName::Cifar100, Metric::ValidationAccuracy}));
    row = (row + 7919) % table.size();
  }
}
BENCHMARK(query);

void whole_column(benchmark::State& state) {
  const auto table = invented_table();
  for (auto _ : state)
    benchmark::DoNotOptimize(table.column({DataSetName::Cifar10, Metric::TestAccuracy}));
}
BENCHMARK(whole_column)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
