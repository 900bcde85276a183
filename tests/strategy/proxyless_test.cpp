#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/mobile_network.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/proxyless.hpp>
#include <cleave/supernet/proxyless.hpp>
#include <cleave/testing/toy_chain.hpp>
#include <cleave_test.hpp>
#include <map>

using namespace cleave;
using Space = space::Proxyless;
using Net = supernet::Proxyless;
using Strategy = strategy::Proxyless<>;
using Toy = testing::ToyRagged;
using Chain = testing::ToyChain<Toy>;
using Catch::Matchers::Contains;

static_assert(strategy::SearchStrategy<Strategy, Net>);
static_assert(strategy::SearchStrategy<strategy::Proxyless<strategy::Reinforce>, Chain>);

namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Net::Config config(at::ScalarType scalar = at::kDouble) {
  return {.shape = {.width = 0.25, .image = 8, .image_channels = 1, .classes = 10,
                    .first_stride = 1, .strides = {1, 2, 1, 1, 2, 1}},
          .scalar = scalar};
}

data::Batch batch(std::size_t count, std::int64_t first = 0) {
  std::vector<std::int64_t> images(count);
  for (std::size_t i = 0; i < count; ++i) images[i] = first + static_cast<std::int64_t>(i);
  auto result = data::digits().batch(data::Part::Train, images, false, Stream());
  result.images = result.images.to(at::kDouble);
  return result;
}

/// Random alphas of the toy space behind its restriction.
strategy::AlphaState toy_alphas(const Chain& net, std::uint64_t seed) {
  auto state = strategy::start_alphas(net, {}, {}, 0.0, 1.0, Stream(seed));
  return state;
}

}  // namespace

TEST_CASE("a path of the proxyless supernet is its network; a block left out is its shortcut") {
  Net net({}, config(), Stream(1));
  const auto images = random({6, 1, 8, 8}, 2);
  Stream stream(3);
  for (int i = 0; i < 3; ++i) {
    const auto path = Restriction<Space>().sample(stream);
    network::Proxyless alone(path, {.sizes = config()}, Stream(4));
    const at::NoGradGuard no_grad;
    std::size_t block = 1;
    const auto copy = [&](const std::string& from, const std::string& to) {
      std::size_t copied = 0;
      for (const auto& entry : alone.arena().entries()) {
        if (!entry.name.starts_with(to)) continue;
        at::Tensor own = alone.arena().named(entry.name);
        own.copy_(net.arena().named(from + std::string(entry.name.substr(to.size()))));
        ++copied;
      }
      REQUIRE(copied > 0);
    };
    for (const auto* name : {"first_conv.", "blocks.0.", "feature_mix.", "classifier."})
      copy(name, name);
    for (std::size_t d = 0; d < Space::decision_count; ++d) {
      const auto option = path[DecisionId(d)];
      if (option == Space::zero) continue;
      copy(fmt::format("blocks.{}.{}.", d + 1, Space::option_name(DecisionId(d), option)),
           fmt::format("blocks.{}.", block++));
    }
    CHECK(torch::allclose(net.forward(images, net.context_of(path)), alone.forward(images, true),
                          1e-9, 1e-9));
  }
}

TEST_CASE("two gated paths: shut gates change nothing; gate gradients are finite differences") {
  Net net({}, config(), Stream(1));
  const auto material = batch(12);
  const std::vector<double> even(Space::decision_count * max_options<Space>, 1.0);
  Stream stream(5);
  const auto pairs = strategy::GatePairs<Space>::draw(even, net.restriction(),
                                                      strategy::GateRule::Unbiased, stream);
  Architecture<Space> open;
  for (std::size_t d = 0; d < Space::decision_count; ++d) {
    open.set(DecisionId(d), pairs.of[d].first);
    CHECK(pairs.of[d].first != pairs.of[d].second);
  }
  auto gates = pairs.gates(at::TensorOptions(at::kDouble));
  const auto loss = [&] {
    return at::cross_entropy_loss(net.forward(material.images, pairs.mixture(gates)),
                                  material.labels);
  };
  const strategy::GateGradient<> update;
  const auto [value, gradient] =
      update.gate_gradients(net, pairs, gates, Strategy().option_costs(net), material);
  {
    const at::NoGradGuard no_grad;
    const auto alone = at::cross_entropy_loss(
        net.forward(material.images, net.context_of(open)), material.labels);
    CHECK(torch::allclose(loss(), alone, 1e-10, 1e-10));
    CHECK(torch::allclose(value, alone, 1e-10, 1e-10));
    for (const std::size_t d : {0U, 7U, 20U})
      for (const auto option : {pairs.of[d].first, pairs.of[d].second}) {
        auto gate = gates[static_cast<std::int64_t>(d)][static_cast<std::int64_t>(option.index())];
        const double step = 1e-7;  // activations have kinks
        gate.add_(step);
        const auto plus = loss();
        gate.sub_(2 * step);
        const auto difference = plus.sub(loss()).div(2 * step);
        gate.add_(step);
        const at::Tensor exact =
            gradient[static_cast<std::int64_t>(d)][static_cast<std::int64_t>(option.index())];
        CHECK(difference.item<double>() == Approx(exact.item<double>()).epsilon(1e-3).margin(1e-6));
      }
  }
}

