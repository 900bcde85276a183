#include <cleave/supernet/nasbench201.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "cell_scene.hpp"

// The loops of `Fused`, instruction set by instruction set, and numbers kept as bfloat16.

using namespace cleave;
using namespace cleave::testing;

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
  const auto y = node.buffers->take(
      static_cast<std::size_t>(s.batch * s.pixels() * s.outputs()) * sizeof(S));
  std::vector<P> packed(
      static_cast<std::size_t>((fused::Shape::points * s.three_outputs() + s.one_outputs()) * c));
  forward.forward(inputs, nullptr, y.template as<S>(), packed.data(), results, node.means, node.deviations);
  fused::Passes<S, P> backward(loops, node, inputs[0]);
  backward.backward({tensor(shape, 6), tensor(shape, 7)}, nullptr, y.template as<S>(), packed.data(),
                    {.x = true, .weights = true}, dx, weights, nullptr);
  results.push_back(dx);
  results.insert(results.end(), weights.begin(), weights.end());
  return results;
}

}  // namespace

TEST_CASE("all loops that this machine has leave a node with the same numbers") {
  namespace fused = supernet::fused;
  using fused::BFloat16;
  for (const auto& shape : std::vector<std::array<std::int64_t, 4>>{
           {3, 16, 5, 7},
           {2, 16, 8, 8},
           {1, 32, 7, 3},
           {4, 64, 8, 9},
           {40, 16, 33, 31}}) {  // more outputs of convolutions than stay in the caches
    const auto narrowest = leave_node_by(fused::baseline::kernels<float, float>, shape);
    const auto errors = [&](const std::vector<at::Tensor>& ours) {
      std::vector<double> all;
      for (std::size_t i = 0; i < narrowest.size(); ++i)
        all.push_back((ours[i] - narrowest[i]).norm().item<double>() /
                      narrowest[i].norm().item<double>());
      return all;
    };
    const auto check_float = [&](const fused::Kernels<float, float>& loops) {
      for (const double error : errors(leave_node_by(loops, shape))) {
        CAPTURE(shape);
        CHECK(error < 1e-5);
      }
    };
    const auto check_bfloat16 = [&](const auto& loops) {
      for (const double error : errors(leave_node_by(loops, shape))) {
        CAPTURE(shape);
        CHECK(error < near);
        CHECK(error > 1e-5);
      }
    };
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) check_float(fused::avx2::kernels<float, float>);
#endif
    check_float(*fused::kernels_for<float, float>(shape[1]));
    // Products of floats; of pairs without the instruction; with it, where there is one.
    check_bfloat16(fused::baseline::kernels<BFloat16, float>);
    check_bfloat16(fused::baseline::kernels<BFloat16, BFloat16>);
    if (const auto* widest = fused::kernels_for<BFloat16, BFloat16>(shape[1]))
      check_bfloat16(*widest);
  }
}
