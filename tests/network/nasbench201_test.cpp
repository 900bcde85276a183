#include <cleave/data/digits.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/network/training.hpp>
#include <cleave/space/nasbench201_cost.hpp>
#include <cleave_test.hpp>
#include <vector>

using namespace cleave;
using Space = space::NasBench201;
using Net = network::NasBench201;

namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Architecture<Space> convolutions() {
  return parse<Space>(
      "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+"
      "|avg_pool_3x3~0|none~1|nor_conv_3x3~2|");
}

network::Training<Net> training(std::size_t epochs, std::uint64_t seed) {
  const Net::Config config{.channels = 8, .cells = 1, .image_channels = 1};
  network::Recipe recipe;
  recipe.epochs = epochs;
  recipe.batch = 32;
  return {Net(convolutions(), config, Stream(seed)), recipe, Stream(seed).fork("training"),
          "network under test"};
}

}  // namespace

TEST_CASE("the network has exactly the parameters the space says") {
  Stream stream(1);
  for (int i = 0; i < 30; ++i) {
    const auto architecture = Restriction<Space>().sample(stream);
    CAPTURE(to_text<Space>(architecture));
    Net net(architecture, {.channels = 16, .cells = 5}, Stream(2));
    CHECK(static_cast<std::uint64_t>(net.arena().size()) == space::cost(architecture).params);
  }
}

TEST_CASE("in evaluation an image's logits do not depend on the rest of its batch") {
  Net net(convolutions(), {.channels = 4, .cells = 1, .scalar = at::kDouble}, Stream(1));
  for (std::uint64_t k = 0; k < 3; ++k) (void)net.forward(random({8, 3, 8, 8}, k), true);
  const at::NoGradGuard no_grad;
  const auto statistics = net.statistics().values().clone();
  const auto images = random({6, 3, 8, 8}, 9);
  const auto together = net.forward(images, false);
  for (std::int64_t i = 0; i < 6; ++i)
    CHECK(torch::allclose(net.forward(images.narrow(0, i, 1), false), together.narrow(0, i, 1),
                          1e-10, 1e-10));
  CHECK(torch::equal(net.statistics().values(), statistics));  // looking changes nothing
  CHECK_FALSE(torch::allclose(net.forward(images, true), together));
  CHECK_FALSE(torch::equal(net.statistics().values(), statistics));
}

TEST_CASE("running statistics follow the batches as LibTorch's batch norm does") {
  Net net(Architecture<Space>(), {.channels = 4, .cells = 1, .scalar = at::kDouble}, Stream(1));
  const auto images = random({8, 3, 8, 8}, 3);
  const auto stem = at::conv2d(images, net.arena().named("stem.0.weight"), {}, 1, 1);
  const auto mean = at::zeros({4}, stem.options());
  const auto variance = at::ones({4}, stem.options());
  for (int k = 0; k < 3; ++k) {
    (void)net.forward(images, true);
    (void)at::batch_norm(stem, {}, {}, mean, variance, true, 0.1, 1e-5, false);
  }
  CHECK(torch::allclose(net.statistics().mean(0, 4), mean, 1e-12, 1e-12));
  CHECK(torch::allclose(net.statistics().variance(0, 4), variance, 1e-12, 1e-12));
}

TEST_CASE("training raises the accuracy on the digits, with the same result every time") {
  at::set_num_threads(1);
  const auto data = data::digits().take(500, 100);
  const auto images = network::all_images(data, data::Part::Train);
  auto net = training(6, 1);
  std::size_t seen = 0;
  const double before = net.accuracy(data, data::Part::Train, images);
  net.train_until(6, data, images, [&](std::size_t count) { seen += count; });
  const double after = net.accuracy(data, data::Part::Train, images);
  CHECK(before < 0.4);
  CHECK(after > 0.8);
  CHECK(net.accuracy(data, data::Part::Test, network::all_images(data, data::Part::Test)) > 0.6);
  CHECK(seen == 6 * (500 / 32) * 32);

  // Stopped and judged after every epoch: the same weights, bit for bit.
  auto steps = training(6, 1);
  for (std::size_t epoch = 1; epoch <= 6; ++epoch) {
    steps.train_until(epoch, data, images, [](std::size_t) {});
    (void)steps.accuracy(data, data::Part::Train, images);
  }
  CHECK(torch::equal(steps.net().arena().values(), net.net().arena().values()));
  CHECK(torch::equal(steps.net().statistics().values(), net.net().statistics().values()));

  auto other = training(6, 2);
  other.train_until(1, data, images, [](std::size_t) {});
  CHECK_FALSE(torch::equal(other.net().arena().values(), net.net().arena().values()));
}
