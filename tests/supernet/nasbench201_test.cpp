#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <string>
#include <vector>

#include "fused_by_type.hpp"

using namespace cleave;
using Space = space::NasBench201;
using Net = supernet::NasBench201<testing::FusedByType>;

namespace {

Net::Config sizes(std::int64_t channels, at::ScalarType type = at::kDouble) {
  return {.channels = channels, .cells = 1, .scalar = type};
}

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Mixture<Space> weighted(const Restriction<Space>& allowed, std::uint64_t seed) {
  return Mixture<Space>::weighted(allowed, random({6, 5}, seed).softmax(1));
}

/// Two edges with some options left out, among them both convolutions of edge 3.
Restriction<Space> narrow() {
  return Restriction<Space>()
      .with(DecisionId(0), {Space::skip_connect, Space::nor_conv_3x3})
      .with(DecisionId(3), {Space::none, Space::avg_pool_3x3});
}

std::string error_of(const Net& net, const Mixture<Space>& mixture) {
  try {
    (void)net.forward(random({2, 3, 8, 8}, 1), mixture);
  } catch (const ValueError& error) {
    return error.what();
  }
  return "";
}

bool has_grad(const Net& net, DecisionId decision, OptionId option) {
  const auto range = net.arena().range_of(decision, option);
  return net.arena().gradients().narrow(0, range.begin, range.size()).abs().max().item<double>() >
         0;
}

}  // namespace

TEST_CASE("a restricted supernet holds the weights of its options alone") {
  const std::int64_t c = 4;
  const Net full({}, sizes(c), Stream(1));
  const Net part(narrow(), sizes(c), Stream(1));
  // One cell in each stage of c, 2c and 4c channels.
  const std::int64_t squares = c * c + 4 * c * c + 16 * c * c;
  CHECK(full.arena().size() - part.arena().size() == squares * (1 + 1 + 9));
  CHECK(part.arena().range_of(DecisionId(0), Space::nor_conv_1x1).size() == 0);
  CHECK(part.arena().range_of(DecisionId(0), Space::nor_conv_3x3).size() == 9 * squares);
  CHECK(part.arena().range_of(DecisionId(3)).size() == 0);
  CHECK(full.arena().range_of(DecisionId(3)).size() == 10 * squares);
  for (const auto& entry : part.arena().entries())
    if (entry.group.kind == WeightGroup::Kind::Option)
      CHECK(narrow()[entry.group.decision].contains(entry.group.option));
  CHECK(part.restriction() == narrow());
}

TEST_CASE("weights do not depend on what else the supernet holds") {
  const Net full({}, sizes(2), Stream(1));
  const Net part(narrow(), sizes(2), Stream(1));
  for (const auto& entry : part.arena().entries())
    CHECK(torch::equal(part.arena().named(entry.name), full.arena().named(entry.name)));
}

TEST_CASE("an option that was left out cannot be asked for") {
  const Net part(narrow(), sizes(2), Stream(1));
  const auto inside = weighted(narrow(), 1);
  CHECK(error_of(part, inside).empty());
  // With weights of its own, and without any.
  const auto convolution =
      error_of(part, part.probe(inside, DecisionId(3), Space::nor_conv_3x3, Probe::Hard));
  CHECK(convolution.find("3<-0") != std::string::npos);
  CHECK(convolution.find("nor_conv_3x3") != std::string::npos);
  const auto skip =
      error_of(part, part.probe(inside, DecisionId(3), Space::skip_connect, Probe::Hard));
  CHECK(skip.find("3<-0") != std::string::npos);
  CHECK(skip.find("skip_connect") != std::string::npos);
  CHECK_FALSE(error_of(part, weighted({}, 1)).empty());
}

TEST_CASE("a restricted supernet computes what the full one does with those options") {
  const Net full({}, sizes(4), Stream(1));
  Net part(narrow(), sizes(4), Stream(2));
  const auto images = random({5, 3, 8, 8}, 3);
  const auto mixture = weighted(narrow(), 4);
  CHECK_FALSE(torch::allclose(full.forward(images, mixture), part.forward(images, mixture)));
  const auto copied =
      part.arena().inherit(full.arena(), full.arena().values(), part.arena().values());
  CHECK(copied == part.arena().entries().size());
  CHECK(
      torch::allclose(full.forward(images, mixture), part.forward(images, mixture), 1e-12, 1e-12));
}

TEST_CASE("an option that is not active gets a zero gradient, active ones do not") {
  const Net net({}, sizes(4), Stream(1));
  const auto mixture = net.probe(weighted({}, 1), DecisionId(2), Space::nor_conv_1x1, Probe::Soft);
  net.forward(random({4, 3, 8, 8}, 2), mixture).square().sum().backward();
  CHECK_FALSE(has_grad(net, DecisionId(2), Space::nor_conv_3x3));
  CHECK(has_grad(net, DecisionId(2), Space::nor_conv_1x1));
  for (const std::size_t d : {0U, 1U, 3U, 4U, 5U}) {
    CHECK(has_grad(net, DecisionId(d), Space::nor_conv_1x1));
    CHECK(has_grad(net, DecisionId(d), Space::nor_conv_3x3));
  }
}

