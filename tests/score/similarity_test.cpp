#include <array>
#include <cleave/core/random.hpp>
#include <cleave/score/per_filter_cosine.hpp>
#include <cleave/score/squared_distance.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <string_view>
#include <vector>

using namespace cleave;

namespace {

constexpr std::int64_t options = 5;
constexpr std::int64_t columns = 40;

/// Random gradients. Columns outside `shared` hold NaN: whoever reads them is found out.
struct Gradients {
  std::vector<WeightRange> shared{{3, 17}, {20, 40}};
  std::vector<WeightSlice> slices{{{3, 11}, 4}, {{11, 17}, 3}, {{20, 40}, 5}};
  at::Tensor rows;

  Gradients(std::uint64_t seed, at::ScalarType type) {
    Stream stream(seed);
    std::vector<double> values(options * columns);
    for (auto& value : values) value = stream.normal();
    rows = torch::tensor(values, at::kDouble).view({options, columns}).to(type);
    rows.narrow(1, 0, 3).fill_(std::numeric_limits<double>::quiet_NaN());
    rows.narrow(1, 17, 3).fill_(std::numeric_limits<double>::quiet_NaN());
  }
  [[nodiscard]] score::GradientView view() const { return {rows, shared, slices}; }
};

using Naive =
    std::function<double(const at::Tensor& rows, const Gradients&, std::int64_t, std::int64_t)>;

double dot(const at::Tensor& rows, std::int64_t i, std::int64_t j, WeightRange range) {
  const auto at = rows.accessor<double, 2>();
  double sum = 0;
  for (auto c = range.begin; c < range.end; ++c) sum += at[i][c] * at[j][c];
  return sum;
}

double cosine(double ij, double ii, double jj) {
  return ii == 0 || jj == 0 ? 0.0 : ij / std::sqrt(ii * jj);
}

double naive_cosine(const at::Tensor& rows, const Gradients& g, std::int64_t i, std::int64_t j) {
  if (i == j) return 1;
  double ij = 0;
  double ii = 0;
  double jj = 0;
  for (const auto& range : g.shared) {
    ij += dot(rows, i, j, range);
    ii += dot(rows, i, i, range);
    jj += dot(rows, j, j, range);
  }
  return cosine(ij, ii, jj);
}

double naive_per_filter(const at::Tensor& rows, const Gradients& g, std::int64_t i,
                        std::int64_t j) {
  double sum = 0;
  double filters = 0;
  for (const auto& slice : g.slices) {
    const auto width = slice.range.size() / slice.filters;
    for (std::int64_t f = 0; f < slice.filters; ++f) {
      const WeightRange filter{slice.range.begin + f * width, slice.range.begin + (f + 1) * width};
      sum += i == j ? 1.0
                    : cosine(dot(rows, i, j, filter), dot(rows, i, i, filter),
                             dot(rows, j, j, filter));
      filters += 1;
    }
  }
  return sum / filters;
}

double naive_squared(const at::Tensor& rows, const Gradients& g, std::int64_t i, std::int64_t j) {
  const auto at = rows.accessor<double, 2>();
  double sum = 0;
  for (const auto& range : g.shared)
    for (auto c = range.begin; c < range.end; ++c)
      sum -= (at[i][c] - at[j][c]) * (at[i][c] - at[j][c]);
  return sum;
}

template <class Score>
void check_laws(const Score& score, const Naive& naive) {
  CAPTURE(Score::name);
  for (const auto type : {at::kDouble, at::kFloat})
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      Gradients g(seed, type);
      if (seed == 4) g.rows[2].narrow(0, 3, 37).zero_();  // an option that moves nothing
      CAPTURE(at::toString(type), seed);
      const double tolerance = type == at::kDouble ? 1e-12 : 1e-5;
      const auto value = score(g.view());
      REQUIRE(value.scalar_type() == at::kDouble);
      REQUIRE(value.sizes() == at::IntArrayRef({options, options}));
      CHECK(torch::equal(value, value.t()));
      const auto exact = g.rows.to(at::kDouble);
      double worst = 0;
      double largest = 0;
      for (std::int64_t i = 0; i < options; ++i)
        for (std::int64_t j = 0; j < options; ++j) {
          const double expected = naive(exact, g, i, j);
          worst = std::max(worst, std::abs(value[i][j].template item<double>() - expected));
          largest = std::max(largest, std::abs(expected));
        }
      CHECK(worst < tolerance * std::max(1.0, largest));

      const auto order = torch::tensor({3, 0, 4, 2, 1}, at::kLong);
      auto permuted = g;
      permuted.rows = g.rows.index_select(0, order);
      const auto moved = value.index_select(0, order).index_select(1, order);
      CHECK(torch::allclose(score(permuted.view()), moved, tolerance, tolerance));
    }
}

}  // namespace

TEST_CASE("scores equal their double loops, are symmetric and follow a permutation of options") {
  check_laws(score::Cosine{}, naive_cosine);
  check_laws(score::PerFilterCosine{}, naive_per_filter);
  check_laws(score::SquaredDistance{}, naive_squared);
}

TEST_CASE("cosines have a diagonal of 1 and lie within -1 and 1") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Gradients g(seed, at::kFloat);
    g.rows[1] = g.rows[0] * 3.0F;    // the same direction
    g.rows[4] = g.rows[0] * -0.01F;  // the opposite one
    for (const auto& value : {score::Cosine{}(g.view()), score::PerFilterCosine{}(g.view())}) {
      CHECK((value.diagonal() - 1).abs().max().item<double>() < 1e-6);
      CHECK(value.abs().max().item<double>() < 1 + 1e-6);
      CHECK(value[0][1].item<double>() == Approx(1).margin(1e-6));
      CHECK(value[0][4].item<double>() == Approx(-1).margin(1e-6));
    }
  }
}

TEST_CASE("an option without gradient agrees with itself alone") {
  Gradients g(7, at::kFloat);
  g.rows[2].zero_();
  for (const auto& value : {score::Cosine{}(g.view()), score::PerFilterCosine{}(g.view())}) {
    for (std::int64_t o = 0; o < options; ++o)
      CHECK(value[2][o].item<double>() == (o == 2 ? 1.0 : 0.0));
    CHECK(value.isfinite().all().item<bool>());
  }
  CHECK(score::SquaredDistance{}(g.view())[2][2].item<double>() == 0.0);
}

TEST_CASE("nothing shared scores as no gradient") {
  Gradients g(8, at::kFloat);
  g.shared.clear();
  g.slices.clear();
  CHECK(torch::equal(score::Cosine{}(g.view()), torch::eye(options, at::kDouble)));
  CHECK(score::SquaredDistance{}(g.view()).abs().max().item<double>() == 0);
}

TEST_CASE("the squared distance is never positive, and 0 between equal gradients") {
  Gradients g(9, at::kFloat);
  g.rows[3] = g.rows[1];
  const auto value = score::SquaredDistance{}(g.view());
  CHECK(value.max().item<double>() <= 0);
  CHECK(value[1][3].item<double>() == Approx(0).margin(1e-4));
  CHECK(value[0][1].item<double>() < -1);
}
