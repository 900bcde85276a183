#include <cleave/space/nasbench201.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/strategy/accuracy_predictor.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave/testing/estimator_laws.hpp>
#include <cleave_test.hpp>
#include <set>

using namespace cleave;
using strategy::AccuracyOf;
using strategy::EstimateQuality;
using strategy::Evolution;
using strategy::Measured;
using strategy::Predicted;
using Catch::Matchers::Contains;

namespace {

/// Every used option is worth something of its own: an additive truth, between 0 and 1.
template <SearchSpace S>
double additive(const Architecture<S>& architecture) {
  const Restriction<S> alone(architecture);
  double sum = 0.5;
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const DecisionId decision(d);
    if (is_used(alone, decision))
      sum += 0.02 * std::sin(1.7 * static_cast<double>(d) +
                             2.3 * static_cast<double>(architecture[decision].index()));
  }
  return sum;
}

template <SearchSpace S>
AccuracyOf<S> measuring(std::size_t* count = nullptr) {
  return [count](std::span<const Architecture<S>> architectures) {
    std::vector<double> values;
    for (const auto& one : architectures) values.push_back(additive(one));
    if (count != nullptr) *count += architectures.size();
    return values;
  };
}

Predicted small(std::size_t samples) {
  return {.samples = samples, .finalists = 5, .predictor = {.width = 64, .epochs = 100}};
}

/// tau-b on `count` fresh samples, most of which the predictor has not seen.
template <SearchSpace S>
double tau_on_others(const Predicted& predicted, const Restriction<S>& allowed,
                     std::size_t count) {
  at::set_num_threads(1);
  const auto estimate = predicted(allowed, measuring<S>(), Stream(7));
  Stream stream(8);
  const auto others = distinct_samples(allowed, count, stream);
  std::vector<double> truth;
  for (const auto& one : others) truth.push_back(additive(one));
  return tabular::kendall_tau_b(estimate.accuracies(others), truth);
}

}  // namespace

TEST_CASE("an architecture's code has a one for every decision that means something") {
  using Space = space::Ofa;
  CHECK(strategy::encoded_size<Space> == 20 * 3 + 20 * 3 + 5 * 3 + 4);
  CHECK(strategy::encoded_size<space::NasBench201> == 30);
  Architecture<Space> shallow;  // every option the first: depth 2, image 128
  auto deep = shallow;
  deep.set(Space::depth(1), OptionId(2)).set(Space::image(), OptionId(3));
  auto same = shallow;
  same.set(Space::kernel(7), OptionId(1)).set(Space::expand(2), OptionId(2));  // beyond the depths
  const std::vector<Architecture<Space>> all{shallow, deep, same};
  const auto code = strategy::encode(std::span<const Architecture<Space>>(all));
  CHECK(code[0].sum().item<double>() == 10 + 10 + 5 + 1);
  CHECK(code[1].sum().item<double>() == 12 + 12 + 5 + 1);
  CHECK(torch::equal(code[0], code[2]));
  const auto at = [&](std::int64_t row, std::int64_t column) {
    return code[row][column].item<float>();
  };
  CHECK((at(0, 3 * 6) == 0 && at(1, 3 * 6) == 1));      // kernel 6, third layer of the second stage
  CHECK((at(0, 123) == 1 && at(1, 123) == 0));          // depth 1 is 2
  CHECK((at(0, 125) == 0 && at(1, 125) == 1));          // depth 1 is 4
  CHECK((at(0, 135) == 1 && at(1, 138) == 1));          // the image's size
}

TEST_CASE("estimators keep their laws, whatever the space") {
  at::set_num_threads(1);
  const auto laws = []<SearchSpace S>(const auto& estimator, const Restriction<S>& allowed) {
    return testing::check_accuracy_estimator<S>(estimator, allowed, additive<S>);
  };
  const std::vector<std::string> none;
  auto predicted = small(40);
  predicted.predictor.epochs = 5;
  CHECK(laws(Measured{}, Restriction<space::Ofa>()) == none);
  CHECK(laws(predicted, Restriction<space::Ofa>()) == none);
  CHECK(laws(predicted, Restriction<space::Proxyless>()) == none);
  CHECK(laws(predicted, Restriction<space::NasBench201>()) == none);
}

TEST_CASE("a predictor orders architectures it has not seen") {
  CHECK(tau_on_others(small(300), Restriction<space::NasBench201>(), 1000) > 0.9);
  CHECK(tau_on_others(small(400), Restriction<space::Proxyless>(), 1000) > 0.7);
  CHECK(tau_on_others(small(400), Restriction<space::Ofa>(), 1000) > 0.7);
}

