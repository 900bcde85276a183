#include <cleave/engine/step_runner.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/strategy/snas.hpp>
#include <cleave/supernet/darts.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave/testing/step_laws.hpp>
#include <cleave_test.hpp>
#include <string>
#include <vector>

using namespace cleave;
using strategy::Darts;
using strategy::Snas;
using Net = supernet::NasBench201<>;

static_assert(strategy::PreparesSteps<Darts<strategy::FirstOrder>, Net>);
static_assert(strategy::PreparesSteps<Darts<strategy::SecondOrder>, Net>);
static_assert(strategy::PreparesSteps<Snas, Net>);
static_assert(!strategy::PreparesSteps<strategy::Rsps<>, Net>);

namespace {

TrainingStep material(std::int64_t count = 4, std::uint64_t seed = 1) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto images = [&] {
    return torch::randn({count, 3, 8, 8}, generator, at::TensorOptions(at::kFloat));
  };
  const auto labels = torch::arange(count, at::kLong);
  return {.weights = {images(), labels}, .search = {images(), labels.flip(0)}};
}

Net nasbench201(at::Device device) {
  return Net({}, {.channels = 4, .cells = 1, .device = device}, Stream(3));
}

/// DARTS that breaks the laws: the rate is a number that `apply` reads, the alphas move to a new
/// tensor, and the loss is looked at.
struct Careless : Darts<strategy::FirstOrder> {
  void prepare(strategy::AlphaState&, const TrainingStep&, Stream) const {}
  template <MixtureSupernet N>
  StepReport apply(N& net, strategy::AlphaState& state, const TrainingStep& step) const {
    auto report = Darts::step(net, state, step, Stream());
    state.alpha = state.alpha.detach().clone().set_requires_grad(true);
    static_cast<void>(report.loss.template item<float>());
    return report;
  }
};

}  // namespace

TEST_CASE("steps in two parts are the whole steps") {
  const std::vector<std::string> none;
  const auto check = [](const auto& strategy, auto make) {
    return testing::check_prepared_steps(strategy, make, material());
  };
  const auto on_nasbench201 = [] { return nasbench201(at::kCPU); };
  const auto on_darts = [] {
    return supernet::Darts<>({}, {.channels = 4, .cells = 3}, Stream(3));
  };
  CHECK(check(Darts<strategy::FirstOrder>{}, on_nasbench201) == none);
  CHECK(check(Darts<strategy::SecondOrder>{}, on_nasbench201) == none);
  CHECK(check(Snas{}, on_nasbench201) == none);
  CHECK(check(Darts<strategy::SecondOrder>{}, on_darts) == none);
  CHECK(check(Snas{}, on_darts) == none);
}

TEST_CASE("what a strategy does in the wrong part is found") {
  const auto broken = testing::check_prepared_steps(
      Careless{}, [] { return nasbench201(at::kCPU); }, material());
  std::string all;
  for (const auto& sentence : broken) all += sentence + "\n";
  CAPTURE(all);
  CHECK(all.find("reads numbers of the host that change") != std::string::npos);
  CHECK(all.find("puts a new tensor where one was") != std::string::npos);
  CHECK(all.find("apply waits for the device in aten::item") != std::string::npos);
}

namespace {

/// Weights and alphas after steps of DARTS, the last with half a batch.
std::vector<at::Tensor> after_steps(at::Device device, bool capture) {
  auto net = nasbench201(device);
  const Darts<strategy::SecondOrder> strategy;
  auto state = strategy.start(net, Stream(4));
  StepRunner<Darts<strategy::SecondOrder>, Net> take_step(strategy, net, state, capture);
  for (std::uint64_t k = 0; k < 9; ++k) {
    auto step = material(k == 8 ? 2 : 4, k);
    step.progress = static_cast<double>(k) / 9;
    for (auto* batch : {&step.weights, &step.search})
      *batch = {batch->images.to(device), batch->labels.to(device)};
    static_cast<void>(take_step(step, Stream(k)));
  }
  return {net.arena().values().cpu(), state.alpha.detach().cpu()};
}

}  // namespace

TEST_CASE("captured steps are the steps") {
  const auto same = [](at::Device device) {
    const auto plain = after_steps(device, false), captured = after_steps(device, true);
    CHECK(torch::equal(plain[0], captured[0]));
    CHECK(torch::equal(plain[1], captured[1]));
  };
  same(at::kCPU);  // nothing to capture
  if (!at::hasCUDA()) {
    WARN("captured steps are skipped: no CUDA device");
    return;
  }
#ifdef CLEAVE_CUDA
  same(at::kCUDA);
#else
  CHECK_THROWS_AS(after_steps(at::kCUDA, true), DeviceError);
#endif
}

namespace {

template <class Mixer, class Order>
std::size_t waits_of_a_step() {
  supernet::NasBench201<Mixer> net({}, {.channels = 4, .cells = 1}, Stream(1));
  const strategy::Darts<Order> darts;
  auto state = darts.start(net, Stream(2));
  const auto step = material();
  const testing::HostWaits waits;
  (void)darts.step(net, state, step, Stream(3));
  return waits.noted().size();
}

}  // namespace

TEST_CASE("a step never waits for the host") {
  {
    const testing::HostWaits waits;
    (void)torch::ones({}).item<float>();
    REQUIRE(!waits.noted().empty());
  }
  CHECK(waits_of_a_step<supernet::Composed, strategy::FirstOrder>() == 0);
  CHECK(waits_of_a_step<supernet::Composed, strategy::SecondOrder>() == 0);
  CHECK(waits_of_a_step<supernet::Fused, strategy::FirstOrder>() == 0);
  CHECK(waits_of_a_step<supernet::Fused, strategy::SecondOrder>() == 0);
}

TEST_CASE("a rate that the weights' type does not reach is infinite, not an error of LibTorch") {
  auto net = nasbench201(at::kCPU);
  const strategy::Sgd sgd;
  auto state = sgd.start(net.arena());
  state.rate_scale = 1e300;
  sgd.prepare(state, 0.0);
  CHECK(state.rate.isinf().item<bool>());
}
