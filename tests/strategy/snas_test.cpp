#include <algorithm>
#include <cleave/strategy/alpha_hessian.hpp>
#include <cleave/strategy/snas.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <set>
#include <string>
#include <vector>

using namespace cleave;
using Space = space::NasBench201;
using Net = supernet::NasBench201<>;
using strategy::Snas;

static_assert(strategy::SearchStrategy<Snas, Net>);
static_assert(strategy::learns_architecture<Snas>);

namespace {

Net::Config tiny() { return {.channels = 2, .cells = 1, .scalar = at::kDouble}; }

at::Tensor normal(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

TrainingStep step_of(std::uint64_t seed, double progress = 0) {
  const auto labels = [](std::int64_t first) {
    return torch::arange(first, first + 6, at::kLong).remainder(10);
  };
  return {.weights = {normal({6, 3, 8, 8}, seed), labels(0)},
          .search = {normal({6, 3, 8, 8}, seed + 1), labels(3)},
          .progress = progress};
}

/// Two options of decision 0, one of decision 4, all of the others.
Restriction<Space> narrow() {
  return Restriction<Space>()
      .with(DecisionId(0), {Space::none, Space::nor_conv_3x3})
      .with(DecisionId(4), {Space::skip_connect});
}

/// A net, and SNAS with spread alphas over it.
struct Fixture {
  explicit Fixture(const Restriction<Space>& allowed = {})
      : net(allowed, tiny(), Stream(1)), state(snas.start(net, Stream(2))) {
    state.alpha.detach().copy_(normal({6, 5}, 3));
  }
  [[nodiscard]] at::Tensor drawn(std::uint64_t i) const {
    return Snas::sample(state, state.alpha.detach(), Snas::noise(state, Stream(4).fork(i)));
  }

  Snas snas{};
  Net net;
  Snas::State<Net> state;
};

double apart(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("the heaviest option of a sample is o with probability softmax(alpha)_o") {
  Fixture f(narrow());
  const auto exact = strategy::probabilities(f.state, f.state.alpha.detach());
  constexpr int draws = 20000;
  for (const double temperature : {1.0, 0.1}) {
    f.state.temperature = temperature;
    auto counts = torch::zeros({6, 5}, at::kDouble);
    for (std::uint64_t i = 0; i < draws; ++i)
      counts.scatter_add_(1, f.drawn(i).argmax(1, true), torch::ones({6, 1}, at::kDouble));
    for (std::int64_t d = 0; d < 6; ++d) {
      double chi_square = 0;
      for (std::int64_t o = 0; o < 5; ++o) {
        const double expected = draws * exact[d][o].item<double>();
        const double count = counts[d][o].item<double>();
        if (expected == 0)
          CHECK(count == 0);
        else
          chi_square += (count - expected) * (count - expected) / expected;
      }
      CAPTURE(temperature, d);
      CHECK(chi_square < 18.5);  // 4 degrees of freedom at most, p = 0.001
    }
  }
}

TEST_CASE("the weight of one of two options has the exact distribution") {
  // w = sigmoid((a - b + L) / t) with L standard logistic, so P(w <= x) is known in closed form.
  Fixture f(narrow());
  f.state.temperature = 0.4;
  const auto alpha = f.state.alpha.detach()[0];
  const double gap = alpha[0].item<double>() - alpha[3].item<double>();
  constexpr std::size_t draws = 20000;
  std::vector<double> weights(draws);
  for (std::size_t i = 0; i < draws; ++i) weights[i] = f.drawn(i)[0][0].item<double>();
  std::sort(weights.begin(), weights.end());
  double distance = 0;  // Kolmogorov and Smirnov's
  for (std::size_t i = 0; i < draws; ++i) {
    const double logit = std::log(weights[i] / (1 - weights[i]));
    const double below = 1 / (1 + std::exp(gap - 0.4 * logit));
    distance = std::max({distance, std::abs(below - static_cast<double>(i) / draws),
                         std::abs(below - static_cast<double>(i + 1) / draws)});
  }
  CHECK(distance < 1.95 / std::sqrt(double{draws}));  // p = 0.001
}

TEST_CASE("as the temperature falls a sample becomes the heaviest option alone") {
  Fixture f;
  f.state.temperature = 1e-4;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const auto noise = Snas::noise(f.state, Stream(4).fork(i));
    const auto heaviest = (f.state.alpha.detach() + noise).argmax(1);
    const auto one_hot = at::one_hot(heaviest, 5).to(at::kDouble);
    CHECK(apart(f.drawn(i), one_hot) < 1e-3);
  }
  // As it rises all options weigh the same.
  f.state.temperature = 1e6;
  CHECK(apart(f.drawn(0), torch::full({6, 5}, 0.2, at::kDouble)) < 1e-4);
}

TEST_CASE("SNAS' gradient is the derivative of the loss under fixed noise") {
  for (const double temperature : {1.0, 0.3}) {
    Fixture f(narrow());
    f.state.temperature = temperature;
    const auto batch = step_of(9).search;
    const auto noise = Snas::noise(f.state, Stream(5));
    const auto gradient = Snas::alpha_gradient(f.net, f.state, batch, noise).second;
    CHECK(gradient.abs().max().item<double>() > 1e-5);
    const auto loss_at = [&](const at::Tensor& alpha) {
      const auto context = Mixture<Space>::weighted(narrow(), Snas::sample(f.state, alpha, noise));
      return at::cross_entropy_loss(f.net.forward(batch.images, context), batch.labels)
          .item<double>();
    };
    constexpr double h = 1e-5;
    for (std::uint64_t i = 0; i < 4; ++i) {
      const auto direction = normal({6, 5}, 30 + i);
      const auto alpha = f.state.alpha.detach();
      const double slope =
          (loss_at(alpha + h * direction) - loss_at(alpha - h * direction)) / (2 * h);
      CAPTURE(temperature, i);
      CHECK((gradient * direction).sum().item<double>() ==
            Approx(slope).epsilon(1e-6).margin(1e-9));
    }
  }
}

TEST_CASE("SNAS stays inside the restriction, however heavy what lies outside") {
  Fixture f(narrow());
  f.state.alpha.detach()[0][1] = 50.0;
  f.state.alpha.detach()[4][3] = 50.0;
  const auto table = f.drawn(1);
  const auto gradient =
      Snas::alpha_gradient(f.net, f.state, step_of(3).search, Snas::noise(f.state, Stream(6)))
          .second;
  CHECK(gradient.isfinite().all().item<bool>());
  CHECK(apart(table.sum(1), torch::ones({6}, at::kDouble)) < 1e-12);
  for (std::int64_t d = 0; d < 6; ++d)
    for (std::int64_t o = 0; o < 5; ++o) {
      const DecisionId decision(static_cast<std::size_t>(d));
      const bool open = narrow()[decision].contains(OptionId(static_cast<std::size_t>(o)));
      CAPTURE(d, o);
      CHECK((table[d][o].item<double>() > 0) == open);
      if (!open) CHECK(gradient[d][o].item<double>() == 0);
    }
  CHECK(narrow().contains(f.snas.derive(f.net, f.state, Judge<Net>{}, Stream(4))));
}

TEST_CASE("SNAS derives the most probable options, whatever the noise") {
  Fixture f;
  Architecture<Space> heaviest;
  for (std::size_t d = 0; d < 6; ++d) {
    heaviest.set(DecisionId(d), OptionId((d * 2 + 1) % 5));
    f.state.alpha
        .detach()[static_cast<std::int64_t>(d)][static_cast<std::int64_t>((d * 2 + 1) % 5)] = 5.0;
  }
  for (std::uint64_t i = 0; i < 5; ++i)
    CHECK(f.snas.derive(f.net, f.state, Judge<Net>{}, Stream(i)) == heaviest);
}

TEST_CASE("SNAS starts its alphas around one, with a standard deviation of 0.01") {
  const Snas snas;
  const Net net({}, tiny(), Stream(1));
  double sum = 0;
  double squares = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto alpha = snas.start(net, Stream(2).fork(i)).alpha.detach() - 1.0;
    sum += alpha.sum().item<double>() / 3000;
    squares += alpha.square().sum().item<double>() / 3000;
  }
  CHECK(std::abs(sum) < 4 * 0.01 / std::sqrt(3000.0));
  CHECK(std::sqrt(squares) == Approx(0.01).epsilon(0.06));  // 4 standard errors
}

TEST_CASE("the temperature falls linearly over the phase and is kept in the state") {
  Fixture f;
  CHECK(f.state.temperature == 1.0);
  for (const double progress : {0.0, 0.25, 0.5, 0.99}) {
    (void)f.snas.step(f.net, f.state, step_of(5, progress), Stream(3));
    CHECK(f.state.temperature == Approx(1.0 - 0.9 * progress).epsilon(1e-14));
  }
  const Snas cooler{.temperature = {.last = 0.03}};
  CHECK(cooler.temperature.at(1) == Approx(0.03).epsilon(1e-14));
  CHECK_THROWS_AS((Snas{.temperature = {.last = 0.0}}.start(f.net, Stream(1))), ValueError);

  std::set<std::string> fields;
  f.state.fields([&](const char* name, auto&) { fields.insert(name); });
  CHECK(fields == std::set<std::string>{"alpha", "alpha_moments", "weight_moments", "temperature"});
}

TEST_CASE("SNAS: frozen alphas do not move, thawed ones do, weights always do") {
  Fixture f;
  const auto alpha = f.state.alpha.detach().clone();
  auto values = f.net.arena().values().clone();
  auto step = step_of(5);
  step.update_architecture = false;
  step.search = {};  // is not even looked at
  auto report = f.snas.step(f.net, f.state, step, Stream(3));
  CHECK(torch::equal(f.state.alpha.detach(), alpha));
  CHECK_FALSE(report.search_loss.defined());
  CHECK(apart(f.net.arena().values(), values) > 0);
  values = f.net.arena().values().clone();
  report = f.snas.step(f.net, f.state, step_of(5), Stream(3));
  CHECK(report.search_loss.defined());
  CHECK(apart(f.state.alpha.detach(), alpha) > 0);
  CHECK(apart(f.net.arena().values(), values) > 0);
}

TEST_CASE("a step of SNAS depends on its arguments alone, and on its stream") {
  std::vector<at::Tensor> values;
  for (const std::uint64_t seed : {7U, 7U, 8U}) {
    Fixture f;
    for (std::uint64_t k = 0; k < 2; ++k) {
      (void)f.snas.step(f.net, f.state, step_of(k), Stream(seed).fork(k));
      (void)torch::rand({7});  // the global generator is nobody's business
    }
    values.push_back(at::cat({f.net.arena().values(), f.state.alpha.detach().flatten()}));
  }
  CHECK(torch::equal(values[0], values[1]));
  CHECK_FALSE(torch::equal(values[0], values[2]));
}

TEST_CASE("SNAS gives gradient matching one sample at the temperature reached") {
  Fixture f(narrow());
  f.state.temperature = 0.37;
  const auto context = f.snas.context(f.net, f.state, Stream(11));
  CHECK_FALSE(context.weights.requires_grad());
  CHECK(torch::equal(context.weights, Snas::sample(f.state, f.state.alpha.detach(),
                                                   Snas::noise(f.state, Stream(11)))));
  CHECK_FALSE(torch::equal(context.weights, f.snas.context(f.net, f.state, Stream(12)).weights));
  for (std::size_t d = 0; d < 6; ++d) CHECK(context[DecisionId(d)] == narrow()[DecisionId(d)]);
}

TEST_CASE("a child of SNAS inherits alphas, moments and temperature") {
  Fixture f;
  for (std::uint64_t k = 0; k < 2; ++k)
    (void)f.snas.step(f.net, f.state, step_of(k, 0.5), Stream(k));
  Net child(narrow(), tiny(), Stream(9));
  child.arena().inherit(f.net.arena(), f.net.arena().values(), child.arena().values());
  auto inherited = f.snas.inherit(f.net, f.state, child);
  CHECK(inherited.temperature == f.state.temperature);
  CHECK(torch::equal(inherited.alpha.detach(), f.state.alpha.detach()));
  CHECK(inherited.alpha_moments.steps == 2);
  CHECK(inherited.weight_moments.momentum.numel() == child.arena().size());
  CHECK(inherited.weight_moments.momentum.abs().max().item<double>() > 0);
  const auto alpha = f.state.alpha.detach().clone();
  (void)f.snas.step(child, inherited, step_of(7, 0.5), Stream(7));
  CHECK(torch::equal(f.state.alpha.detach(), alpha));  // they share no storage
}

TEST_CASE("the dominant eigenvalue of the Hessian in alpha is that of the whole Hessian") {
  for (const auto& allowed : {Restriction<Space>(), narrow()}) {
    Fixture f(allowed);
    const auto batch = step_of(7).weights;
    const auto alpha = f.state.alpha.detach();
    const auto before = alpha.clone();
    const double found = strategy::DominantEigenvalue{.iterations = 200, .radius = 1e-4}(
        f.net, f.state, batch, Stream(5));
    CHECK(torch::equal(alpha, before));

    // The Hessian column by column, over present options.
    const auto gradient_at = [&](const at::Tensor& at_alpha) {
      const auto moved = at_alpha.clone().set_requires_grad(true);
      return strategy::gradient_of(
          strategy::loss_of(f.net, strategy::probabilities(f.state, moved), batch), moved);
    };
    std::vector<at::Tensor> columns;
    const auto present = f.state.closed.isfinite().expand_as(alpha).flatten();
    for (std::int64_t i = 0; i < alpha.numel(); ++i) {
      auto shift = torch::zeros_like(alpha);
      shift.view(-1)[i] = 1e-4;
      columns.push_back((gradient_at(alpha + shift) - gradient_at(alpha - shift)).flatten() / 2e-4);
    }
    auto hessian = torch::stack(columns, 1);
    hessian = hessian.index({present}).index({at::indexing::Slice(), present});
    const auto values = at::linalg_eigvalsh((hessian + hessian.t()) / 2);
    const at::Tensor largest = values.index({values.abs().argmax()});
    CHECK(found == Approx(largest.item<double>()).epsilon(1e-3));
  }
}