TEST_CASE("over all samples, gate gradients are the gradient of the expected loss") {
  // A loss linear in the gates of each decision: any table of 3 * 2 * 4 path losses.
  const Chain net({}, {.scalar = at::kDouble}, Stream(1));
  const auto state = toy_alphas(net, 2);
  const auto alpha = state.alpha.detach().clone().set_requires_grad(true);
  const auto chances = strategy::probabilities(state, alpha);
  const auto table = strategy::option_weights(state);
  const auto losses = random({3, 2, 4}, 9);
  const auto loss_of = [&](const at::Tensor& gates) {
    const auto row = [&](std::int64_t d) { return gates[d].narrow(0, 0, losses.size(d)); };
    return losses.mul(row(0).view({3, 1, 1})).mul(row(1).view({1, 2, 1})).mul(row(2).view({1, 1, 4}))
        .sum();
  };
  const auto exact = torch::autograd::grad({loss_of(chances)}, {alpha})[0];

  const auto p = [&](std::size_t d, std::size_t o) { return table[d * max_options<Toy> + o]; };
  at::Tensor expected = at::zeros_like(exact);
  double total = 0;
  std::array<std::vector<std::pair<std::size_t, std::size_t>>, 3> all;
  for (std::size_t d = 0; d < 3; ++d)
    for (std::size_t a = 0; a < Toy::option_count(DecisionId(d)); ++a)
      for (std::size_t b = 0; b < Toy::option_count(DecisionId(d)); ++b)
        if (a != b) all[d].emplace_back(a, b);
  for (const auto& first : all[0])
    for (const auto& second : all[1])
      for (const auto& third : all[2]) {
        strategy::GatePairs<Toy> pairs;
        double chance = 1;
        for (const auto& [d, pair] : {std::pair{0U, first}, std::pair{1U, second}, std::pair{2U, third}}) {
          pairs.of[d] = {OptionId(pair.first), OptionId(pair.second)};
          chance *= p(d, pair.first) * p(d, pair.second) / (1 - p(d, pair.first));
        }
        total += chance;
        const auto gates =
            pairs.gates(at::TensorOptions(at::kDouble)).set_requires_grad(true);
        const auto g = torch::autograd::grad({loss_of(gates)}, {gates})[0];
        expected.add_(
            pairs.alpha_gradient(g, chances.detach(), strategy::GateRule::Unbiased), chance);
      }
  CHECK(total == Approx(1.0));
  CHECK(torch::allclose(expected, exact, 1e-10, 1e-12));
  CHECK(exact.abs().max().item<double>() > 0.01);
}

TEST_CASE("pairs are drawn with the probabilities the law above counts with") {
  const Chain net({}, {.scalar = at::kDouble}, Stream(1));
  const auto table = strategy::option_weights(toy_alphas(net, 2));
  std::map<std::pair<std::size_t, std::size_t>, int> counts;
  constexpr int draws = 6000;
  Stream stream(4);
  for (int i = 0; i < draws; ++i) {
    const auto pairs = strategy::GatePairs<Toy>::draw(table, net.restriction(),
                                                      strategy::GateRule::Unbiased, stream);
    ++counts[{pairs.of[2].first.index(), pairs.of[2].second.index()}];
  }
  for (std::size_t a = 0; a < 4; ++a)
    for (std::size_t b = 0; b < 4; ++b) {
      if (a == b) continue;
      const double pa = table[2 * 4 + a];
      const double chance = pa * table[2 * 4 + b] / (1 - pa);
      const double deviation = std::sqrt(draws * chance * (1 - chance));
      CHECK(std::abs(counts[{a, b}] - draws * chance) < 4.5 * deviation + 1);
    }
  // A decision with one option left has no pair.
  const auto narrow = Restriction<Toy>().with(DecisionId(0), {OptionId(1)});
  const auto pairs =
      strategy::GatePairs<Toy>::draw(table, narrow, strategy::GateRule::Literal, stream);
  CHECK((pairs.of[0].first == OptionId(1) && pairs.of[0].second == OptionId(1)));
}

