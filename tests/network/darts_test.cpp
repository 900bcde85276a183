#include <cleave/data/digits.hpp>
#include <cleave/engine/retrain.hpp>
#include <cleave/network/darts.hpp>
#include <cleave/space/darts_cost.hpp>
#include <cleave_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <vector>

using namespace cleave;
using Net = network::Darts;
using network::TrainingMoment;

namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

space::DartsGenotype::Cell cell(const nlohmann::json& edges) {
  space::DartsGenotype::Cell result;
  for (std::size_t e = 0; e < result.size(); ++e) {
    std::size_t o = 0;
    while (space::darts_operation_names.at(o) != edges.at(e).at(0).get<std::string>()) ++o;
    result[e] = {static_cast<space::DartsOperation>(o), edges[e][1].get<std::uint8_t>()};
  }
  return result;
}

Net::Config tiny(double drop_path = 0.2, double auxiliary_weight = 0.4) {
  return {.sizes = {.channels = 4, .cells = 3, .scalar = at::kDouble},
          .drop_path = drop_path,
          .auxiliary_weight = auxiliary_weight};
}

space::DartsGenotype some(std::uint64_t seed) {
  Stream stream(seed);
  return sample<space::Darts>({}, stream);
}

/// A cell whose nodes take both inputs by one operation.
space::DartsGenotype only(space::DartsOperation operation) {
  space::DartsGenotype genotype;
  for (auto* part : {&genotype.normal, &genotype.reduce})
    for (auto& edge : *part) edge.operation = operation;
  return genotype;
}

/// The weight a node of the autograd graph takes as its `input`-th argument, or undefined.
at::Tensor weight_of(const torch::autograd::Node& node, std::size_t input) {
  const auto* next = node.next_edge(input).function.get();
  if (next != nullptr && next->name() == "TBackward0") next = next->next_edge(0).function.get();
  const auto* leaf = dynamic_cast<const torch::autograd::AccumulateGrad*>(next);
  return leaf == nullptr ? at::Tensor() : leaf->variable;
}

/// Multiply-adds of every convolution and linear layer that was really run to get `logits`, read
/// off the graph that autograd recorded: numbers of the output times fan-in of the weight.
std::int64_t multiply_adds(const at::Tensor& logits) {
  std::set<torch::autograd::Node*> seen{logits.grad_fn().get()};
  std::vector<torch::autograd::Node*> open(seen.begin(), seen.end());
  std::int64_t sum = 0;
  while (!open.empty()) {
    auto* node = open.back();
    open.pop_back();
    const auto name = node->name();
    if (name == "ConvolutionBackward0" || name == "AddmmBackward0") {
      const auto weight = weight_of(*node, name[0] == 'C' ? 1 : 2);
      REQUIRE(weight.defined());
      std::int64_t numbers = 1;
      for (const auto& extent : node->input_metadata(0).shape_as_dim_vector())
        numbers *= extent.expect_int();
      sum += numbers * (weight.numel() / weight.size(0));
    }
    for (const auto& edge : node->next_edges())
      if (edge.function && seen.insert(edge.function.get()).second)
        open.push_back(edge.function.get());
  }
  return sum;
}

}  // namespace

TEST_CASE("the built DARTS networks have the published parameters and run the published MACs") {
  std::ifstream file(testing::fixture_path("darts_networks.json"));
  REQUIRE(file);
  const auto facts = nlohmann::json::parse(file);
  REQUIRE(facts.at("networks").size() >= 13);
  const std::int64_t side = facts.at("image");
  for (const auto& item : facts.at("networks")) {
    CAPTURE(item.at("name").get<std::string>());
    const space::DartsGenotype genotype{
        .normal = cell(item.at("normal")),
        .normal_concat = item.at("normal_concat").get<std::vector<std::size_t>>(),
        .reduce = cell(item.at("reduce")),
        .reduce_concat = item.at("reduce_concat").get<std::vector<std::size_t>>()};
    const supernet::DartsConfig sizes{.channels = facts.at("C"),
                                      .cells = facts.at("layers"),
                                      .classes = facts.at("classes")};
    Net net(genotype, {.sizes = sizes}, Stream(1));
    CHECK(net.arena().size() == item.at("params_with_auxiliary").get<std::int64_t>());
    CHECK(network::parameters(net) == item.at("params").get<std::size_t>());
    Net without(genotype, {.sizes = sizes, .auxiliary_weight = 0}, Stream(1));
    CHECK(without.arena().size() == item.at("params").get<std::int64_t>());
    const auto image = torch::zeros({1, 3, side, side});
    CHECK(multiply_adds(net.forward(image, false)) == item.at("macs").get<std::int64_t>());
  }
}

