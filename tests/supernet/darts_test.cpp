#include <cleave/supernet/darts.hpp>
#include <cleave_test.hpp>
#include <string>

using namespace cleave;
using Space = space::Darts;
using Net = supernet::Darts<>;
using WithNone = supernet::Darts<space::DartsWithNone>;
using enum space::DartsOperation;

namespace {

Net::Config sizes(at::ScalarType type = at::kDouble) {
  return {.channels = 2, .cells = 3, .scalar = type};
}

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Mixture<Space> weighted(const Restriction<Space>& allowed, std::uint64_t seed) {
  return Mixture<Space>::weighted(allowed, random({28, 7}, seed).softmax(1));
}

OptionSet options(std::initializer_list<space::DartsOperation> operations) {
  OptionSet set;
  for (const auto operation : operations) set.insert(Space::option(operation));
  return set;
}

/// Three edges with some options left out; one of them is left without weights in both cell types.
Restriction<Space> narrow() {
  return Restriction<Space>()
      .with(DecisionId(0), options({skip_connect, sep_conv_3x3}))
      .with(DecisionId(5), options({max_pool_3x3, skip_connect}))
      .with(DecisionId(14), options({skip_connect, dil_conv_5x5, avg_pool_3x3}));
}

std::string error_of(const Net& net, const Mixture<Space>& mixture, std::int64_t side = 8) {
  try {
    (void)net.forward(random({2, 3, side, side}, 1), mixture);
  } catch (const ValueError& error) {
    return error.what();
  }
  return "";
}

double gradient_of(const Net& net, DecisionId decision, OptionId option) {
  const auto range = net.arena().range_of(decision, option);
  return net.arena().gradients().narrow(0, range.begin, range.size()).abs().max().item<double>();
}

}  // namespace

TEST_CASE("a restricted DARTS supernet holds the weights of its options alone") {
  const Net full({}, sizes(), Stream(1));
  const Net part(narrow(), sizes(), Stream(1));
  // One normal cell of c = 2 channels, two reduction cells of 4 and 8. Depthwise k x k and 1x1.
  const auto separable = [](std::int64_t c, std::int64_t k) { return c * k * k + c * c; };
  const auto all = [&](std::int64_t c) {
    return 2 * separable(c, 3) + 2 * separable(c, 5) + separable(c, 3) + separable(c, 5);
  };
  CHECK(full.arena().range_of(DecisionId(0)).size() == all(2));
  CHECK(part.arena().range_of(DecisionId(0)).size() == 2 * separable(2, 3));
  CHECK(part.arena().range_of(DecisionId(5)).size() == 0);
  // Edge 14 leaves an input of the reduction cells: its skip is a factorised reduction.
  CHECK(full.arena().range_of(DecisionId(14)).size() == all(4) + all(8) + 16 + 64);
  CHECK(part.arena().range_of(DecisionId(14)).size() ==
        separable(4, 5) + separable(8, 5) + 16 + 64);
  // Edge 16 + 2 leaves node 2, where the stride is 1.
  CHECK(full.arena().range_of(Space::decision(true, 3, 2)).size() == all(4) + all(8));
  for (const auto& entry : part.arena().entries()) {
    if (entry.group.kind == WeightGroup::Kind::Option)
      CHECK(narrow()[entry.group.decision].contains(entry.group.option));
    const bool scored = entry.group.kind != WeightGroup::Kind::Unscored;
    CHECK(scored == (entry.name.find("._ops.") != std::string_view::npos));
    CHECK(torch::equal(part.arena().named(entry.name), full.arena().named(entry.name)));
  }
  CHECK(part.restriction() == narrow());
}

TEST_CASE("eight operations: none holds nothing and carries nothing") {
  const WithNone net({}, sizes(), Stream(1));
  CHECK(net.arena().size() == Net({}, sizes(), Stream(1)).arena().size());
  CHECK(net.arena().named("cells.0._ops.0._ops.4.op.1.weight").size(2) == 3);  // sep_conv_3x3
  auto table = random({28, 8}, 3).softmax(1);
  const auto images = random({4, 3, 8, 8}, 2);
  const auto before = net.forward(images, WithNone::Context::weighted({}, table));
  table.select(1, 0).fill_(7.0);
  CHECK(torch::equal(net.forward(images, WithNone::Context::weighted({}, table)), before));
  // Everything at none: the cells give zeros.
  const auto nothing = net.forward(
      images, WithNone::Context::path(Architecture<space::DartsWithNone>()));
  CHECK(nothing.isfinite().all().item<bool>());
  CHECK((nothing - nothing[0]).abs().max().item<double>() == 0);
}

TEST_CASE("a DARTS supernet refuses what its restriction left out, by name") {
  const Net part(narrow(), sizes(), Stream(1));
  const auto inside = weighted(narrow(), 1);
  CHECK(error_of(part, inside).empty());
  const auto message = error_of(
      part, part.probe(inside, DecisionId(14), Space::option(sep_conv_5x5), Probe::Soft));
  CHECK(message.find("reduce 2<-0") != std::string::npos);
  CHECK(message.find("sep_conv_5x5") != std::string::npos);
  CHECK_FALSE(error_of(part, weighted({}, 1)).empty());
  CHECK(error_of(part, inside, 10).find("10 x 10") != std::string::npos);
  auto genotype = space::DartsGenotype{};
  genotype.reduce_concat = {4, 5};
  CHECK_THROWS_AS(part.context_of(genotype), ValueError);
}

