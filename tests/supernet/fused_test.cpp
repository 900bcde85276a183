#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

// `Fused` against `Composed`, and against finite differences.

using namespace cleave;
using Space = space::NasBench201;
using supernet::Composed;
using supernet::Fused;

namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

/// The edges of one cell, and the function that the cell is.
struct CellScene {
  WeightArena arena;
  supernet::NasBench201Cell<Fused> fused;
  supernet::NasBench201Cell<Composed> composed;

  CellScene(const Restriction<Space>& allowed, std::int64_t channels, at::ScalarType type)
      : fused(supernet::NasBench201Cell<Fused>::declare(arena, "cell", allowed, channels)) {
    composed.leaving = fused.leaving;
    arena.build(at::TensorOptions(type), Stream(1));
  }

  /// Output and gradients [y, x, weights, table] of sum(probe * cell(x)), in double.
  template <class Mixer, class Cell>
  std::vector<at::Tensor> run_as(const Cell& cell, const at::Tensor& given,
                                 Mixture<Space> mixture) {
    const auto x = given.detach().requires_grad_(true);
    if (mixture.weights.defined())
      mixture.weights = mixture.weights.detach().requires_grad_(true);
    const MixtureScalars<Space> scalars(mixture);
    arena.gradients().zero_();
    const supernet::NasBench201Cell<Mixer> same{cell.leaving};
    const auto y = same.forward(Mixer{}, arena, x, mixture, scalars);
    if (y.requires_grad())
      y.mul(random(y.sizes(), 99).to(y.scalar_type())).sum().backward();
    const auto or_zero = [](const at::Tensor& t, const at::Tensor& like) {
      return (t.defined() ? t : at::zeros_like(like)).to(at::kDouble);
    };
    std::vector<at::Tensor> all{y.detach().to(at::kDouble), or_zero(x.grad(), x),
                                arena.gradients().to(at::kDouble).clone()};
    if (mixture.weights.defined())
      all.push_back(or_zero(mixture.weights.grad(), mixture.weights));
    return all;
  }
  template <class Mixer>
  std::vector<at::Tensor> run(const supernet::NasBench201Cell<Mixer>& cell, const at::Tensor& x,
                              const Mixture<Space>& mixture) {
    return run_as<Mixer>(cell, x, mixture);
  }
};

/// Largest difference of each, relative to the largest magnitude (1 at least: where all is zero,
/// noise may not count).
double worst(const std::vector<at::Tensor>& ours, const std::vector<at::Tensor>& theirs) {
  REQUIRE(ours.size() == theirs.size());
  double result = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    REQUIRE(ours[i].sizes() == theirs[i].sizes());
    const auto scale = std::max(1.0, theirs[i].abs().max().item<double>());
    result = std::max(result, (ours[i] - theirs[i]).abs().max().item<double>() / scale);
  }
  return result;
}

Mixture<Space> weighted(const Restriction<Space>& allowed, std::uint64_t seed) {
  return Mixture<Space>::weighted(allowed, random({6, 5}, seed));
}

/// The options whose bit is set.
OptionSet options_of(unsigned bits) {
  OptionSet set;
  for (std::size_t o = 0; o < 5; ++o)
    if ((bits >> o & 1U) != 0) set.insert(OptionId(o));
  return set;
}

}  // namespace

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
                                         {2, 3, 6, 6}}) {
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

namespace {

/// Errors of bfloat16 against float64, relative in the norm, of [y, x, weights, table].
std::vector<double> errors_of_bfloat16(const Restriction<Space>& allowed, at::IntArrayRef shape,
                                       std::uint64_t seed, const Mixture<Space>& given) {
  CellScene scene(allowed, shape[1], at::kFloat);
  CellScene truth(allowed, shape[1], at::kDouble);
  at::Tensor(truth.arena.values()).copy_(scene.arena.values());
  const auto x = random(shape, seed).to(at::kFloat);
  auto mixture = given;
  auto exact = given;
  if (given.weights.defined()) {
    mixture.weights = given.weights.to(at::kFloat);
    exact.weights = mixture.weights.to(at::kDouble);
  }
  const auto ours = scene.run_as<supernet::FusedBFloat16>(scene.fused, x, mixture);
  const auto expected = truth.run(truth.composed, x.to(at::kDouble), exact);
  std::vector<double> errors;
  for (std::size_t i = 0; i < expected.size(); ++i)
    errors.push_back((ours[i] - expected[i]).norm().item<double>() /
                     std::max(1e-3, expected[i].norm().item<double>()));
  return errors;
}

/// The edges that leave the first node, the first with these options; what follows is skips. A
/// number that is rounded across zero changes which gradients the next ReLU lets through, so behind
/// one only values can be near.
Restriction<Space> first_node(OptionSet options) {
  Restriction<Space> allowed;
  for (const std::size_t edge : {2U, 4U, 5U})
    allowed = allowed.with(DecisionId(edge), {Space::skip_connect});
  return allowed.with(DecisionId(0), options);
}

void check_bfloat16(const Restriction<Space>& allowed, at::IntArrayRef shape,
                    const Mixture<Space>& mixture, double gradients) {
  const auto errors = errors_of_bfloat16(allowed, shape, 1, mixture);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    CAPTURE(i, errors[i]);
    CHECK(errors[i] < (i == 0 ? 0.01 : gradients));
  }
}
constexpr double near = 0.02;
constexpr double behind_a_relu = 0.2;

}  // namespace

