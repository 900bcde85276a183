// The parts of the ImageNet recipe: RMSprop, the mean of weights, drop-connect, RandAugment, random
// erasing.
#include <cleave/data/digits.hpp>
#include <cleave/data/rand_augment.hpp>
#include <cleave/data/random_erasing.hpp>
#include <cleave/engine/retrain.hpp>
#include <cleave/network/mobile_network.hpp>
#include <cleave/testing/data_laws.hpp>
#include <cleave_test.hpp>

using namespace cleave;
using Catch::Matchers::Contains;
using data::RandAugment;
using data::RandomErasing;
using strategy::RmsProp;

namespace {

/// Two weights, 1 and 2.
WeightArena two_weights() {
  WeightArena arena;
  (void)arena.declare("w", WeightGroup::shared(), {2}, Initialiser::value(0));
  arena.build(at::TensorOptions(at::kDouble), Stream(1));
  at::Tensor(arena.values()).copy_(at::tensor({1.0, 2.0}, at::kDouble));
  return arena;
}
void set_gradient(WeightArena& arena, double a, double b) {
  at::Tensor(arena.gradients()).copy_(at::tensor({a, b}, at::kDouble));
}
double at_place(const at::Tensor& tensor, std::int64_t i) { return tensor[i].item<double>(); }

/// Bytes of one channel, [1, H, W].
at::Tensor bytes(std::vector<double> values, std::int64_t height, std::int64_t width) {
  return at::tensor(values, at::kDouble).view({1, height, width});
}
bool same(const at::Tensor& a, const at::Tensor& b) { return torch::equal(a, b); }

network::Ofa small(double drop_connect, at::ScalarType scalar = at::kDouble) {
  return {Architecture<space::Ofa>(),
          {.sizes = {.shape = {.width = 0.25, .image = 8, .image_channels = 1, .classes = 10,
                               .first_stride = 1, .strides = {1, 2, 1, 1, 2}},
                     .scalar = scalar},
           .drop_connect = drop_connect},
          Stream(1)};
}

}  // namespace

TEST_CASE("RMSprop moves weights as computed by hand, epsilon inside the root") {
  auto arena = two_weights();
  const RmsProp optimiser{.rate = {.first = 0.1, .factor = 0.5, .falls = 2},
                          .memory = 0.9, .momentum = 0.5, .weight_decay = 0.1, .epsilon = 0.01};
  auto state = optimiser.start(arena);
  set_gradient(arena, 3, -1);
  const auto norm = optimiser.step(arena, state, 0.0);
  CHECK(norm.item<double>() == Approx(std::sqrt(10.0)));
  // g = 3 + 0.1 = 3.1, s = 0.9 + 0.1 * 9.61 = 1.861, m = 0.1 * 3.1 / sqrt(1.871)
  CHECK(at_place(state.square, 0) == Approx(1.861).epsilon(1e-12));
  CHECK(at_place(arena.values(), 0) == Approx(1 - 0.2266339).epsilon(1e-6));
  // g = -1 + 0.2 = -0.8, s = 0.9 + 0.1 * 0.64 = 0.964, m = -0.08 / sqrt(0.974)
  CHECK(at_place(arena.values(), 1) == Approx(2 + 0.0810608).epsilon(1e-6));

  // Second step, after one fall of the rate: m keeps what it had at the old rate.
  set_gradient(arena, 1, 0);
  const double w = at_place(arena.values(), 0);
  (void)optimiser.step(arena, state, 0.5);
  const double g = 1 + 0.1 * w;
  const double s = 0.9 * 1.861 + 0.1 * g * g;
  const double m = 0.5 * 0.2266339 + 0.05 * g / std::sqrt(s + 0.01);
  CHECK(at_place(arena.values(), 0) == Approx(w - m).epsilon(1e-6));

  // Laws: what is not finite moves nothing, a scale of 0 moves no weight by the gradient, masks spare.
  const auto before = arena.values().clone();
  const auto momentum = state.momentum.clone();
  const auto square = state.square.clone();
  set_gradient(arena, std::nan(""), 1);
  (void)optimiser.step(arena, state, 0.5);
  CHECK((same(arena.values(), before) && same(state.momentum, momentum) &&
         same(state.square, square)));
  auto still = optimiser.start(arena);
  still.rate_scale = 0;
  set_gradient(arena, 1, 1);
  (void)optimiser.step(arena, still, 0.0);
  CHECK(same(arena.values(), before));
  auto spared = optimiser.start(arena);
  set_gradient(arena, 0, 0);
  (void)optimiser.step(arena, spared, 0.0, at::tensor({0.0, 1.0}, at::kDouble));
  CHECK(at_place(arena.values(), 0) == at_place(before, 0));
  CHECK(at_place(arena.values(), 1) < at_place(before, 1));

  const strategy::StepRate recipe;  // 0.97 every 2.4 of 450 epochs
  CHECK(recipe.at(0) == 0.064);
  CHECK(recipe.at(2.39 / 450) == 0.064);
  CHECK(recipe.at(2.41 / 450) == Approx(0.064 * 0.97));
  CHECK(recipe.at(100.0 / 450) == Approx(0.064 * std::pow(0.97, 41)));
}