TEST_CASE("both rules of gate gradients agree where there are two options") {
  strategy::GatePairs<Toy> pairs;
  pairs.of = {{{OptionId(0), OptionId(1)}, {OptionId(1), OptionId(0)}, {OptionId(2), OptionId(2)}}};
  const auto chances = at::tensor({0.2, 0.5, 0.3, 0.0, 0.7, 0.3, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4},
                                  at::kDouble).view({3, 4});
  const auto g = random({3, 4}, 3);
  const auto unbiased = pairs.alpha_gradient(g, chances, strategy::GateRule::Unbiased);
  const auto literal = pairs.alpha_gradient(g, chances, strategy::GateRule::Literal);
  CHECK(torch::allclose(unbiased[1], literal[1], 1e-12, 1e-12));
  const at::Tensor pull = g[1][1].sub(g[1][0]).mul(0.3 * 0.7);
  CHECK(torch::allclose(unbiased[1][1], pull, 1e-12, 1e-12));
  CHECK(torch::allclose(unbiased[1][0], pull.neg(), 1e-12, 1e-12));
  CHECK(unbiased[2].abs().sum().item<double>() == 0);
  CHECK_FALSE(torch::allclose(unbiased[0], literal[0]));
}

TEST_CASE("two alphas that moved keep the probability they had together") {
  const Chain net({}, {.scalar = at::kDouble}, Stream(1));
  auto state = toy_alphas(net, 6);
  auto alpha = state.alpha.detach();
  const auto before = alpha.clone();
  const auto p = strategy::probabilities(state, before);
  strategy::GatePairs<Toy> pairs;
  pairs.of = {{{OptionId(2), OptionId(0)}, {OptionId(1), OptionId(1)}, {OptionId(3), OptionId(1)}}};
  alpha[0][2].add_(0.7);
  alpha[0][0].sub_(0.2);
  alpha[2][3].sub_(0.4);
  pairs.rescale(alpha, before);
  const auto q = strategy::probabilities(state, alpha);
  CHECK(torch::allclose(q[0][1], p[0][1], 1e-12, 1e-12));
  CHECK(torch::allclose(q[2][0], p[2][0], 1e-12, 1e-12));
  CHECK(torch::allclose(q[2][2], p[2][2], 1e-12, 1e-12));
  CHECK(torch::equal(alpha[1], before[1]));
  CHECK_FALSE(torch::allclose(q[0][2], p[0][2]));
  const at::Tensor apart = (alpha[0][2] - alpha[0][0]) - (before[0][2] - before[0][0]);
  CHECK(apart.item<double>() == Approx(0.9));
}

TEST_CASE("over all pairs of paths, REINFORCE is the gradient of the expected reward, network and all") {
  const Chain net({}, {.scalar = at::kDouble}, Stream(1));
  const auto state = toy_alphas(net, 2);
  const auto alpha = state.alpha.detach().clone().set_requires_grad(true);
  const auto probabilities = strategy::probabilities(state, alpha);
  const auto material = batch(20);
  const Restriction<Toy> all;
  std::vector<at::Tensor> paths;
  std::vector<at::Tensor> chances;
  std::vector<at::Tensor> rewards;
  for (Count i = 0; i < all.count(); ++i) {
    const auto path = all.at(i);
    paths.push_back(strategy::Reinforce::one_hot<Toy>(path, at::TensorOptions(at::kDouble)));
    chances.push_back(probabilities.mul(paths.back()).sum(1).prod());
    rewards.push_back(at::cross_entropy_loss(net.forward(material.images, net.context_of(path)),
                                             material.labels).detach().neg());
  }
  const auto chance = at::stack(chances);
  CHECK(chance.sum().item<double>() == Approx(1.0));
  const auto exact =
      torch::autograd::grad({chance.mul(at::stack(rewards)).sum().neg()}, {alpha})[0];
  at::Tensor expected = at::zeros_like(exact);
  for (std::size_t i = 0; i < paths.size(); ++i)
    for (std::size_t j = 0; j < paths.size(); ++j)
      expected.add_(strategy::Reinforce::gradient(probabilities.detach(),
                                                  at::stack({paths[i], paths[j]}),
                                                  at::stack({rewards[i], rewards[j]}))
                        .mul(chances[i].detach().mul(chances[j].detach())));
  CHECK(torch::allclose(expected, exact, 1e-9, 1e-12));
  CHECK(exact.abs().max().item<double>() > 1e-4);
}

