#include <cleave/core/random.hpp>
#include <cleave/tabular/bootstrap.hpp>
#include <cleave/tabular/top_k.hpp>
#include <cleave_test.hpp>

using namespace cleave;
using namespace cleave::tabular;

namespace {

using List = std::vector<double>;

List random_list(std::size_t n, std::uint64_t distinct, Stream& stream) {
  List values(n);
  for (auto& value : values) value = static_cast<double>(stream.below(distinct));
  return values;
}

/// Calls visit(members) for every k-subset that could be the top k under some tie-break.
template <class Visit>
void for_each_top(const List& values, std::size_t k, Visit visit) {
  for (unsigned mask = 0; mask < 1U << values.size(); ++mask) {
    if (static_cast<std::size_t>(__builtin_popcount(mask)) != k) continue;
    double least_in = std::numeric_limits<double>::infinity();
    double most_out = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < values.size(); ++i)
      if ((mask >> i & 1U) != 0)
        least_in = std::min(least_in, values[i]);
      else
        most_out = std::max(most_out, values[i]);
    if (most_out <= least_in) visit(mask);
  }
}

}  // namespace

TEST_CASE("the top rows come best first, ties by the given order, then by row") {
  const List values{3, 5, 5, 1, 5};
  using Rows = std::vector<std::size_t>;
  CHECK(top_rows(values, 2) == Rows{1, 2});
  CHECK(top_rows(values, 5) == Rows{1, 2, 4, 0, 3});
  CHECK(top_rows(values, 2, List{0, 9, 7, 0, 2}) == Rows{4, 2});
  CHECK(top_rows(values, 2, List{0, 1, 1, 0, 0}) == Rows{4, 1});
  CHECK(gather(values, Rows{3, 0}) == List{1, 3});
  CHECK_THROWS_AS(top_rows(values, 0), ValueError);
  CHECK_THROWS_AS(top_rows(values, 6), ValueError);
  CHECK_THROWS_AS(top_rows(values, 2, List{1}), ValueError);
  CHECK_THROWS_AS(gather(values, Rows{5}), ValueError);
}

TEST_CASE("correlations inside the top by truth and by estimate differ") {
  const List truth{1, 2, 3, 4, 5, 6};
  const List estimate{8, 1, 9, 5, 4, 3};
  CHECK(kendall_tau_b_top(estimate, truth, 3, TopBy::Truth) == -1);                   // rows 5 4 3
  CHECK(kendall_tau_b_top(estimate, truth, 3, TopBy::Estimate) == Approx(-1 / 3.0));  // 2 0 3
  CHECK(spearman_rho_top(estimate, truth, 3, TopBy::Truth) == -1);
  CHECK(spearman_rho_top(estimate, truth, 3, TopBy::Estimate) == Approx(-0.5));
  CHECK(kendall_tau_b_top(estimate, truth, 6, TopBy::Truth) == kendall_tau_b(estimate, truth));
  CHECK_THROWS_AS(kendall_tau_b_top(estimate, truth, 1, TopBy::Truth), ValueError);
  CHECK_THROWS_AS(kendall_tau_b_top(estimate, List{1, 2}, 2, TopBy::Truth), ValueError);
}

TEST_CASE("precision and regret are expectations over all ways to break ties") {
  Stream stream(8);
  for (int trial = 0; trial < 400; ++trial) {
    const std::size_t n = 1 + stream.below(8);
    const auto estimate = random_list(n, 1 + stream.below(6), stream);
    const auto truth = random_list(n, 1 + stream.below(6), stream);
    const std::size_t k = 1 + stream.below(n);
    double hits = 0;
    double pairs = 0;
    double best = 0;
    double tops = 0;
    for_each_top(estimate, k, [&](unsigned chosen) {
      double found = -1;
      for (std::size_t i = 0; i < n; ++i)
        if ((chosen >> i & 1U) != 0) found = std::max(found, truth[i]);
      best += found;
      tops += 1;
      for_each_top(truth, k, [&](unsigned good) {
        hits += __builtin_popcount(chosen & good);
        pairs += 1;
      });
    });
    INFO("trial " << trial << ", n " << n << ", k " << k);
    REQUIRE(precision_at_k(estimate, truth, k) ==
            Approx(hits / pairs / static_cast<double>(k)).margin(1e-12));
    REQUIRE(regret(estimate, truth, k) ==
            Approx(*std::max_element(truth.begin(), truth.end()) - best / tops).margin(1e-12));
  }
}