TEST_CASE("what is tested is the mean of the weights, which follows them with a warm-up") {
  at::set_num_threads(1);
  const auto set = data::digits().take(100, 50);
  const auto images = network::all_images(set, data::Part::Train);
  const auto training = [&](double averaging) {
    network::RecipeWith<RmsProp> recipe{.optimiser = {.rate = {.first = 0.002}},
                                        .epochs = 2, .batch = 50, .averaging = averaging};
    return network::Training<network::Ofa, RmsProp>(small(0, at::kFloat), recipe, Stream(3),
                                                              "test");
  };
  auto plain = training(0);
  auto mean = training(0.2);
  auto expected = plain.net().arena().values().clone();
  auto statistics = plain.net().statistics().values().clone();
  std::size_t t = 0;
  plain.train_until(2, set, images, [&](std::size_t) {
    ++t;
    const auto n = static_cast<double>(t);
    const double kept = std::min(0.2, (1 + n) / (10 + n));  // 2/11, then 0.2
    const at::NoGradGuard no_grad;
    expected = expected * kept + plain.net().arena().values() * (1 - kept);
    statistics = statistics * kept + plain.net().statistics().values() * (1 - kept);
  });
  REQUIRE(t == 4);
  mean.train_until(2, set, images, [](std::size_t) {});
  CHECK(same(mean.net().arena().values(), plain.net().arena().values()));  // training is the same
  const auto tests = network::all_images(set, data::Part::Test);
  const double accuracy = mean.accuracy(set, data::Part::Test, tests);
  CHECK(same(mean.net().arena().values(), plain.net().arena().values()));  // testing leaves no trace
  mean.keep_mean();
  CHECK(torch::allclose(mean.net().arena().values(), expected, 1e-5, 1e-7));
  CHECK(torch::allclose(mean.net().statistics().values(), statistics, 1e-5, 1e-7));
  CHECK_FALSE(torch::allclose(expected, plain.net().arena().values(), 1e-4, 1e-6));
  plain.keep_mean();  // has none
  CHECK(accuracy == data::accuracy(set, data::Part::Test, tests, [&](const at::Tensor& x) {
          return mean.net().forward(x, false);
        }));
  CHECK_THROWS_WITH(training(1.0), Contains("averaging 1"));

  const auto recipe = network::RecipeWith<RmsProp>::mobile();
  CHECK((recipe.epochs == 450 && recipe.label_smoothing == 0.1 && recipe.averaging == 0.9999));
  CHECK((recipe.optimiser.weight_decay == 1e-5 && recipe.optimiser.rate.first == 0.064));
}