namespace {

/// A supernet whose paths are right on so many of 100 images: 0.2 for every block whose option is
/// `best`, and more or less when the batch is easy or hard.
struct Bandit : Chain {
  using Chain::Chain;
  static constexpr std::array<std::size_t, 3> best{2, 0, 3};
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& path) const {
    const at::Tensor ease = images.flatten()[0];
    double right = 20 + ease.item<double>();
    for (std::size_t d = 0; d < 3; ++d)
      if (path[DecisionId(d)] == OptionSet{OptionId(best[d])}) right += 20;
    const auto hits = at::arange(100, at::kDouble).lt(right).to(at::kDouble);
    return at::stack({hits, 1 - hits}, 1);
  }
};
static_assert(MixtureSupernet<Bandit>);

}  // namespace

TEST_CASE("REINFORCE finds the best option of every block, however easy batches are") {
  at::set_num_threads(1);
  const auto labels = at::zeros({100}, at::kLong);
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    CAPTURE(seed);
    const Bandit net({}, {.scalar = at::kDouble}, Stream(seed));
    const strategy::Adam adam{.rate = 0.03, .beta1 = 0, .weight_decay = 0};
    const strategy::Reinforce update{.paths = 4};
    auto state = strategy::start_alphas(net, {}, adam, 0.0, 1e-3, Stream(seed));
    Stream ease(seed + 50);
    for (std::uint64_t i = 0; i < 400; ++i) {
      const data::Batch material{at::full({100, 1, 1, 1}, 20 * ease.uniform() - 10, at::kDouble),
                                 labels};
      const auto table = strategy::option_weights(state);
      (void)update.step(net, state, adam, {at::zeros({3, 4}, at::kDouble), 1.0}, material, table,
                        Stream(seed).fork(i));
    }
    const auto table = strategy::option_weights(state);
    for (std::size_t d = 0; d < 3; ++d) CHECK(table[d * 4 + Bandit::best[d]] > 0.9);
  }
  const Bandit net({}, {.scalar = at::kDouble}, Stream(1));
  CHECK_THROWS_WITH(
      (strategy::Proxyless<strategy::Reinforce>{.update = {.paths = 1}}.start(net, Stream(1))),
      Contains("1 paths per step, at least 2"));
}

TEST_CASE("what the options cost adds up to the networks' multiply-adds; cost terms and their pull") {
  Net net({}, config(), Stream(1));
  const auto costs = Strategy().option_costs(net);
  Stream stream(3);
  for (int i = 0; i < 5; ++i) {
    const auto path = Restriction<Space>().sample(stream);
    const auto chosen = strategy::Reinforce::one_hot<Space>(path, at::TensorOptions(at::kDouble));
    const at::Tensor cost = costs.expected(chosen);
    CHECK(cost.item<double>() ==
          static_cast<double>(space::cost(path, config().shape).macs));
  }
  const auto loss = at::tensor(2.0, at::kDouble);
  const auto cost = at::tensor(3e8, at::kDouble);
  const at::Tensor linear = strategy::AddLinear{.weight = 0.5, .reference = 2e8}(loss, cost);
  CHECK(linear.item<double>() == Approx(2.25));
  const at::Tensor log = strategy::MulLog{.alpha = 0.2, .beta = 0.3, .reference = 2e8}(loss, cost);
  CHECK(log.item<double>() == Approx(0.4 * std::pow(std::log(3e8) / std::log(2e8), 0.3)));

  // A latency in milliseconds may be below 1, where a logarithm is of no use.
  strategy::Proxyless<strategy::GateGradient<strategy::MulLog>> fast;
  fast.cost = [](const space::MobileNetwork& network) { return 0.125 * double(network.blocks.size()); };
  CHECK_THROWS_WITH(fast.start(net, Stream(1)), Contains("mul-log") && Contains("network 0.875"));
  const auto few = fast.option_costs(net);
  CHECK(few.least == Approx(0.875));  // first block and one of each stage
  Architecture<Space> deep;
  const at::Tensor all = few.expected(strategy::Reinforce::one_hot<Space>(deep, at::kDouble));
  CHECK(all.item<double>() == Approx(2.75));
  CHECK_THROWS_AS((strategy::Proxyless<strategy::GateGradient<strategy::AddLinear>>{
                       .update = {{.reference = 0}}}.start(net, Stream(1))), ValueError);

  // The cost pulls every gate by what its option costs.
  const auto material = batch(8);
  const std::vector<double> even(Space::decision_count * max_options<Space>, 1.0);
  const auto pairs = strategy::GatePairs<Space>::draw(even, net.restriction(),
                                                      strategy::GateRule::Unbiased, stream);
  const auto chances = at::full({21, 7}, 1.0 / 7, at::kDouble);
  const auto plain = strategy::GateGradient<>{}.gate_gradients(net, pairs, chances, costs, material);
  const strategy::GateGradient<strategy::AddLinear> dear{{.weight = 0.5, .reference = 1e6}};
  const auto priced = dear.gate_gradients(net, pairs, chances, costs, material);
  CHECK(torch::allclose(priced.second - plain.second, costs.table * 0.5e-6, 1e-9, 1e-12));
}