TEST_CASE("precision and regret: known values and errors") {
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(precision_at_k(List{4, 3, 2, 1}, List{4, 1, 3, 2}, 2) == 0.5);
  CHECK(regret(List{1, 9, 2}, List{94, 90, 93}) == 4);
  CHECK(regret(List{1, 9, 2}, List{94, 90, 93}, 2) == 1);
  CHECK(regret(List{1, 9, 2}, List{94, 90, 93}, 3) == 0);
  CHECK(regret(List{7, 7}, List{1, 2}) == 0.5);
  CHECK_THROWS_AS(regret(List{1, 2}, List{1, inf}), ValueError);
  CHECK_THROWS_AS(regret(List{1, 2}, List{1, 2}, 3), ValueError);
  CHECK_THROWS_AS(precision_at_k(List{}, List{}, 1), ValueError);
  CHECK_THROWS_AS(precision_at_k(List{1}, List{1}, 0), ValueError);
}

TEST_CASE("bootstrap intervals are a pure function of stream and rows") {
  Stream stream(9);
  List x(200);
  List y(200);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = stream.normal();
    y[i] = x[i] + stream.normal();
  }
  const auto once = bootstrap(kendall_tau_b, x, y, Stream(1), {.resamples = 300});
  const auto again = bootstrap(kendall_tau_b, x, y, Stream(1), {.resamples = 300});
  CHECK(once.low == again.low);
  CHECK(once.high == again.high);
  CHECK(once.value == kendall_tau_b(x, y));
  CHECK(once.undefined == 0);
  CHECK(once.low < once.value);
  CHECK(once.value < once.high);
  const auto other = bootstrap(kendall_tau_b, x, y, Stream(2), {.resamples = 300});
  CHECK(once.low != other.low);
  CHECK(once.low == Approx(other.low).margin(0.03));
  const auto narrow =
      bootstrap(kendall_tau_b, x, y, Stream(1), {.resamples = 300, .confidence = 0.5});
  CHECK(narrow.high - narrow.low < 0.6 * (once.high - once.low));
}

TEST_CASE("the bootstrap interval covers the true value about as often as it says") {
  // tau of a bivariate normal with correlation r is 2/pi asin(r) (Greiner); here r = 1/sqrt(2).
  constexpr double true_tau = 0.5;
  int covered = 0;
  for (std::uint64_t trial = 0; trial < 200; ++trial) {
    auto stream = Stream(10).fork(trial);
    List x(60);
    List y(60);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = stream.normal();
      y[i] = x[i] + stream.normal();
    }
    const auto interval = bootstrap(kendall_tau_b, x, y, stream.fork("bootstrap"),
                                    {.resamples = 200, .confidence = 0.9});
    covered += interval.low <= true_tau && true_tau <= interval.high;
  }
  CHECK(covered >= 165);  // 180 of 200 expected
  CHECK(covered <= 195);
}

TEST_CASE("bootstrap counts undefined resamples and refuses bad options") {
  const auto constant = bootstrap(kendall_tau_b, List{1, 1, 1}, List{1, 2, 3}, Stream(1));
  CHECK(constant.undefined == 1000);
  CHECK(std::isnan(constant.low));
  const auto two = bootstrap(kendall_tau_b, List{1, 2}, List{1, 2}, Stream(1));
  CHECK(two.undefined > 400);  // half of the resamples draw one row twice
  CHECK(two.undefined < 600);
  CHECK(two.low == 1);
  const List x{1, 2};
  CHECK_THROWS_AS(bootstrap(kendall_tau_b, x, x, Stream(1), {.resamples = 0}), ValueError);
  CHECK_THROWS_AS(bootstrap(kendall_tau_b, x, x, Stream(1), {.confidence = 1}), ValueError);
  CHECK_THROWS_AS(bootstrap(kendall_tau_b, x, x, Stream(1), {.confidence = std::nan("")}),
                  ValueError);
}