TEST_CASE("the recipe's training can be stopped, written, read and continued to the same bits") {
  at::set_num_threads(1);
  const auto set = data::digits().take(100, 50);
  using Run = RetrainRun<network::Ofa, RmsProp>;
  const auto begun = [] {
    auto recipe = network::RecipeWith<RmsProp>::mobile();
    recipe.epochs = 2;
    recipe.batch = 32;
    recipe.optimiser.rate.first = 0.002;
    const network::Ofa::Config config{
        .sizes = {.shape = {.width = 0.25, .image = 8, .image_channels = 1, .classes = 10,
                            .first_stride = 1, .strides = {1, 2, 1, 1, 2}}},
        .dropout = 0.2, .drop_connect = 0.2};
    return Run{start_retraining<network::Ofa>(Architecture<space::Ofa>(), config, recipe, Stream(4),
                                              "network")};
  };
  auto whole = begun();
  whole.finish(set, {}, "network");
  auto stopped = begun();
  std::size_t signs = 0;
  const RunControl stopping{[](const Progress&) {}, [&] { return ++signs > 3; }};
  CHECK_THROWS_AS(stopped.finish(set, stopping, "network"), Interrupted);
  archive::Writer to;
  archive::Codec<Run>::write(to, stopped);
  auto resumed = begun();
  archive::Reader from(to.buffer(), "run");
  archive::Codec<Run>::read(from, resumed);
  resumed.finish(set, {}, "network");
  CHECK(resumed.record->test_accuracy == whole.record->test_accuracy);
  resumed.training.keep_mean();
  whole.training.keep_mean();
  CHECK(same(resumed.training.net().arena().values(), whole.training.net().arena().values()));
}

TEST_CASE("drop-connect keeps the expectation, spares the first block and comes from the stream") {
  const auto options = at::TensorOptions(at::kDouble);
  auto sum = at::zeros({64, 1, 1, 1}, options);
  for (std::uint64_t i = 0; i < 400; ++i) {
    const auto mask = network::dropout_mask({64, 1, 1, 1}, 0.2, Stream(i), options);
    CHECK(mask.eq(0).logical_or(mask.sub(1.25).abs().lt(1e-12)).all().item<bool>());
    sum += mask;
  }
  // 25,600 draws with standard deviation 0.5: the mean's is 0.003.
  CHECK(sum.mean().item<double>() / 400 == Approx(1).margin(0.013));

  auto net = small(0.3);
  const auto blocks = net.description().blocks.size();
  CHECK(net.drop_rate(0) == 0);
  CHECK(net.drop_rate(blocks - 1) == Approx(0.3 * static_cast<double>(blocks - 1) /
                                            static_cast<double>(blocks)));
  const auto images = data::digits().batch(data::Part::Train, std::vector<std::int64_t>{0, 1, 2, 3},
                                           false, Stream()).images.to(at::kDouble);
  const auto logits = [&](network::Ofa& of, std::uint64_t seed) {
    return of.training_pass(images, {0.5, Stream(seed)}).logits.detach();
  };
  auto none = small(0);
  CHECK(same(logits(none, 1), logits(none, 2)));
  CHECK(same(logits(none, 1), none.forward(images, true).detach()));
  CHECK(same(logits(net, 1), logits(net, 1)));
  CHECK_FALSE(same(logits(net, 1), logits(net, 2)));
  CHECK(same(net.forward(images, true).detach(), none.forward(images, true).detach()));
  CHECK_THROWS_WITH(small(1.0), Contains("drop-connect 1"));
}