TEST_CASE("weights warm up on uniform paths; then paths follow alpha, which moves every few steps") {
  Chain net({}, {.scalar = at::kDouble}, Stream(1));
  strategy::Proxyless<> strategy{.warm_up = 0.5, .alpha_every = 2};
  auto state = strategy.start(net, Stream(2));
  {
    auto alpha = state.alpha.detach();
    alpha.zero_();
    for (std::int64_t d = 0; d < 3; ++d) alpha[d][1].fill_(20.0);  // option 1, surely
  }
  const auto begin = state.alpha.detach().clone();
  const auto step = [&](double progress, std::uint64_t i) {
    return strategy.step(net, state, {.weights = batch(16), .search = batch(16, 16),
                                      .progress = progress}, Stream(i));
  };
  std::set<std::string> before;
  for (std::uint64_t i = 0; i < 40; ++i)
    for (std::size_t d = 0; d < 3; ++d)
      for (const auto o : strategy.context(net, state, Stream(i))[DecisionId(d)])
        before.insert(fmt::format("{} {}", d, o.index()));
  CHECK(before.size() == 3 + 2 + 4);
  for (std::uint64_t i = 0; i < 4; ++i) {
    CHECK_FALSE(step(0.1, i).search_loss.defined());
    CHECK(torch::equal(state.alpha.detach(), begin));
  }
  CHECK_FALSE(step(0.6, 5).search_loss.defined());
  CHECK(step(0.6, 6).search_loss.defined());
  CHECK_FALSE(step(0.6, 7).search_loss.defined());
  for (std::uint64_t i = 0; i < 10; ++i) {
    const auto path = strategy.context(net, state, Stream(i));
    for (std::size_t d = 0; d < 3; ++d) CHECK(path[DecisionId(d)] == OptionSet{OptionId(1)});
  }
  CHECK_THROWS_AS((strategy::Proxyless<>{.warm_up = 1.0}).start(net, Stream(1)), ValueError);
  CHECK_THROWS_AS((strategy::Proxyless<>{.alpha_every = 0}).start(net, Stream(1)), ValueError);
}

TEST_CASE("gate gradients find the option that is better") {
  // Block 2 of the toy chain as the only decision: a convolution beats nothing.
  at::set_num_threads(1);
  const auto allowed = Restriction<Toy>(Architecture<Toy>())
                           .with(DecisionId(2), {OptionId(2), OptionId(3)});
  Chain net(allowed, {.scalar = at::kDouble}, Stream(1));
  const Strategy strategy{.weights = {.rate = {0.05, 0.05}, .clip = 0},
                          .warm_up = 0.3,
                          .alpha = {.rate = 0.05, .beta1 = 0, .weight_decay = 0},
                          .alpha_every = 1};
  auto state = strategy.start(net, Stream(2));
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto k = static_cast<std::int64_t>(i % 10);
    (void)strategy.step(net, state, {.weights = batch(40, 40 * k), .search = batch(40, 600 + 40 * k),
                                     .progress = static_cast<double>(i) / 200}, Stream(i));
  }
  CHECK(strategy.option_weights(net, state)[2 * 4 + 2] > 0.6);
}