TEST_CASE("parameters equal the formula for other genotypes, widths and joined nodes") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto genotype = some(seed);
    if (seed % 2 == 1) genotype.reduce_concat = {3, 4, 5};
    Net net(genotype, {.sizes = {.channels = 6, .cells = 5, .classes = 7}}, Stream(2));
    const auto cost =
        space::cost(genotype, {.channels = 6, .cells = 5, .image = 32, .classes = 7});
    CHECK(network::parameters(net) == cost.network.params);
    CHECK(static_cast<std::uint64_t>(net.arena().size()) == cost.params_with_auxiliary);
  }
}

TEST_CASE("in evaluation a DARTS network judges every image alone") {
  Net net(some(1), tiny(), Stream(1));
  for (std::uint64_t k = 0; k < 3; ++k)
    (void)net.training_pass(random({8, 3, 8, 8}, k), {0.5, Stream(k)});
  const at::NoGradGuard no_grad;
  const auto statistics = net.statistics().values().clone();
  const auto images = random({6, 3, 8, 8}, 9);
  const auto together = net.forward(images, false);
  for (std::int64_t i = 0; i < 6; ++i)
    CHECK(torch::allclose(net.forward(images.narrow(0, i, 1), false), together.narrow(0, i, 1),
                          1e-10, 1e-10));
  CHECK(torch::equal(net.statistics().values(), statistics));
  CHECK_FALSE(torch::allclose(net.forward(images, true), together));
}

TEST_CASE("drop-path grows with the progress, comes from the stream and spares plain skips") {
  const auto images = random({16, 3, 8, 8}, 3);
  const at::NoGradGuard no_grad;
  const Net net(some(2), tiny(), Stream(1));
  const auto logits = [&](double progress, std::uint64_t seed) {
    return net.training_pass(images, {progress, Stream(seed)}).logits;
  };
  const auto plain = net.forward(images, true);
  CHECK(torch::equal(logits(0, 1), plain));
  CHECK(torch::equal(logits(0.5, 1), logits(0.5, 1)));
  CHECK_FALSE(torch::allclose(logits(0.5, 1), plain));
  CHECK_FALSE(torch::allclose(logits(0.5, 1), logits(0.5, 2)));
  CHECK(torch::equal(Net(some(2), tiny(0), Stream(1)).training_pass(images, {0.5, {}}).logits,
                     plain));
  CHECK(torch::equal(net.forward(images, true), plain));  // `forward` drops nothing

  // A normal cell of plain skips passes its inputs on whatever is drawn, one of poolings does not:
  // seen in what the batch norms up to the next cell's inputs have met. The reduction cells drop.
  for (const bool skips : {true, false}) {
    auto genotype = only(space::DartsOperation::max_pool_3x3);
    if (skips) genotype.normal = only(space::DartsOperation::skip_connect).normal;
    Net dropping(genotype, tiny(0.5), Stream(1));
    Net whole(genotype, tiny(0.5), Stream(1));
    (void)dropping.training_pass(images, {1, Stream(1)});
    (void)whole.forward(images, true);
    const auto& a = dropping.statistics().values();
    const auto& b = whole.statistics().values();
    constexpr std::int64_t early = 2 * (12 + 4 + 4 + 8 + 8);  // stem, inputs of cells 0 and 1
    CHECK(torch::allclose(a.narrow(0, 0, early), b.narrow(0, 0, early)) == skips);
    CHECK_FALSE(torch::allclose(a, b));
  }
}

