#include <cleave/core/random.hpp>
#include <cleave/tabular/rank_correlation.hpp>
#include <cleave_test.hpp>
#include <string>

using namespace cleave;
using namespace cleave::tabular;

namespace {

using List = std::vector<double>;

/// Few distinct values, so that ties are common; sometimes infinities.
List with_infinities(std::size_t n, std::uint64_t distinct, Stream& stream) {
  List values(n);
  for (auto& value : values) value = static_cast<double>(stream.below(distinct)) - 3;
  if (stream.below(8) == 0) values[stream.below(n)] = std::numeric_limits<double>::infinity();
  if (stream.below(8) == 0) values[stream.below(n)] = -std::numeric_limits<double>::infinity();
  return values;
}

/// The definition, over all pairs.
double slow_tau_b(const List& x, const List& y) {
  double agree = 0;
  double x_differs = 0;
  double y_differs = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const int a = (x[i] > x[j]) - (x[i] < x[j]);
      const int b = (y[i] > y[j]) - (y[i] < y[j]);
      agree += a * b;
      x_differs += a != 0;
      y_differs += b != 0;
    }
  return agree / std::sqrt(x_differs * y_differs);
}

/// rank = 1 + values below + half of the others that are equal.
List slow_ranks(const List& values) {
  List ranks;
  for (const double value : values) {
    double rank = 0.5;
    for (const double other : values) rank += other < value ? 1 : other == value ? 0.5 : 0;
    ranks.push_back(rank);
  }
  return ranks;
}

double slow_pearson(const List& x, const List& y) {
  double mx = 0;
  double my = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mx += x[i] / static_cast<double>(x.size());
    my += y[i] / static_cast<double>(x.size());
  }
  double xy = 0;
  double xx = 0;
  double yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
  }
  return xy / std::sqrt(xx * yy);
}

std::string message_of(const List& x, const List& y) {
  try {
    (void)kendall_tau_b(x, y);
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("tau-b and rho equal their definitions on random lists with ties") {
  Stream stream(5);
  std::size_t undefined = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    const std::size_t n = 2 + stream.below(trial < 2000 ? 12 : 90);
    const auto x = with_infinities(n, 1 + stream.below(2 * n), stream);
    const auto y = with_infinities(n, 1 + stream.below(2 * n), stream);
    const double slow = slow_tau_b(x, y);
    INFO("trial " << trial << ", n " << n);
    if (std::isnan(slow)) {
      ++undefined;
      REQUIRE(std::isnan(kendall_tau_b(x, y)));
      REQUIRE(std::isnan(spearman_rho(x, y)));
      continue;
    }
    REQUIRE(kendall_tau_b(x, y) == Approx(slow).margin(1e-12));
    REQUIRE(average_ranks(x) == slow_ranks(x));
    REQUIRE(spearman_rho(x, y) == Approx(slow_pearson(slow_ranks(x), slow_ranks(y))).margin(1e-12));
  }
  CHECK(undefined > 10);
}

TEST_CASE("known values of tau-b and rho") {
  // Worked by hand: C = 4, D = 1, one tie in x: 3 / sqrt(5 * 6).
  CHECK(kendall_tau_b(List{1, 2, 2, 3}, List{1, 3, 2, 2.5}) == Approx(3 / std::sqrt(30.0)));
  CHECK(kendall_tau_b(List{1, 2, 3}, List{10, 20, 30}) == 1);
  CHECK(kendall_tau_b(List{1, 2, 3}, List{3, 2, 1}) == -1);
  CHECK(kendall_tau_b(List{1, 1}, List{1, 2}) != kendall_tau_b(List{1, 1}, List{1, 2}));
  CHECK(spearman_rho(List{1, 2, 3, 4}, List{1, 2, 4, 3}) == Approx(0.8));
}

TEST_CASE("rank correlations are symmetric, and see order only") {
  Stream stream(6);
  for (int trial = 0; trial < 200; ++trial) {
    const auto x = with_infinities(40, 20, stream);
    const auto y = with_infinities(40, 20, stream);
    auto cubed = x;
    for (auto& value : cubed) value = value * value * value + 7;
    auto negative = x;
    for (auto& value : negative) value = -value;
    REQUIRE(kendall_tau_b(x, y) == kendall_tau_b(y, x));
    REQUIRE(kendall_tau_b(cubed, y) == kendall_tau_b(x, y));
    REQUIRE(kendall_tau_b(negative, y) == Approx(-kendall_tau_b(x, y)).margin(1e-15));
    REQUIRE(spearman_rho(cubed, y) == spearman_rho(x, y));
  }
}

TEST_CASE("lists without a ranking are refused by name and row") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(message_of({1, 2, nan}, {1, 2, 3}) == "ranking: row 2: the first list is NaN");
  CHECK(message_of({1, 2, 3}, {1, nan, 3}) == "ranking: row 1: the second list is NaN");
  CHECK(message_of({1, 2}, {1, 2, 3}) ==
        "ranking: 2 estimates and 3 true values, one of each per row");
  CHECK(message_of({1}, {1}) == "ranking: 1 rows, at least 2 needed");
  CHECK(message_of({}, {}) == "ranking: 0 rows, at least 2 needed");
  CHECK_THROWS_AS(spearman_rho(List{nan, 1}, List{1, 2}), ValueError);
}