TEST_CASE("bfloat16 edges are near float64 ones for every restriction of an edge") {
  for (unsigned bits = 1; bits < 32; ++bits) {
    CAPTURE(bits);
    const auto allowed = first_node(options_of(bits));
    const std::int64_t channels = std::array<std::int64_t, 3>{4, 8, 16}[bits % 3];
    check_bfloat16(allowed, {3, channels, 5, 6}, weighted(allowed, bits + 100), near);
  }
}

TEST_CASE("bfloat16 edges are near float64 ones for every kind of mixture") {
  const auto check = [](const Mixture<Space>& mixture) {
    check_bfloat16({}, {4, 16, 6, 5}, mixture, behind_a_relu);
  };
  Stream stream(2);
  for (int i = 0; i < 10; ++i) check(Mixture<Space>::path(sample<Space>({}, stream)));
  for (std::size_t o = 0; o < 5; ++o)
    for (const auto kind : {Probe::Hard, Probe::Soft})
      check(weighted({}, 3).probe(DecisionId(o), OptionId(o), kind));
  check(Mixture<Space>{});
  check(Mixture<Space>::weighted({}, at::Tensor()));
}

TEST_CASE("bfloat16 edges are near float64 ones at every size and with every width of vector") {
  const auto all = first_node(options_of(31));
  for (const std::int64_t channels : {4, 8, 12, 16, 24, 32, 48, 64})
    for (const auto& [batch, height, width] :
         std::vector<std::array<std::int64_t, 3>>{{1, 7, 3}, {5, 1, 9}, {2, 17, 15}, {33, 4, 4}}) {
      CAPTURE(channels, batch, height, width);
      check_bfloat16(all, {batch, channels, height, width}, weighted(all, 2), near);
      check_bfloat16({}, {batch, channels, height, width}, weighted({}, 2), behind_a_relu);
    }
}

TEST_CASE("bfloat16 is for float alone, and for channels that fill a vector") {
  CellScene scene({}, 4, at::kDouble);
  const auto x = random({2, 4, 5, 5}, 1);
  CHECK(worst(scene.run_as<supernet::FusedBFloat16>(scene.fused, x, weighted({}, 2)),
              scene.run(scene.composed, x, weighted({}, 2))) < 1e-10);
  for (const double error : errors_of_bfloat16({}, {4, 3, 6, 6}, 1, weighted({}, 2)))
    CHECK(error < 1e-5);
  for (const double error : errors_of_bfloat16({}, {4, 4, 6, 6}, 1, weighted({}, 2)))
    CHECK(error > 1e-5);
}

