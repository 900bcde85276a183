#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/finite.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim.h>
#include <vector>

using namespace cleave;
using Space = space::NasBench201;
using Net = supernet::NasBench201<>;

namespace {

Net::Config tiny() { return {.channels = 2, .cells = 1, .scalar = at::kDouble}; }

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

TrainingStep step_of(std::uint64_t seed) {
  const auto labels = [](std::int64_t first) {
    return torch::arange(first, first + 6, at::kLong).remainder(10);
  };
  return {.weights = {random({6, 3, 8, 8}, seed), labels(0)},
          .search = {random({6, 3, 8, 8}, seed + 1), labels(3)}};
}

double apart(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Two weights in a float64 arena.
WeightArena small_arena() {
  WeightArena arena;
  arena.declare("first", WeightGroup::shared(), {4, 3}, Initialiser::fan_in(3));
  arena.declare("second", WeightGroup::unscored(), {5}, Initialiser::fan_in(2));
  arena.build(at::TensorOptions(at::kDouble), Stream(1));
  return arena;
}

/// Frees every decision but leaves some options out.
Restriction<Space> narrow() {
  return Restriction<Space>()
      .with(DecisionId(0), {Space::none, Space::nor_conv_3x3})
      .with(DecisionId(4), {Space::skip_connect});
}

}  // namespace

TEST_CASE("SGD takes LibTorch's steps, with and without Nesterov's rule and clipping") {
  for (const bool nesterov : {true, false})
    for (const double clip : {0.0, 2.0}) {
      CAPTURE(nesterov, clip);
      auto arena = small_arena();
      auto theirs = arena.values().clone().set_requires_grad(true);
      torch::optim::SGD optimiser(
          {theirs},
          torch::optim::SGDOptions(0.05).momentum(0.9).weight_decay(5e-4).nesterov(nesterov));
      const strategy::Sgd sgd{.rate = {0.05, 0.05},
                              .momentum = 0.9,
                              .weight_decay = 5e-4,
                              .nesterov = nesterov,
                              .clip = clip};
      auto state = sgd.start(arena);
      for (std::uint64_t k = 0; k < 5; ++k) {
        const auto gradient = random({arena.size()}, 10 + k);
        auto ours = arena.gradients();
        ours.copy_(gradient);
        theirs.mutable_grad() = gradient.clone();
        if (clip > 0) torch::nn::utils::clip_grad_norm_({theirs}, clip);
        optimiser.step();
        const auto norm = sgd.step(arena, state, 0.1 * static_cast<double>(k));
        CHECK(norm.item<double>() == Approx(gradient.norm().item<double>()).epsilon(1e-12));
        CHECK(apart(arena.values(), theirs.detach()) < 1e-12);
      }
    }
}

TEST_CASE("Adam takes LibTorch's steps") {
  auto ours = random({6, 5}, 1);
  auto theirs = ours.clone().set_requires_grad(true);
  const strategy::Adam adam;
  torch::optim::Adam optimiser({theirs}, torch::optim::AdamOptions(adam.rate)
                                             .betas({adam.beta1, adam.beta2})
                                             .weight_decay(adam.weight_decay)
                                             .eps(adam.epsilon));
  auto state = adam.start(ours);
  for (std::uint64_t k = 0; k < 5; ++k) {
    const auto gradient = random({6, 5}, 20 + k);
    theirs.mutable_grad() = gradient.clone();
    optimiser.step();
    adam.step(ours, gradient, state);
    CHECK(apart(ours, theirs.detach()) < 1e-12);
  }
  CHECK(state.steps == 5);
}

TEST_CASE("a cosine rate begins, halves and ends where it should") {
  const strategy::CosineRate rate{0.1, 0.02};
  CHECK(rate.at(0) == Approx(0.1).epsilon(1e-15));
  CHECK(rate.at(0.5) == Approx(0.06).epsilon(1e-12));
  CHECK(rate.at(1) == Approx(0.02).epsilon(1e-15));
  for (int k = 0; k < 100; ++k) CHECK(rate.at(k / 100.0) > rate.at((k + 1) / 100.0));
}

TEST_CASE("the second-order gradient leaves weights, moments and alpha as they were") {
  Net net({}, tiny(), Stream(1));
  const strategy::Darts<> darts;
  auto state = darts.start(net, Stream(2));
  state.weight_moments.momentum.copy_(random({net.arena().size()}, 3));
  const auto values = net.arena().values().clone();
  const auto momentum = state.weight_moments.momentum.clone();
  const auto alpha = state.alpha.detach().clone();
  const auto [loss, gradient] = darts.alpha_gradient(net, state, step_of(4));
  CHECK(gradient.abs().max().item<double>() > 0);
  CHECK_FALSE(gradient.requires_grad());
  CHECK_FALSE(loss.requires_grad());
  CHECK(torch::equal(net.arena().values(), values));
  CHECK(torch::equal(state.weight_moments.momentum, momentum));
  CHECK(torch::equal(state.alpha.detach(), alpha));
  CHECK_FALSE(state.alpha.grad().defined());
  CHECK(state.alpha_moments.steps == 0);
}

TEST_CASE("the second-order gradient is the derivative through the unrolled step") {
  // d/d alpha of L_val(w - rate (m momentum + dL_train/dw(alpha) + decay w), alpha), by central
  // differences in alpha: the whole chain, nothing of the closed formula.
  Net net({}, tiny(), Stream(5));
  strategy::Darts<> darts;
  darts.weights.rate = {0.01, 0.01};
  darts.order.radius = 1e-4;
  auto state = darts.start(net, Stream(6));
  state.alpha.detach().copy_(random({6, 5}, 7));
  state.weight_moments.momentum.copy_(random({net.arena().size()}, 8).mul(0.1));
  const auto step = step_of(9);
  const auto ours = darts.alpha_gradient(net, state, step).second;

  const auto before = net.arena().values().clone();
  const auto loss_at = [&](const at::Tensor& alpha, const data::Batch& batch) {
    const auto context = Mixture<Space>::weighted({}, alpha.softmax(1));
    return at::cross_entropy_loss(net.forward(batch.images, context), batch.labels);
  };
  const auto unrolled = [&](const at::Tensor& alpha) {
    at::Tensor values = net.arena().values();
    at::Tensor gradients = net.arena().gradients();
    gradients.zero_();
    loss_at(alpha, step.weights).backward();
    const at::NoGradGuard no_grad;
    values.sub_(gradients + 0.9 * state.weight_moments.momentum + 5e-4 * before, 0.01);
    const double loss = loss_at(alpha, step.search).item<double>();
    values.copy_(before);
    return loss;
  };
  constexpr double h = 1e-5;
  for (std::uint64_t direction = 0; direction < 4; ++direction) {
    const auto d = random({6, 5}, 30 + direction);
    const auto alpha = state.alpha.detach();
    const double slope = (unrolled(alpha + h * d) - unrolled(alpha - h * d)) / (2 * h);
    CHECK((ours * d).sum().item<double>() == Approx(slope).epsilon(1e-4).margin(1e-7));
  }
}

TEST_CASE("options outside the restriction get no probability and no gradient") {
  Net net(narrow(), tiny(), Stream(1));
  strategy::Darts<> darts;
  darts.alpha_deviation = 1;
  auto state = darts.start(net, Stream(2));
  // The heaviest alphas stand where nothing is allowed.
  state.alpha.detach()[0][1] = 50.0;
  state.alpha.detach()[4][3] = 50.0;
  const auto table = darts.probabilities(state, state.alpha.detach());
  CHECK(apart(table.sum(1), torch::ones({6}, at::kDouble)) < 1e-12);
  const auto gradient = darts.alpha_gradient(net, state, step_of(3)).second;
  CHECK(gradient.isfinite().all().item<bool>());
  for (std::int64_t d = 0; d < 6; ++d)
    for (std::int64_t o = 0; o < 5; ++o) {
      const auto decision = DecisionId(static_cast<std::size_t>(d));
      const bool open = narrow()[decision].contains(OptionId(static_cast<std::size_t>(o)));
      CAPTURE(d, o);
      CHECK((table[d][o].item<double>() > 0) == open);
      if (!open) CHECK(gradient[d][o].item<double>() == 0);
    }
  const auto derived = darts.derive(net, state, Judge<Net>{}, Stream(4));
  CHECK(narrow().contains(derived));
}

TEST_CASE("DARTS derives the heaviest allowed options") {
  Net net({}, tiny(), Stream(1));
  const strategy::Darts<> darts;
  auto state = darts.start(net, Stream(2));
  Architecture<Space> heaviest;
  for (std::size_t d = 0; d < 6; ++d) {
    heaviest.set(DecisionId(d), OptionId((d * 2 + 1) % 5));
    state.alpha.detach()[static_cast<std::int64_t>(d)][static_cast<std::int64_t>((d * 2 + 1) % 5)] =
        1.0;
  }
  CHECK(darts.derive(net, state, Judge<Net>{}, Stream(4)) == heaviest);
}

TEST_CASE("frozen alphas do not move, thawed ones do, weights always do") {
  Net net({}, tiny(), Stream(1));
  const strategy::Darts<> darts;
  auto state = darts.start(net, Stream(2));
  const auto alpha = state.alpha.detach().clone();
  auto values = net.arena().values().clone();
  auto step = step_of(5);
  step.update_architecture = false;
  auto report = darts.step(net, state, step, Stream(3));
  CHECK(torch::equal(state.alpha.detach(), alpha));
  CHECK_FALSE(report.search_loss.defined());
  CHECK(apart(net.arena().values(), values) > 0);
  step.update_architecture = true;
  values = net.arena().values().clone();
  report = darts.step(net, state, step, Stream(3));
  CHECK(report.search_loss.defined());
  CHECK(report.gradient_norm.item<double>() > 0);
  CHECK(apart(state.alpha.detach(), alpha) > 0);
  CHECK(apart(net.arena().values(), values) > 0);
  CHECK(state.alpha_moments.steps == 1);
}

TEST_CASE("a step depends on its arguments alone") {
  const strategy::Darts<> darts;
  std::vector<at::Tensor> values;
  std::vector<at::Tensor> alphas;
  for (int run = 0; run < 2; ++run) {
    Net net({}, tiny(), Stream(1));
    auto state = darts.start(net, Stream(2));
    for (std::uint64_t k = 0; k < 3; ++k) {
      (void)darts.step(net, state, step_of(k), Stream(k));
      (void)torch::rand({7});  // the global generator is nobody's business
    }
    values.push_back(net.arena().values().clone());
    alphas.push_back(state.alpha.detach().clone());
  }
  CHECK(torch::equal(values[0], values[1]));
  CHECK(torch::equal(alphas[0], alphas[1]));
}

TEST_CASE("a child inherits alphas, Adam's moments and its weights' momentum") {
  Net parent({}, tiny(), Stream(1));
  const strategy::Darts<> darts;
  auto state = darts.start(parent, Stream(2));
  for (std::uint64_t k = 0; k < 2; ++k) (void)darts.step(parent, state, step_of(k), Stream(k));
  Net child(narrow(), tiny(), Stream(9));
  child.arena().inherit(parent.arena(), parent.arena().values(), child.arena().values());
  auto inherited = darts.inherit(parent, state, child);

  CHECK(torch::equal(inherited.alpha.detach(), state.alpha.detach()));
  CHECK(inherited.alpha.requires_grad());
  CHECK(torch::equal(inherited.alpha_moments.first, state.alpha_moments.first));
  CHECK(torch::equal(inherited.alpha_moments.second, state.alpha_moments.second));
  CHECK(inherited.alpha_moments.steps == 2);
  const auto momentum_before = state.weight_moments.momentum.clone();
  const auto theirs = parent.arena().make_row(momentum_before);
  for (const auto& entry : child.arena().entries()) {
    CAPTURE(std::string(entry.name));
    CHECK(torch::equal(child.arena().named(entry.name), parent.arena().named(entry.name)));
    const auto ours = inherited.weight_moments.momentum.narrow(0, entry.slice.range.begin,
                                                               entry.slice.range.size());
    bool found = false;
    for (const auto& other : parent.arena().entries())
      if (other.name == entry.name) {
        found = true;
        CHECK(torch::equal(
            ours, momentum_before.narrow(0, other.slice.range.begin, other.slice.range.size())));
      }
    CHECK(found);
  }
  CHECK(theirs.size() > child.arena().entries().size());

  // They share no storage: what the child does is not seen by the parent.
  const auto alpha = state.alpha.detach().clone();
  const auto first = state.alpha_moments.first.clone();
  const auto values = parent.arena().values().clone();
  (void)darts.step(child, inherited, step_of(7), Stream(7));
  CHECK(torch::equal(state.alpha.detach(), alpha));
  CHECK(torch::equal(state.alpha_moments.first, first));
  CHECK(torch::equal(state.weight_moments.momentum, momentum_before));
  CHECK(torch::equal(parent.arena().values(), values));
}

TEST_CASE("the finite guard names the images, the weight, the loss or the gradient, and the place") {
  auto arena = small_arena();
  const auto one = torch::ones({}, at::kDouble);
  const auto nan = torch::full({}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  const auto infinity = torch::full({}, std::numeric_limits<double>::infinity(), at::kDouble);
  const auto where = [] { return std::string("training leaf 1.0, epoch 2, step 3"); };
  auto images = torch::ones({2, 1, 2, 2}, at::kDouble);
  const auto message = [&](const at::Tensor& loss, const at::Tensor& norm) -> std::string {
    strategy::FiniteGuard guard;
    try {
      const auto verdict = guard.check(arena, images, loss, norm, where);
      CHECK(verdict == strategy::FiniteGuard::Verdict::Fine);
    } catch (const NumericalError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message(one, one).empty());
  for (const auto& bad : {nan, infinity}) {
    CHECK(message(bad, one).find("training leaf 1.0, epoch 2, step 3: the loss is not finite") == 0);
    CHECK(message(one, bad).find("the norm of the gradient is not finite") != std::string::npos);
  }
  const at::NoGradGuard no_grad;
  arena.named("first").grad().fill_(std::numeric_limits<double>::quiet_NaN());
  CHECK(message(one, nan).find("the gradient of first is not finite") != std::string::npos);
  at::Tensor weight = arena.named("first");
  weight[1][2] = std::numeric_limits<double>::infinity();
  CHECK(message(nan, nan).find("weight first is not finite") != std::string::npos);
  images[1][0][1][0] = nan;
  CHECK(message(nan, nan).find("the images are not finite") != std::string::npos);
}

TEST_CASE("skipping and rolling back give up when they do not help") {
  auto arena = small_arena();
  const auto one = torch::ones({}, at::kDouble);
  const auto nan = torch::full({}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  using Guard = strategy::FiniteGuard;
  const auto where = [] { return std::string("here"); };
  Guard skipping(strategy::NonFinite::SkipStep);
  for (std::size_t i = 0; i < 2 * Guard::most_skips; ++i) {  // now and then: for ever
    CHECK(skipping.check(arena, one, nan, one, where) == Guard::Verdict::Skipped);
    CHECK(skipping.check(arena, one, one, one, where) == Guard::Verdict::Fine);
  }
  for (std::size_t i = 0; i < Guard::most_skips; ++i)
    CHECK(skipping.check(arena, one, nan, one, where) == Guard::Verdict::Skipped);
  CHECK_THROWS_WITH(skipping.check(arena, one, nan, one, where),
                    Catch::Matchers::Contains("101 times in a row"));

  Guard rolling(strategy::NonFinite::RollBack);
  for (std::size_t i = 0; i < Guard::most_rollbacks; ++i) {  // the same epoch fails again and again
    CHECK(rolling.check(arena, one, nan, one, where) == Guard::Verdict::RollBack);
    CHECK(rolling.check(arena, one, one, one, where) == Guard::Verdict::Fine);
  }
  CHECK_THROWS_AS(rolling.check(arena, one, nan, one, where), NumericalError);
}

TEST_CASE("a gradient that is not finite moves neither weights nor moments") {
  auto arena = small_arena();
  const strategy::Sgd sgd{};
  auto state = sgd.start(arena);
  const at::NoGradGuard no_grad;
  arena.gradients().fill_(0.5);
  sgd.step(arena, state, 0.0);  // some momentum to keep
  const auto weights = arena.values().clone();
  const auto momentum = state.momentum.clone();
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity()}) {
    arena.gradients().fill_(0.5);
    arena.gradients()[1] = bad;
    const at::Tensor norm = sgd.step(arena, state, 0.1);
    CHECK_FALSE(std::isfinite(norm.item<double>()));
    CHECK(torch::equal(arena.values(), weights));
    CHECK(torch::equal(state.momentum, momentum));
  }
  auto alpha = torch::ones({2, 3}, at::kDouble);
  const strategy::Adam adam{};
  auto moments = adam.start(alpha);
  adam.step(alpha, torch::ones({2, 3}, at::kDouble), moments);
  const auto before = alpha.clone();
  const auto first = moments.first.clone();
  auto gradient = torch::ones({2, 3}, at::kDouble);
  gradient[0][1] = std::numeric_limits<double>::quiet_NaN();
  adam.step(alpha, gradient, moments);
  CHECK(torch::equal(alpha, before));
  CHECK(torch::equal(moments.first, first));
}