TEST_CASE("probes change one decision: hard to weight 1, soft to its own weight") {
  const Net net({}, sizes(2), Stream(1));
  const auto context = weighted({}, 1);
  const auto images = random({4, 3, 8, 8}, 2);
  for (const auto kind : {Probe::Hard, Probe::Soft}) {
    const auto probed = net.probe(context, DecisionId(1), Space::skip_connect, kind);
    // The same by a table that gives the other options of the edge weight 0.
    auto table = context.weights.clone();
    const auto own = table[1][1].clone();
    table[1].zero_();
    table[1][1].copy_(kind == Probe::Hard ? torch::ones({}, at::kDouble) : own);
    const auto expected = net.forward(images, Mixture<Space>::weighted({}, table));
    CHECK(torch::allclose(net.forward(images, probed), expected, 1e-10, 1e-10));
    CHECK(probed[DecisionId(1)] == OptionSet{Space::skip_connect});
    CHECK(probed[DecisionId(0)] == context[DecisionId(0)]);
  }
  CHECK(torch::equal(context.weights, weighted({}, 1).weights));
}

TEST_CASE("a genotype's context computes each of its options with weight 1 and nothing else") {
  const Net net({}, sizes(2), Stream(1));
  Stream stream(3);
  const auto images = random({4, 3, 8, 8}, 2);
  for (int i = 0; i < 5; ++i) {
    const auto architecture = sample<Space>({}, stream);
    auto table = torch::zeros({6, 5}, at::kDouble);
    for (std::size_t d = 0; d < 6; ++d)
      table[static_cast<std::int64_t>(d)]
           [static_cast<std::int64_t>(architecture[DecisionId(d)].index())] = 1.0;
    CHECK(torch::allclose(net.forward(images, net.context_of(architecture)),
                          net.forward(images, Mixture<Space>::weighted({}, table)), 1e-10, 1e-10));
  }
}

TEST_CASE("evaluating A, B, A gives A's logits twice, bit for bit") {
  const Net net({}, sizes(4, at::kFloat), Stream(1));
  const auto images = random({6, 3, 8, 8}, 2).to(at::kFloat);
  Stream stream(5);
  const auto a = net.context_of(sample<Space>({}, stream));
  const auto b = net.context_of(sample<Space>({}, stream));
  const at::NoGradGuard no_grad;
  const auto first = net.forward(images, a);
  const auto between = net.forward(images, b);
  CHECK_FALSE(torch::equal(first, between));
  CHECK(torch::equal(net.forward(images, a), first));
}

TEST_CASE("a cell whose output no edge reaches gives zeros, not an error") {
  const Net net({}, sizes(2), Stream(1));
  const auto logits = net.forward(random({3, 3, 8, 8}, 1), net.context_of(Architecture<Space>()));
  CHECK(logits.isfinite().all().item<bool>());
  CHECK((logits - logits[0]).abs().max().item<double>() == 0);  // the images do not matter
}

TEST_CASE("gradients of the forward pass agree with finite differences, weight by weight") {
  Net net({}, sizes(2), Stream(1));
  const auto images = random({4, 3, 8, 8}, 2);
  const auto labels = torch::tensor({1, 7, 3, 1}, at::kLong);
  auto table = random({6, 5}, 3).softmax(1).set_requires_grad(true);
  const auto loss = [&] {
    return at::cross_entropy_loss(net.forward(images, Mixture<Space>::weighted({}, table)), labels);
  };
  net.arena().gradients().zero_();
  loss().backward();
  const auto gradients = net.arena().gradients().clone();
  const auto table_gradient = table.grad().clone();

  constexpr double h = 1e-7;  // small, so that hardly any ReLU changes sides on the way
  const at::NoGradGuard no_grad;
  // Slope of the loss when `target` moves along `direction`.
  const auto slope = [&](at::Tensor target, const at::Tensor& direction) {
    const auto before = target.clone();
    target.add_(direction, h);
    const double plus = loss().item<double>();
    target.copy_(before).sub_(direction, h);
    const double minus = loss().item<double>();
    target.copy_(before);
    return (plus - minus) / (2 * h);
  };
  std::uint64_t seed = 10;
  for (const auto& entry : net.arena().entries()) {
    CAPTURE(std::string(entry.name));
    const auto& range = entry.slice.range;
    const auto direction = random({range.size()}, ++seed);
    const double expected =
        slope(net.arena().values().narrow(0, range.begin, range.size()), direction);
    const auto ours = gradients.narrow(0, range.begin, range.size()).dot(direction).item<double>();
    CHECK(ours == Approx(expected).epsilon(1e-5).margin(1e-7));
  }
  for (std::int64_t d = 0; d < 6; ++d)
    for (std::int64_t o = 0; o < 5; ++o) {
      CAPTURE(d, o);
      const double expected = slope(table.detach()[d][o], torch::ones({}, at::kDouble));
      CHECK(table_gradient[d][o].item<double>() == Approx(expected).epsilon(1e-5).margin(1e-7));
    }
}

TEST_CASE("sizes that make no network are refused by name") {
  const auto message = [](const Net::Config& config) -> std::string {
    try {
      const Net net({}, config, Stream(1));
    } catch (const ValueError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message({.channels = 0}).find("channels is 0") != std::string::npos);
  CHECK(message({.channels = 2, .cells = -1}).find("cells per stage is -1") != std::string::npos);
  CHECK(message({.channels = 2, .cells = 1, .classes = 0}).find("classes is 0") !=
        std::string::npos);
}
