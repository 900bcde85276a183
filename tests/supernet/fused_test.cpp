#include <cleave/supernet/nasbench201.hpp>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cell_scene.hpp"

// `Fused` against `Composed`, and against finite differences.

using namespace cleave;
using namespace cleave::testing;

TEST_CASE("fused edges equal composed ones for every restriction of an edge") {
  for (unsigned bits = 1; bits < 32; ++bits)
    for (const std::size_t edge : {0U, 2U, 5U}) {
      const auto allowed = Restriction<Space>().with(DecisionId(edge), options_of(bits));
      CAPTURE(bits, edge);
      CellScene scene(allowed, 4, at::kDouble);
      const auto x = random({3, 4, 5, 6}, bits);
      const auto mixture = weighted(allowed, bits + 100);
      CHECK(worst(scene.run(scene.fused, x, mixture), scene.run(scene.composed, x, mixture)) <
            1e-10);
    }
}

TEST_CASE("fused edges equal composed ones when all edges are restricted at once") {
  Stream stream(4);
  for (int i = 0; i < 40; ++i) {
    Restriction<Space> allowed;
    for (std::size_t d = 0; d < 6; ++d)
      allowed = allowed.with(DecisionId(d),
                             options_of(1 + static_cast<unsigned>(stream.below(31))));
    CAPTURE(i);
    CellScene scene(allowed, 2, at::kDouble);
    const auto x = random({2, 2, 4, 4}, static_cast<std::uint64_t>(i));
    const auto mixture = weighted(allowed, 7);
    CHECK(worst(scene.run(scene.fused, x, mixture), scene.run(scene.composed, x, mixture)) < 1e-10);
  }
}

TEST_CASE("fused edges equal composed ones for every kind of mixture") {
  CellScene scene({}, 8, at::kDouble);
  const auto x = random({3, 8, 6, 5}, 1);
  const auto equal = [&](const Mixture<Space>& mixture) {
    return worst(scene.run(scene.fused, x, mixture), scene.run(scene.composed, x, mixture)) < 1e-10;
  };
  Stream stream(2);
  for (int i = 0; i < 20; ++i) CHECK(equal(Mixture<Space>::path(sample<Space>({}, stream))));
  for (std::size_t d = 0; d < 6; ++d) {
    for (std::size_t o = 0; o < 5; ++o)
      for (const auto kind : {Probe::Hard, Probe::Soft})
        CHECK(equal(weighted({}, 3).probe(DecisionId(d), OptionId(o), kind)));
    auto left_out = weighted({}, 5);
    left_out.active[d] = {};
    CHECK(equal(left_out));
  }
  CHECK(equal(Mixture<Space>{}));                                // nothing at all
  CHECK(equal(Mixture<Space>::weighted({}, at::Tensor())));      // everything with weight 1
  CHECK(equal(Mixture<Space>::weighted({}, random({5, 6}, 6).t())));
  CHECK(equal(Mixture<Space>::weighted({}, torch::zeros({6, 5}, at::kDouble))));
}

TEST_CASE("fused edges equal composed ones at every size and with every width of vector") {
  struct Size {
    std::int64_t batch, channels, height, width;
  };
  for (const auto& s : std::vector<Size>{{1, 16, 1, 1},
                                         {2, 16, 1, 1},
                                         {1, 2, 7, 3},
                                         {5, 4, 1, 9},
                                         {3, 6, 2, 2},
                                         {2, 8, 33, 31},
                                         {9, 32, 4, 4},
                                         {70, 64, 2, 2},
                                         {2, 48, 5, 5},
                                         {3, 24, 6, 6},
                                         {2, 3, 6, 6},
                                         // more outputs of convolutions than stay in the caches
                                         {40, 8, 33, 31}}) {
    CAPTURE(s.batch, s.channels, s.height, s.width);
    CellScene scene({}, s.channels, at::kDouble);
    const auto x = random({s.batch, s.channels, s.height, s.width}, 1);
    const auto mixture = weighted({}, 2);
    // One pixel in all has no variance: 1 / deviation is 300, and so are the errors.
    const double tolerance = s.batch * s.height * s.width > 1 ? 1e-10 : 1e-8;
    CHECK(worst(scene.run(scene.fused, x, mixture), scene.run(scene.composed, x, mixture)) <
          tolerance);
  }
}