TEST_CASE("RandAugment's operations do to bytes what their names say") {
  using namespace data::rand_augment;
  const auto x = bytes({0, 100, 200, 50, 150, 250}, 2, 3);
  CHECK(same(invert(x), bytes({255, 155, 55, 205, 105, 5}, 2, 3)));
  CHECK(same(brightness(x, 0.5), x));  // factor 1
  CHECK(same(brightness(x, 0), bytes({0, 10, 20, 5, 15, 25}, 2, 3)));
  CHECK(same(brightness(x, 1), bytes({0, 190, 255, 95, 255, 255}, 2, 3)));
  // The mean is 125: 125 + 1.72 (x - 125).
  CHECK(same(contrast(x, 0.9), bytes({0, 82, 254, 0, 168, 255}, 2, 3)));
  CHECK(same(posterize(x, 0.9), bytes({0, 96, 192, 32, 128, 224}, 2, 3)));  // 3 bits, steps of 32
  CHECK(same(solarize(x, 0.5), bytes({0, 100, 55, 50, 105, 5}, 2, 3)));     // from 128 on
  CHECK(same(solarize_add(x, 0.9), bytes({99, 199, 200, 149, 150, 250}, 2, 3)));
  CHECK(same(auto_contrast(bytes({50, 100, 150, 50, 50, 100}, 2, 3)),
              bytes({0, 128, 255, 0, 0, 128}, 2, 3)));
  CHECK(same(auto_contrast(bytes({7, 7}, 1, 2)), bytes({7, 7}, 1, 2)));
  // 512 pixels, half 10, half 20: step = floor((512 - 256) / 255) = 1, so 0 and 255.
  const auto two = at::cat({at::full({1, 16, 16}, 10.0, at::kDouble),
                            at::full({1, 16, 16}, 20.0, at::kDouble)}, 1);
  CHECK(equalize(two).amin().item<double>() == 0);
  CHECK(equalize(two).amax().item<double>() == 255);
  CHECK(same(equalize(x), x));  // too few pixels for a step

  // The middle of a 3 x 3 image: smooth is (8 * 10 + 5 * 140) / 13 = 60; 60 + 1.9 (140 - 60).
  auto spot = at::full({1, 3, 3}, 10.0, at::kDouble);
  spot[0][1][1] = 140;
  CHECK(at_place(sharpness(spot, 1)[0][1], 1) == 212);
  CHECK(at_place(sharpness(spot, 0)[0][1], 1) == 68);
  CHECK(at_place(sharpness(spot, 1)[0][0], 0) == 10);

  // Colours towards the luma 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2.
  const auto pixel = at::tensor({200.0, 100.0, 50.0}, at::kDouble).view({3, 1, 1});
  const auto pale = colour(pixel, 0).flatten();
  CHECK((at_place(pale, 0) == 132 && at_place(pale, 1) == 122 && at_place(pale, 2) == 117));

  // Geometry: one bright column on grey.
  auto line = at::full({1, 9, 9}, grey, at::kDouble);
  line.select(2, 4).fill_(255);
  CHECK(same(rotate(line, 0, 1), line));
  auto upright = rotate(rotate(line, 1, 1), 1, -1);
  CHECK(at_place(upright[0][4], 4) == 255);
  CHECK(at_place(rotate(line, 1, 1)[0][0], 4) < 160);  // 4 rows up it is 2.3 columns away
  // 4 / 9 of the strongest of 0.45 * 9 = 4.05 pixels is 1.8; of bytes 0 to 8 in a row.
  auto ramp = at::arange(0, 9, at::kDouble).mul_(10).expand({1, 9, 9}).contiguous();
  CHECK(at_place(translate_x(ramp, 4.0 / 9, 1)[0][4], 2) == 38);
  CHECK(at_place(translate_x(ramp, 4.0 / 9, -1)[0][4], 2) == 2);
  CHECK(at_place(translate_x(ramp, 1, 1)[0][4], 8) == grey);
  CHECK(at_place(translate_y(ramp.transpose(1, 2), 4.0 / 9, 1)[0][2], 4) == 38);
  // Row 0 is 4 above the centre: 0.3 * 4 = 1.2 columns.
  CHECK(at_place(shear_x(ramp, 1, 1)[0][0], 4) == 28);
  CHECK(at_place(shear_x(ramp, 1, 1)[0][4], 4) == 40);
  CHECK(at_place(shear_y(ramp.transpose(1, 2), 1, 1)[0][4], 0) == 28);
  for (std::size_t k = 0; k < names.size(); ++k) {
    const auto y = apply(k, ramp, 0.9, 1);
    CHECK(y.sizes() == ramp.sizes());
    CHECK((y.amin().item<double>() >= 0 && y.amax().item<double>() <= 255));
  }
  CHECK_THROWS_WITH(apply(15, ramp, 0.9, 1), Contains("operation 15, there are 15"));
}