TEST_CASE("REINFORCE on digits takes the block the supernet is better with, or the cheaper of equals") {
  at::set_num_threads(1);
  const auto allowed = Restriction<Toy>(Architecture<Toy>())
                           .with(DecisionId(2), {OptionId(2), OptionId(3)});
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    // At a small rate the classifier learns from a 5x5 convolution with large weights long before it
    // learns from nothing.
    Chain net(allowed, {.scalar = at::kDouble}, Stream(seed));
    const strategy::Proxyless<strategy::Reinforce> strategy{
        .weights = {.rate = {5e-4, 5e-4}, .weight_decay = 0, .clip = 0},
        .warm_up = 0,
        .alpha = {.rate = 0.05, .beta1 = 0, .weight_decay = 0},
        .alpha_every = 1,
        .update = {.paths = 4}};
    const auto enlarge = [&] {
      const at::NoGradGuard no_grad;
      at::Tensor(net.arena().named("block2.conv5")).mul_(30);
    };
    enlarge();
    auto state = strategy.start(net, Stream(seed));
    for (std::uint64_t i = 0; i < 80; ++i) {
      const auto k = static_cast<std::int64_t>(i % 10);
      (void)strategy.step(net, state,
                          {.weights = batch(40, 40 * k), .search = batch(40, 600 + 40 * k)},
                          Stream(seed).fork(i));
    }
    const at::NoGradGuard no_grad;
    const auto accuracy = [&](std::size_t option) {
      const auto material = batch(200, 1100);
      const auto path = Architecture<Toy>().set(DecisionId(2), OptionId(option));
      const auto logits = net.forward(material.images, net.context_of(path));
      return logits.argmax(1).eq(material.labels).to(at::kDouble).mean().item<double>();
    };
    REQUIRE(accuracy(2) > accuracy(3) + 0.1);
    CHECK(strategy.option_weights(net, state)[2 * 4 + 2] > 0.85);
  }
  // Both options compute the same: what they cost decides.
  const Chain net(allowed, {.scalar = at::kDouble}, Stream(1));
  {
    const at::NoGradGuard no_grad;
    at::Tensor(net.arena().named("block2.conv5")).zero_();
  }
  const strategy::Adam adam{.rate = 0.05, .beta1 = 0, .weight_decay = 0};
  auto prices = at::zeros({3, 4}, at::kDouble);
  prices[2][2].fill_(1e6);
  auto state = strategy::start_alphas(net, {}, adam, 0.0, 1e-3, Stream(1));
  const strategy::Reinforce update{.paths = 4, .tradeoff = -0.5, .reference = 1e6};
  for (std::uint64_t i = 0; i < 120; ++i)
    (void)update.step(net, state, adam, {prices, 1e6}, batch(40, 0), strategy::option_weights(state),
                      Stream(i));
  CHECK(strategy::option_weights(state)[2 * 4 + 3] > 0.9);
}

TEST_CASE("Proxyless: splits of 2, then 3, give 6 leaves that go on from their parents") {
  at::set_num_threads(1);
  using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                           split::Among<>, split::FixedRepeats>;
  using Search = FewShotSearch<Space, Strategy, Matching>;
  typename Search::Settings settings;
  settings.schedule = {.splits = {{2, 2}, {3, 3}}, .final_epochs = 1, .restart = Restart::None,
                       .freeze_architecture = false};
  settings.supernet = config(at::kFloat);
  settings.network.sizes = config(at::kFloat);
  settings.trial.batch = 48;
  settings.batch = 30;
  settings.seed = 5;
  std::vector<DecisionId> some{DecisionId(1), DecisionId(9), DecisionId(20)};
  const Search search(settings, {}, {.edges = {.decisions = some}, .repeats = {.count = 1}},
                      {.rungs = {1}});
  const auto result = search.run(data::digits().take(200, 40));
  REQUIRE(result.leaves.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(result.tree[result.leaves[i].node].restriction.contains(result.leaves[i].genotype));
    CHECK(result.leaves[i].alpha.has_value());
    for (std::size_t j = 0; j < i; ++j)
      CHECK_FALSE(intersect(result.tree[result.leaves[i].node].restriction,
                            result.tree[result.leaves[j].node].restriction));
  }
  for (const auto& split : result.splits) {
    const auto n = result.tree[split.node].restriction[split.outcome.split.decision].size();
    const auto groups = split.outcome.split.groups.size();
    for (const auto& group : split.outcome.split.groups)
      CHECK((group.size() == n / groups || group.size() == n / groups + 1));
  }
}