TEST_CASE("fused edges take images that lie in memory in any way, and any number of threads") {
  CellScene scene({}, 8, at::kDouble);
  const auto mixture = weighted({}, 2);
  const auto wide = random({4, 16, 6, 12}, 1);
  const auto x = wide.slice(1, 0, 16, 2).slice(3, 0, 12, 2);
  const auto expected = scene.run(scene.composed, x, mixture);
  CHECK(worst(scene.run(scene.fused, x, mixture), expected) < 1e-10);
  CHECK(worst(scene.run(scene.fused, x.contiguous(), mixture), expected) < 1e-10);
  const auto threads = at::get_num_threads();
  for (const int n : {1, 2, 3}) {
    at::set_num_threads(n);
    CHECK(worst(scene.run(scene.fused, x.contiguous(at::MemoryFormat::ChannelsLast), mixture),
                expected) < 1e-10);
  }
  at::set_num_threads(threads);
}

TEST_CASE("pieces of work are shared among LibTorch's threads") {
  const auto before = at::get_num_threads();
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    std::mutex mutex;
    std::set<std::thread::id> by;
    std::vector<int> done(10);
    supernet::parallel_pieces(10, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) ++done[static_cast<std::size_t>(i)];
      const std::lock_guard lock(mutex);
      by.insert(std::this_thread::get_id());
    });
    CHECK(done == std::vector<int>(10, 1));
    CHECK(by.size() == static_cast<std::size_t>(threads));
    CHECK_THROWS_WITH(supernet::parallel_pieces(10, [](std::int64_t, std::int64_t end) {
      if (end == 10) throw DataError("the last piece");
    }), "the last piece");
  }
  at::set_num_threads(before);
}

TEST_CASE("in float, fused edges are as near the truth as composed ones") {
  for (const std::int64_t channels : {4, 8, 16, 32}) {
    CAPTURE(channels);
    CellScene truth({}, channels, at::kDouble);
    CellScene scene({}, channels, at::kFloat);
    scene.arena.values().copy_(truth.arena.values());
    truth.arena.values().copy_(scene.arena.values());
    const auto x = random({16, channels, 16, 16}, 1).to(at::kFloat);
    auto mixture = weighted({}, 2);
    mixture.weights = mixture.weights.to(at::kFloat);
    auto exact = mixture;
    exact.weights = mixture.weights.to(at::kDouble);
    const auto expected = truth.run(truth.composed, x.to(at::kDouble), exact);
    const auto fused = scene.run(scene.fused, x, mixture);
    const auto composed = scene.run(scene.composed, x, mixture);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(i);
      const auto error = [&](const at::Tensor& t) {
        return (t - expected[i]).norm().item<double>();
      };
      CHECK(error(fused[i]) <= 2 * error(composed[i]));
    }
  }
}

TEST_CASE("what is not a number passes a node whose edges are all convolutions") {
  const auto allowed = [] {
    Restriction<Space> convolutions;
    for (std::size_t d = 0; d < 6; ++d)
      convolutions = convolutions.with(DecisionId(d), {Space::nor_conv_3x3});
    return convolutions;
  }();
  CellScene scene(allowed, 16, at::kFloat);
  auto x = random({2, 16, 4, 4}, 1).to(at::kFloat);
  x[0][0][1][1] = std::numeric_limits<float>::quiet_NaN();
  auto mixture = weighted(allowed, 2);
  mixture.weights = mixture.weights.to(at::kFloat);
  CHECK(scene.run(scene.composed, x, mixture)[0].isnan().any().item<bool>());
  CHECK(scene.run(scene.fused, x, mixture)[0].isnan().any().item<bool>());
  CHECK(scene.run_as<supernet::FusedBFloat16>(scene.fused, x, mixture)[0]
            .isnan()
            .any()
            .item<bool>());
}

TEST_CASE("gradients of fused edges agree with finite differences") {
  CellScene scene({}, 4, at::kDouble);
  const auto x = random({2, 4, 3, 5}, 1);
  const auto mixture = weighted({}, 2);
  const auto ours = scene.run(scene.fused, x, mixture);
  const at::NoGradGuard no_grad;
  const auto probe = random(x.sizes(), 99);
  const auto loss = [&](const at::Tensor& at, const Mixture<Space>& with) {
    const MixtureScalars<Space> scalars(with);
    return scene.fused.forward(Fused{}, scene.arena, at, with, scalars)
        .mul(probe)
        .sum()
        .item<double>();
  };
  constexpr double h = 1e-6;
  for (std::uint64_t seed = 10; seed < 20; ++seed) {
    const auto dx = random(x.sizes(), seed);
    CHECK((ours[1] * dx).sum().item<double>() ==
          Approx((loss(x + h * dx, mixture) - loss(x - h * dx, mixture)) / (2 * h)).epsilon(1e-5));
    const auto dw = random({scene.arena.size()}, seed + 100);
    const auto before = scene.arena.values().clone();
    at::Tensor values = scene.arena.values();
    values.add_(dw, h);
    const double plus = loss(x, mixture);
    values.copy_(before).sub_(dw, h);
    const double minus = loss(x, mixture);
    values.copy_(before);
    CHECK((ours[2] * dw).sum().item<double>() == Approx((plus - minus) / (2 * h)).epsilon(1e-5));
    const auto dt = random({6, 5}, seed + 200);
    auto up = mixture;
    auto down = mixture;
    up.weights = mixture.weights + h * dt;
    down.weights = mixture.weights - h * dt;
    CHECK((ours[3] * dt).sum().item<double>() ==
          Approx((loss(x, up) - loss(x, down)) / (2 * h)).epsilon(1e-5));
  }
}

