// Facts of the real benchmark; skipped, saying so, where its CSV is not at hand.
#include <charconv>
#include <chrono>
#include <cleave/tabular/bootstrap.hpp>
#include <cleave/tabular/nasbench201_check.hpp>
#include <cleave/tabular/split_quality.hpp>
#include <cleave_test.hpp>
#include <fstream>

#include "part_of.hpp"

using namespace cleave;
using namespace cleave::tabular;

namespace {

/// The table and the path of its CSV; empty after saying that the data are absent.
struct Real {
  std::filesystem::path csv;
  NasBench201Table table;
};
const std::optional<Real>& real() {
  static const auto loaded = []() -> std::optional<Real> {
    const auto path = testing::data_path("nasbench201.csv");
    if (!path) return std::nullopt;
    return Real{*path, NasBench201Table::read_csv(*path)};
  }();
  if (!loaded) WARN("skipped: nasbench201.csv is not in $CLEAVE_DATA");
  return loaded;
}

constexpr std::array data_sets{DataSetName::Cifar10, DataSetName::Cifar100,
                               DataSetName::ImageNet16};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

TEST_CASE("the best architectures of NAS-Bench-201") {
  if (!real()) return;
  const auto& table = real()->table;
  const std::array best_test{94.3733, 73.5133, 47.3111};
  const std::array best_validation{91.6067, 73.4933, 46.7333};
  const std::array<std::vector<std::size_t>, 3> rows{{{6111, 13714}, {9930}, {857}}};
  for (std::size_t set = 0; set < data_sets.size(); ++set) {
    const auto test = table.column({data_sets[set], Metric::TestAccuracy});
    const auto validation = table.column({data_sets[set], Metric::ValidationAccuracy});
    const auto best = *std::max_element(test.begin(), test.end());
    CHECK(best == best_test[set]);
    CHECK(*std::max_element(validation.begin(), validation.end()) == best_validation[set]);
    std::vector<std::size_t> found;
    for (std::size_t row = 0; row < test.size(); ++row)
      if (test[row] == best) found.push_back(row);
    CHECK(found == rows[set]);
  }
}

TEST_CASE("every cell of the CSV comes back exactly from a file below 1 MB") {
  if (!real()) return;
  const auto path = std::filesystem::temp_directory_path() / "cleave_nasbench201_facts_test.bin";
  real()->table.write(path);
  CHECK(std::filesystem::file_size(path) < 1'000'000);
  const auto table = NasBench201Table::open(path);
  std::filesystem::remove(path);
  // An independent, careless reader of the CSV.
  std::ifstream file(real()->csv);
  std::string line;
  std::getline(file, line);
  const auto cut = [](const std::string& text) {
    std::vector<std::string> cells{""};
    for (const char c : text)
      if (c == ',')
        cells.emplace_back();
      else
        cells.back() += c;
    return cells;
  };
  const auto names = cut(line);
  REQUIRE(names.size() == 36);
  std::size_t row = 0;
  std::size_t wrong = 0;
  std::size_t empty = 0;
  for (; std::getline(file, line); ++row) {
    const auto cells = cut(line);
    REQUIRE(cells.size() == names.size());
    for (std::size_t c = 2; c < cells.size(); ++c) {
      const double value = table.value(row, column_of_name(names[c]).value());
      empty += cells[c].empty();
      wrong +=
          cells[c].empty() ? !std::isnan(value) : value != std::strtod(cells[c].c_str(), nullptr);
    }
  }
  CHECK(row == 15625);
  CHECK(wrong == 0);
  CHECK(empty == 3 * 7456);
}

TEST_CASE("strings, indices, topology classes, params, MACs and tau figures of all rows") {
  if (!real()) return;
  const auto check = check_nasbench201(real()->table);
  CHECK(check.passed());
  CHECK(check.problems == std::vector<std::string>{});
  CHECK(check.absent.empty());
  CHECK(check.topology_classes == 6466);
  const std::array all{0.578, 0.553, 0.520};
  const std::array top{0.021, 0.127, 0.280};
  for (std::size_t set = 0; set < data_sets.size(); ++set) {
    CHECK(check.tau[set].value().all == Approx(all[set]).margin(0.0005));
    CHECK(check.tau[set].value().top == Approx(top[set]).margin(0.0005));
  }
}

TEST_CASE("the check finds a wrong number") {
  if (!real()) return;
  std::ifstream file(real()->csv);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto problem_after = [&](const std::string& from, const std::string& to) {
    auto changed = text;
    changed.replace(changed.find(from), from.size(), to);
    const auto check =
        check_nasbench201(NasBench201Table::from_columns(read_nasbench201_csv(changed, "x")));
    CHECK_FALSE(check.passed());
    return check.problems.empty() ? std::string("none") : check.problems.front();
  };
  CHECK(problem_after(",129306,", ",129307,") ==
        "row 0: c10_params is 129307, the architecture has 129306");
  CHECK(problem_after(",3919480,", ",3919481,") ==
        "row 0: in16_flops is 3919481, the architecture has 3919480");
  check_part(problem_after("|skip_connect~2|,1,93.66", "|skip_connect~2|,0,93.66"),
             "row 1: topology class 0 is not that of");
}

TEST_CASE("tau-b takes under 10 ms and opening the table under 5 ms in a release build") {
  if (!real()) return;
    // Debug builds and sanitizers (clang says so by a feature only) get more time.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CLEAVE_TEST_IS_SLOW
#endif
#endif
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(CLEAVE_TEST_IS_SLOW)
  const double slack = 1;
#else
  const double slack = 20;
#endif
  const auto truth = real()->table.column({DataSetName::Cifar10, Metric::TestAccuracy});
  const auto params = real()->table.column({DataSetName::Cifar10, Metric::Parameters});
  const auto path = std::filesystem::temp_directory_path() / "cleave_nasbench201_speed_test.bin";
  real()->table.write(path);
  double tau_ms = 1e9;
  double open_ms = 1e9;
  for (int trial = 0; trial < 9; ++trial) {  // the best of a few: the machine is shared
    auto start = std::chrono::steady_clock::now();
    CHECK(kendall_tau_b(params, truth) > 0.5);
    tau_ms = std::min(tau_ms, milliseconds_since(start));
    start = std::chrono::steady_clock::now();
    CHECK(NasBench201Table::open(path).size() == 15625);
    open_ms = std::min(open_ms, milliseconds_since(start));
  }
  std::filesystem::remove(path);
  CHECK(tau_ms < 10 * slack);
  CHECK(open_ms < 5 * slack);
}

TEST_CASE("what splits without training keep of the true top 100") {
  if (!real()) return;
  using Space = space::NasBench201;
  const std::array best{92, 97, 96};
  const std::array random{58.0, 59.0, 54.0};
  for (std::size_t set = 0; set < data_sets.size(); ++set) {
    std::vector<Architecture<Space>> good;
    const auto truth = real()->table.column({data_sets[set], Metric::TestAccuracy});
    for (const auto row : top_rows(truth, 100)) good.push_back(real()->table.architecture(row));

    const auto tree = best_two_splits<Space>(good, 2);
    const auto leaf = best_leaf<Space>(tree, good);
    CHECK(leaf.kept == static_cast<std::size_t>(best[set]));
    CHECK(leaf.space_share == 0.16);

    double sum = 0;
    double squares = 0;
    constexpr int draws = 1000;
    for (std::uint64_t draw = 0; draw < draws; ++draw) {
      const auto grown = grow<Space>(RandomTwoWay<Space>{}, 2, Stream(2).fork(draw));
      const double kept = 100 * best_leaf<Space>(grown, good).kept_share;
      sum += kept;
      squares += kept * kept;
    }
    const double mean = sum / draws;
    CHECK(mean == Approx(random[set]).margin(2));  // standard error 0.5
    CHECK(std::sqrt(squares / draws - mean * mean) == Approx(16).margin(2));
  }
}

TEST_CASE("the bootstrap interval of the parameter baseline") {
  if (!real()) return;
  const auto truth = real()->table.column({DataSetName::Cifar10, Metric::TestAccuracy});
  const auto params = real()->table.column({DataSetName::Cifar10, Metric::Parameters});
  const auto interval = bootstrap(kendall_tau_b, params, truth, Stream(1), {.resamples = 40});
  CHECK(interval.value == Approx(0.578).margin(0.0005));
  CHECK(interval.low > 0.565);
  CHECK(interval.high < 0.592);
  CHECK(interval.low < interval.high);
}