TEST_CASE("every instruction set rounds to bfloat16 as LibTorch does") {
  // Of all bit patterns a part: ordinary, tiny, halfway, infinite and not a number.
  std::vector<std::uint32_t> patterns;
  for (std::uint32_t high = 0; high < 0x8000U; high += 5)
    for (const std::uint32_t low : {0x0000U, 0x0001U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU})
      if (high >= 0x0080U) patterns.push_back(high << 16 | low);  // the instruction has no denormals
  while (patterns.size() % 16 != 0) patterns.push_back(0x3f800000U);
  const auto values = torch::empty({static_cast<std::int64_t>(patterns.size())}, at::kFloat);
  std::memcpy(values.data_ptr(), patterns.data(), patterns.size() * sizeof(float));
  const auto expected = values.to(at::kBFloat16);
  supernet::fused::Shape shape{.batch = 1, .height = 1, .width = 1, .channels = values.size(0)};
  const auto rounded = [&](const auto& rectify) {
    std::vector<supernet::fused::BFloat16> padded(static_cast<std::size_t>(shape.padded_size()));
    rectify(shape, values.const_data_ptr<float>(), padded.data());
    const auto result = torch::empty_like(expected);
    std::memcpy(result.data_ptr(),
                padded.data() + (shape.padded_width() + 1) * shape.channels,
                patterns.size() * 2);
    return result;
  };
  const auto same = [&](const at::Tensor& ours) {
    return torch::equal(ours.isnan(), expected.isnan()) &&
           torch::equal(ours.nan_to_num(0), expected.nan_to_num(0));
  };
  namespace fused = supernet::fused;
  CHECK(same(rounded(fused::baseline::rectify<fused::BFloat16>)));
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2"))
    CHECK(same(rounded(fused::avx2::rectify<fused::BFloat16>)));
  if (__builtin_cpu_supports("avx512bf16"))
    CHECK(same(rounded(fused::avx512_bf16::rectify<fused::BFloat16>)));
#endif
}

namespace {

/// A node with both convolutions, pooling and a skip on one edge and convolutions on the next, by
/// these loops: [sums, dx, the weights' gradients].
template <class S, class P>
std::vector<at::Tensor> leave_node_by(const supernet::fused::Kernels<S, P>& loops,
                                      at::IntArrayRef shape) {
  namespace fused = supernet::fused;
  const auto tensor = [](at::IntArrayRef sizes, std::uint64_t seed) {
    return random(sizes, seed).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  };
  const auto c = shape[1];
  fused::Node node;
  node.edges = {{.options = {.three = 0, .one = 0, .skip = true, .pool = true}},
                {.options = {.three = 1, .one = 1}}};
  node.weights = 1;
  node.buffers = std::make_shared<Buffers>();
  std::vector<at::Tensor> inputs{tensor(shape, 1), tensor({c, c, 3, 3}, 2), tensor({c, c, 3, 3}, 3),
                                 tensor({c, c, 1, 1}, 4), tensor({c, c, 1, 1}, 5)};
  std::vector<at::Tensor> results{at::empty_like(inputs[0]), at::empty_like(inputs[0])};
  std::vector<at::Tensor> weights;
  for (std::size_t k = 1; k < inputs.size(); ++k) weights.push_back(at::empty_like(inputs[k]));
  const auto dx = at::empty_like(inputs[0]);

  fused::Passes<S, P> forward(loops, node, inputs[0]);
  const auto& s = forward.shape();
  std::vector<S> y(static_cast<std::size_t>(s.batch * s.pixels() * s.outputs()));
  std::vector<P> packed(
      static_cast<std::size_t>((fused::Shape::points * s.three_outputs() + s.one_outputs()) * c));
  forward.forward(inputs, nullptr, y.data(), packed.data(), results, node.means, node.deviations);
  fused::Passes<S, P> backward(loops, node, inputs[0]);
  backward.backward({tensor(shape, 6), tensor(shape, 7)}, nullptr, y.data(), packed.data(),
                    {.x = true, .weights = true}, dx, weights, nullptr);
  results.push_back(dx);
  results.insert(results.end(), weights.begin(), weights.end());
  return results;
}

}  // namespace

TEST_CASE("products of pairs of bfloat16 agree with products of float") {
  namespace fused = supernet::fused;
  using fused::BFloat16;
  for (const auto& shape : std::vector<std::array<std::int64_t, 4>>{
           {3, 16, 5, 7}, {2, 16, 8, 8}, {1, 32, 7, 3}, {4, 64, 8, 9}}) {
    const auto exact = leave_node_by(fused::baseline::kernels<float, float>, shape);
    const auto check = [&](const std::vector<at::Tensor>& ours) {
      for (std::size_t i = 0; i < exact.size(); ++i) {
        CAPTURE(shape, i);
        CHECK((ours[i] - exact[i]).norm().item<double>() <
              near * exact[i].norm().item<double>());
        CHECK((ours[i] - exact[i]).norm().item<double>() > 0);
      }
    };
    check(leave_node_by(fused::baseline::kernels<BFloat16, float>, shape));
    check(leave_node_by(fused::baseline::kernels<BFloat16, BFloat16>, shape));
    if (const auto* widest = fused::kernels_for<BFloat16, BFloat16>(shape[1]))
      check(leave_node_by(*widest, shape));
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