TEST_CASE("only the gradients that are asked for are computed") {
  CellScene scene({}, 4, at::kDouble);
  const auto x = random({2, 4, 4, 4}, 1).requires_grad_(true);
  auto mixture = weighted({}, 2);
  mixture.weights.requires_grad_(true);
  const auto all = scene.run(scene.composed, x, mixture);
  const auto probe = random(x.sizes(), 99);
  const auto grad = [&](const std::vector<at::Tensor>& inputs) {
    scene.arena.gradients().zero_();
    const MixtureScalars<Space> scalars(mixture);
    const auto loss = scene.fused.forward(Fused{}, scene.arena, x, mixture, scalars).mul(probe);
    return torch::autograd::grad({loss.sum()}, inputs);
  };
  CHECK(worst({grad({mixture.weights})[0]}, {all[3]}) < 1e-10);
  CHECK(worst({grad({x})[0]}, {all[1]}) < 1e-10);
  const auto both = grad({x, mixture.weights});
  CHECK(worst({both[0], both[1]}, {all[1], all[3]}) < 1e-10);
  const auto& weight = scene.arena.named("cell.edges.3<-1.3.op.1.weight");
  at::Tensor bound = scene.arena.make_row(all[2])[0];
  for (const auto& entry : scene.arena.entries())
    if (entry.name == "cell.edges.3<-1.3.op.1.weight")
      bound = all[2].narrow(0, entry.slice.range.begin, entry.slice.range.size());
  const auto ours = grad({weight})[0].permute({0, 2, 3, 1}).reshape({-1});
  CHECK(worst({ours}, {bound}) < 1e-10);
  CHECK(scene.arena.gradients().abs().max().item<double>() == 0);
}

TEST_CASE("fused edges refuse a second derivative and a second backward pass") {
  CellScene scene({}, 4, at::kDouble);
  const auto x = random({2, 4, 4, 4}, 1).requires_grad_(true);
  const auto mixture = weighted({}, 2);
  const auto loss = [&] {
    const MixtureScalars<Space> scalars(mixture);
    return scene.fused.forward(Fused{}, scene.arena, x, mixture, scalars).square().sum();
  };
  std::string message;
  try {
    (void)torch::autograd::grad({loss()}, {x}, {}, std::nullopt, /*create_graph=*/true);
  } catch (const std::exception& error) {
    message = error.what();
  }
  CHECK(message.find("no second derivative") != std::string::npos);
  const auto once = loss();
  (void)torch::autograd::grad({once}, {x});
  CHECK_THROWS(torch::autograd::grad({once}, {x}));
  const auto twice = loss();
  const auto first = torch::autograd::grad({twice}, {x}, {}, /*retain_graph=*/true)[0];
  CHECK(torch::equal(torch::autograd::grad({twice}, {x})[0], first));
}

TEST_CASE("the supernets of both mixers are the same function") {
  using Plain = supernet::NasBench201<Composed>;
  using Quick = supernet::NasBench201<Fused>;
  const Plain::Config config{.channels = 4, .cells = 2, .scalar = at::kDouble};
  const Plain plain({}, config, Stream(1));
  const Quick quick({}, config, Stream(1));
  REQUIRE(torch::equal(plain.arena().values(), quick.arena().values()));
  const auto images = random({6, 3, 16, 16}, 2);
  const auto labels = torch::tensor({1, 7, 3, 1, 0, 9}, at::kLong);
  const auto run = [&](const auto& net) {
    auto mixture = weighted({}, 3);
    mixture.weights.requires_grad_(true);
    const auto logits = net.forward(images, mixture);
    at::cross_entropy_loss(logits, labels).backward();
    return std::vector<at::Tensor>{logits.detach(), net.arena().gradients(),
                                   mixture.weights.grad()};
  };
  CHECK(worst(run(quick), run(plain)) < 1e-10);
}