TEST_CASE("a restricted DARTS supernet inherits and computes what the full one does") {
  const Net full({}, sizes(), Stream(1));
  Net part(narrow(), sizes(), Stream(2));
  const auto images = random({5, 3, 8, 8}, 3);
  const auto mixture = weighted(narrow(), 4);
  CHECK_FALSE(torch::allclose(full.forward(images, mixture), part.forward(images, mixture)));
  const auto copied =
      part.arena().inherit(full.arena(), full.arena().values(), part.arena().values());
  CHECK(copied == part.arena().entries().size());
  CHECK(
      torch::allclose(full.forward(images, mixture), part.forward(images, mixture), 1e-12, 1e-12));
}

TEST_CASE("DARTS probes: the option keeps its weight or takes 1, the others get no gradient") {
  const Net net({}, sizes(), Stream(1));
  const auto context = weighted({}, 1);
  const auto images = random({4, 3, 8, 8}, 2);
  const auto o = Space::option(dil_conv_3x3);
  for (const auto kind : {Probe::Hard, Probe::Soft}) {
    const DecisionId edge(16);
    const auto probed = net.probe(context, edge, o, kind);
    auto table = context.weights.clone();
    const auto own = table[16][5].clone();
    table[16].zero_();
    table[16][5].copy_(kind == Probe::Hard ? torch::ones({}, at::kDouble) : own);
    CHECK(torch::allclose(net.forward(images, probed),
                          net.forward(images, Mixture<Space>::weighted({}, table)), 1e-10, 1e-10));
    net.arena().gradients().zero_();
    net.forward(images, probed).square().sum().backward();
    CHECK(gradient_of(net, edge, Space::option(sep_conv_3x3)) == 0);
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      CHECK(gradient_of(net, DecisionId(d), o) > 0);
  }
}

TEST_CASE("a genotype's context computes its eight edges per cell and leaves the others out") {
  const Net net({}, sizes(), Stream(1));
  Stream stream(3);
  const auto images = random({4, 3, 8, 8}, 2);
  for (int i = 0; i < 5; ++i) {
    const auto genotype = sample<Space>({}, stream);
    const auto context = net.context_of(genotype);
    auto table = torch::zeros({28, 7}, at::kDouble);
    std::size_t kept = 0;
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      for (const auto option : context[DecisionId(d)]) {
        table[static_cast<std::int64_t>(d)][static_cast<std::int64_t>(option.index())] = 1.0;
        ++kept;
      }
    CHECK(kept == 16);
    CHECK(allows<Space>({}, genotype));
    CHECK(torch::allclose(net.forward(images, context),
                          net.forward(images, Mixture<Space>::weighted({}, table)), 1e-10, 1e-10));
  }
}

TEST_CASE("evaluating two DARTS paths in turn gives the same logits again, bit for bit") {
  const Net net({}, sizes(at::kFloat), Stream(1));
  const auto images = random({6, 3, 8, 8}, 2).to(at::kFloat);
  Stream stream(5);
  const auto a = net.context_of(sample<Space>({}, stream));
  const auto b = net.context_of(sample<Space>({}, stream));
  const at::NoGradGuard no_grad;
  const auto first = net.forward(images, a);
  CHECK_FALSE(torch::equal(first, net.forward(images, b)));
  CHECK(torch::equal(net.forward(images, a), first));
}

TEST_CASE("DARTS gradients agree with finite differences, edge by edge") {
  Net net({}, sizes(), Stream(1));
  const auto images = random({4, 3, 8, 8}, 2);
  const auto labels = torch::tensor({1, 7, 3, 1}, at::kLong);
  auto table = random({28, 7}, 3).softmax(1).set_requires_grad(true);
  const auto loss = [&] {
    return at::cross_entropy_loss(net.forward(images, Mixture<Space>::weighted({}, table)), labels);
  };
  net.arena().gradients().zero_();
  loss().backward();
  const auto gradients = net.arena().gradients().clone();
  const auto table_gradient = table.grad().clone();

  constexpr double h = 1e-7;  // small, so that hardly any ReLU or maximum changes sides
  const at::NoGradGuard no_grad;
  const auto slope = [&](at::Tensor target, const at::Tensor& direction) {
    const auto before = target.clone();
    target.add_(direction, h);
    const double plus = loss().item<double>();
    target.copy_(before).sub_(direction, h);
    const double minus = loss().item<double>();
    target.copy_(before);
    return (plus - minus) / (2 * h);
  };
  const auto check = [&](const WeightRange& range, std::uint64_t seed) {
    const auto direction = random({range.size()}, seed);
    const double expected =
        slope(net.arena().values().narrow(0, range.begin, range.size()), direction);
    const auto ours = gradients.narrow(0, range.begin, range.size()).dot(direction).item<double>();
    CHECK(ours == Approx(expected).epsilon(2e-5).margin(1e-6));
  };
  check({0, net.arena().range_of(DecisionId(0)).begin}, 9);  // stem, preprocessing, classifier
  for (std::size_t d = 0; d < Space::decision_count; ++d) {
    CAPTURE(d);
    check(net.arena().range_of(DecisionId(d)), 10 + d);
    const auto row = static_cast<std::int64_t>(d);
    const auto direction = random({7}, 50 + d);
    CHECK(table_gradient[row].dot(direction).item<double>() ==
          Approx(slope(table.detach()[row], direction)).epsilon(2e-5).margin(1e-6));
  }
}

TEST_CASE("sizes that make no DARTS network are refused by name") {
  const auto message = [](const Net::Config& config) -> std::string {
    try {
      const Net net({}, config, Stream(1));
    } catch (const ValueError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message({.channels = 0}).find("channels is 0") != std::string::npos);
  CHECK(message({.channels = 2, .cells = -1}).find("cells is -1") != std::string::npos);
}