TEST_CASE("an edge is dropped for a share p of the images, else divided by 1 - p") {
  // One reduction cell of max poolings, no weights after it but the classifier: logits minus bias
  // are linear in what the edges carry, so their mean over many draws is the undropped value.
  Net::Config config = tiny(0.5, 0);
  config.sizes.cells = 1;
  const Net net(only(space::DartsOperation::max_pool_3x3), config, Stream(1));
  const auto images = random({4, 3, 8, 8}, 3);
  const at::NoGradGuard no_grad;
  const auto plain = net.forward(images, true);
  auto sum = torch::zeros_like(plain);
  constexpr int draws = 4000;
  for (int i = 0; i < draws; ++i)
    sum += net.training_pass(images, {1, Stream(7).fork(static_cast<std::uint64_t>(i))}).logits;
  const auto deviation = (sum / draws - plain).abs().max().item<double>();
  CHECK(deviation < 0.05 * plain.abs().max().item<double>());
  // Image by image: copies of one image are treated differently in one pass.
  const auto copies = images.narrow(0, 0, 1).expand({8, 3, 8, 8});
  CHECK((net.forward(copies, true) - net.forward(copies, true)[0]).abs().max().item<double>() <
        1e-9);
  const auto dropped = net.training_pass(copies, {1, Stream(7)}).logits;
  CHECK((dropped - dropped[0]).abs().max().item<double>() > 1e-3);
}

TEST_CASE("the auxiliary head is heard in training with its weight, and only there") {
  Net net(some(3), tiny(), Stream(1));
  const auto images = random({8, 3, 8, 8}, 3);
  const auto pass = net.training_pass(images, {0.5, Stream(1)});
  CHECK(pass.auxiliary.sizes() == pass.logits.sizes());
  CHECK(pass.auxiliary_weight == 0.4);
  CHECK_FALSE(Net(some(3), tiny(0.2, 0), Stream(1))
                  .training_pass(images, {0.5, Stream(1)})
                  .auxiliary.defined());
  const auto of_head = [&] {
    double sum = 0;
    for (const auto& entry : net.arena().entries())
      if (entry.name.starts_with("auxiliary_head."))
        sum += net.arena()
                   .gradients()
                   .narrow(0, entry.slice.range.begin, entry.slice.range.size())
                   .abs()
                   .sum()
                   .item<double>();
    return sum;
  };
  net.arena().gradients().zero_();
  net.forward(images, true).sum().backward();
  CHECK(of_head() == 0);
  pass.auxiliary.square().sum().backward();
  CHECK(of_head() > 0);
  // 32 x 32 images: windows of 5 with stride 3 at the head, as published.
  CHECK(net.training_pass(random({2, 3, 32, 32}, 4), {}).auxiliary.size(1) == 10);
  CHECK_THROWS_AS(net.training_pass(random({2, 3, 4, 4}, 4), {}), ValueError);
  CHECK_THROWS_AS(net.forward(random({2, 3, 10, 8}, 4), true), ValueError);
}

TEST_CASE("numbers that make no DARTS network are refused by name") {
  const auto message = [](const Net::Config& config) -> std::string {
    try {
      const Net net({}, config, Stream(1));
    } catch (const ValueError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(message(tiny(1.0)).find("drop-path 1") != std::string::npos);
  CHECK(message(tiny(0.2, -1)).find("auxiliary weight -1") != std::string::npos);
  CHECK(message({.sizes = {.cells = 0}}).find("cells is 0") != std::string::npos);
}

TEST_CASE("a DARTS network is trained on the digits, stopped and continued to the same bits") {
  at::set_num_threads(1);
  const auto data = data::digits().take(400, 100);
  const auto images = network::all_images(data, data::Part::Train);
  auto recipe = network::Recipe::darts();
  CHECK(recipe.epochs == 600);
  recipe.epochs = 5;
  recipe.batch = 32;
  const auto training = [&] {
    const Net::Config config{.sizes = {.channels = 4, .cells = 3, .image_channels = 1}};
    return network::Training<Net>(Net(some(4), config, Stream(1)), recipe, Stream(2), "test");
  };
  auto whole = training();
  const double before = whole.accuracy(data, data::Part::Train, images);
  whole.train_until(5, data, images, [](std::size_t) {});
  const double after = whole.accuracy(data, data::Part::Train, images);
  CHECK(before < 0.3);
  CHECK(after > 0.6);
  auto parts = training();
  for (std::size_t epoch = 1; epoch <= 5; ++epoch)
    parts.train_until(epoch, data, images, [](std::size_t) {});
  CHECK(torch::equal(parts.net().arena().values(), whole.net().arena().values()));
  CHECK(torch::equal(parts.net().statistics().values(), whole.net().statistics().values()));
}