TEST_CASE("the held-out figures are those of the part that was not trained on") {
  at::set_num_threads(1);
  using S = space::NasBench201;
  std::vector<Architecture<S>> drawn;
  const AccuracyOf<S> measured = [&](std::span<const Architecture<S>> some) {
    drawn.assign(some.begin(), some.end());
    return measuring<S>()(some);
  };
  const auto predicted = small(100);
  const auto estimate = predicted({}, measured, Stream(1));
  REQUIRE(estimate.quality);
  CHECK(estimate.quality->fitted == 80);
  CHECK(estimate.quality->held_out == 20);
  const auto last = std::span<const Architecture<S>>(drawn).subspan(80);
  const auto guesses = estimate.accuracies(last);
  const auto truth = measuring<S>()(last);
  double squares = 0;
  for (std::size_t i = 0; i < 20; ++i) squares += std::pow(guesses[i] - truth[i], 2);
  CHECK(estimate.quality->tau == Approx(tabular::kendall_tau_b(guesses, truth)));
  CHECK(estimate.quality->rmse == Approx(std::sqrt(squares / 20)).epsilon(1e-4));
  CHECK(estimate.quality->rmse < 0.03);  // additive values have a standard deviation of 0.034

  // What it is told of the held-out part changes nothing in what it says.
  const AccuracyOf<S> other = [&](std::span<const Architecture<S>> some) {
    auto values = measuring<S>()(some);
    for (std::size_t i = 80; i < 100; ++i) values.at(i) = 1 - values[i];
    return values;
  };
  const auto misled = predicted({}, other, Stream(1));
  CHECK(misled.accuracies(last) == guesses);
  CHECK(misled.quality->tau < 0);

  // Nothing to learn is no error: all accuracies alike.
  const AccuracyOf<S> flat = [](std::span<const Architecture<S>> some) {
    return std::vector<double>(some.size(), 0.1);
  };
  const auto unlearnt = predicted({}, flat, Stream(1));
  CHECK(unlearnt.accuracies(last).front() == Approx(0.1));
  CHECK(std::isnan(unlearnt.quality->tau));
}

TEST_CASE("evolution led by a predictor returns measured networks within the limits") {
  at::set_num_threads(1);
  using S = space::Ofa;
  const Restriction<S> allowed;
  const auto is_allowed = [](const Architecture<S>& a) {
    return space::cost(a, {.width = 1.0}).macs <= 250'000'000;
  };
  const Evolution evolution{.population = 40, .generations = 20};
  std::size_t passes = 0;
  const auto predicted = small(400);
  const auto led = strategy::evolve(evolution, predicted, allowed, is_allowed,
                                    measuring<S>(&passes), Stream(3));
  CHECK(passes == 405);
  std::set<Architecture<S>> all;
  for (const auto& one : led.individuals) {
    CHECK(is_allowed(one.architecture));
    CHECK(one.accuracy == additive(one.architecture));
    CHECK(all.insert(one.architecture).second);
  }
  REQUIRE(led.individuals.size() > 5);
  REQUIRE(led.quality);

  // 405 measurements find more than the same number of measured evolution, and than the sample.
  passes = 0;
  const auto measured =
      strategy::evolve(Evolution{.population = 40, .generations = 12}, Measured{}, allowed,
                       is_allowed, measuring<S>(&passes), Stream(3));
  CHECK_FALSE(measured.quality);
  CHECK((passes > 380 && passes < 420));
  const auto best = strategy::best_of(led.individuals).accuracy;
  CHECK(best > strategy::best_of(measured.individuals).accuracy);
  CHECK(strategy::best_of(led.individuals).architecture ==
        strategy::best_of(std::vector(led.individuals.end() - 5, led.individuals.end()))
            .architecture);

  // Measured evolution is evolution.
  const auto plain = evolution(allowed, is_allowed, measuring<S>(), Stream(3));
  const auto same =
      strategy::evolve(evolution, Measured{}, allowed, is_allowed, measuring<S>(), Stream(3));
  REQUIRE(plain.size() == same.individuals.size());
  for (std::size_t i = 0; i < plain.size(); ++i)
    CHECK(plain[i].architecture == same.individuals[i].architecture);
}

TEST_CASE("settings that cannot work and restrictions that are too small are refused") {
  using S = space::NasBench201;
  const auto refuses = [](Predicted predicted, const std::string& sentence,
                          const Restriction<S>& allowed = {}) {
    CHECK_THROWS_WITH(predicted(allowed, measuring<S>(), Stream(1)), Contains(sentence));
  };
  refuses({.samples = 7}, "samples is 7, at least 8");
  refuses({.held_out = 1.0}, "held_out is 1");
  refuses({.finalists = 0}, "finalists is 0");
  refuses({.predictor = {.width = 0}}, "width 0, epochs 100");
  refuses({.predictor = {.rate = {0.0, 0.0}}}, "rate from 0 to 0");
  const auto skips = S::parse("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|"
                              "skip_connect~1|skip_connect~2|");
  refuses({}, "holds 1 networks", Restriction<S>(skips));
}

TEST_CASE("on NAS-Bench-201 a predictor of few hundred architectures ranks the others") {
  const auto csv = testing::data_path("nasbench201.csv");
  if (!csv) {
    WARN("skipped: nasbench201.csv is absent (CLEAVE_DATA)");
    return;
  }
  using S = space::NasBench201;
  at::set_num_threads(1);
  const auto table = tabular::NasBench201Table::read_csv(*csv);
  const tabular::NasBench201Column column{tabular::DataSetName::Cifar10, tabular::Metric::TestAccuracy};
  const AccuracyOf<S> measured = [&](std::span<const Architecture<S>> some) {
    std::vector<double> values;
    for (const auto& one : some) values.push_back(table.value(one, column) / 100);
    return values;
  };
  // [predicted]
  const Predicted predicted{.samples = 300};
  const auto estimate = predicted(Restriction<S>(), measured, Stream(1));
  // [predicted]
  std::set<Architecture<S>> seen;
  for (const auto& one : estimate.measured) seen.insert(one.architecture);
  std::vector<Architecture<S>> others;
  for (std::size_t row = 0; row < table.size(); ++row)
    if (!seen.contains(table.architecture(row))) others.push_back(table.architecture(row));
  const auto tau = tabular::kendall_tau_b(estimate.accuracies(others), measured(others));
  CAPTURE(tau, estimate.quality->tau, estimate.quality->rmse);
  CHECK(tau > 0.6);  // seeds 0 to 2 have 0.68 in the mean
}