TEST_CASE("augmented sets keep the laws of data sets") {
  const auto digits = data::digits().take(60, 40);
  const auto erased = data::Augmented(digits, RandomErasing{.probability = 1}, digits.normalisation());
  const auto both = data::Augmented(
      data::Augmented(digits, RandAugment{.probability = 1}, digits.normalisation()),
      RandomErasing{}, digits.normalisation());
  CHECK(testing::check_data_set(erased) == std::vector<std::string>());
  CHECK(testing::check_data_set(both) == std::vector<std::string>());
  const std::vector<std::int64_t> indices{3, 1, 4, 1, 5};
  const auto plain = digits.batch(data::Part::Train, indices, false, Stream(1)).images;
  const auto off = data::Augmented(digits, RandAugment{.probability = 0}, digits.normalisation());
  CHECK(same(off.batch(data::Part::Train, indices, true, Stream(1)).images,
              digits.batch(data::Part::Train, indices, true, Stream(1)).images));
  CHECK(same(both.batch(data::Part::Train, indices, false, Stream(1)).images, plain));
  CHECK_FALSE(same(both.batch(data::Part::Train, indices, true, Stream(1)).images, plain));
  const auto refuses = [&](const auto& augmentation, const char* sentence) {
    const data::Augmented set(digits, augmentation, digits.normalisation());
    CHECK_THROWS_WITH(set.batch(data::Part::Train, indices, true, Stream(1)), Contains(sentence));
  };
  refuses(RandAugment{.magnitude = 11}, "magnitude 11");
  refuses(RandomErasing{.min_area = 0}, "areas from 0");
}

TEST_CASE("random erasing follows its laws of probability, area and place") {
  const RandomErasing erasing;
  Stream stream(5);
  std::size_t erased = 0;
  double area = 0;
  double log_ratio = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto box = erasing.draw(224, 224, stream);
    if (box.height == 0) continue;
    ++erased;
    CHECK((box.top >= 0 && box.left >= 0 && box.top + box.height <= 224 &&
           box.left + box.width <= 224));
    const double share = static_cast<double>(box.height * box.width) / (224.0 * 224.0);
    CHECK((share > 0.019 && share < 0.337));
    area += share;
    log_ratio += std::log(static_cast<double>(box.height) / static_cast<double>(box.width));
  }
  const auto count = static_cast<double>(erased);
  CHECK(count / 20000 == Approx(0.2).margin(0.012));      // 4 standard deviations
  CHECK(area / count == Approx((0.02 + 1.0 / 3) / 2).margin(0.006));
  CHECK(log_ratio / count == Approx(0).margin(0.05));
  // Exactly the box changes, into noise of mean 0 and deviation 1.
  const auto images = at::full({40, 3, 32, 32}, 7.0, at::kFloat);
  const auto result = RandomErasing{.probability = 1}(images, {}, Stream(3));
  const auto changed = result.ne(7.0);
  CHECK(same(changed.select(1, 0), changed.select(1, 2)));
  const auto noise = result.masked_select(changed);
  CHECK(noise.numel() > 3 * 40 * 20);
  CHECK(noise.mean().item<double>() == Approx(0).margin(0.05));
  CHECK(noise.std().item<double>() == Approx(1).margin(0.05));
  CHECK(images.eq(7.0).all().item<bool>());
}
