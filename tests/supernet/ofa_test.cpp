#include <algorithm>
#include <cleave/data/digits.hpp>
#include <cleave/graph/exact_balanced.hpp>
#include <cleave/network/extract.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/supernet/ofa.hpp>
#include <cleave_test.hpp>
#include <fstream>
#include <iterator>
#include <torch/csrc/jit/serialization/pickle.h>
#include <vector>

using namespace cleave;
using Space = space::Ofa;
using Net = supernet::Ofa;
using Catch::Matchers::Contains;

namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Net::Config config() {
  return {.shape = {.width = 0.25, .image = 16, .classes = 5, .first_stride = 1},
          .scalar = at::kDouble};
}

/// A supernet whose weights are all random, transforms, batch norms and biases included.
Net net_over(const Restriction<Space>& allowed = {}, std::uint64_t seed = 1) {
  Net net(allowed, config(), Stream(seed));
  const at::NoGradGuard no_grad;
  for (const auto& entry : net.arena().entries()) {
    at::Tensor weight = net.arena().named(entry.name);
    if (weight.dim() < 2 || weight.size(0) == weight.size(1))
      weight.add_(random(weight.sizes(), weight.numel() + entry.name.size()), 0.2);
  }
  return net;
}

Restriction<Space> smaller() {
  Restriction<Space> allowed;
  return allowed.with(Space::kernel(0), {OptionId(0), OptionId(1)})
      .with(Space::expand(1), {OptionId(0), OptionId(1)})
      .with(Space::expand(5), {OptionId(0)})
      .with(Space::depth(2), {OptionId(0), OptionId(1)})
      .with(Space::depth(4), {OptionId(0)});
}

}  // namespace

TEST_CASE("elastic kernels: filters, outputs and gradients are the public code's") {
  const auto path = testing::fixture_path("elastic_kernel.pt");
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  const auto numbers = torch::jit::pickle_load(bytes).toGenericDict();
  const auto get = [&](const std::string& name) { return numbers.at(name).toTensor(); };
  const auto close = [](const at::Tensor& a, const at::Tensor& b) {
    return torch::allclose(a, b, 1e-9, 1e-9);
  };
  const auto x = get("x");
  for (const std::int64_t kernel : {3, 5, 7}) {
    CAPTURE(kernel);
    const auto suffix = std::to_string(kernel);
    const auto weight = get("weight_7x7").clone().set_requires_grad(true);
    const auto five = get("matrix_7to5").clone().set_requires_grad(true);
    const auto three = get("matrix_5to3").clone().set_requires_grad(true);
    const auto filter = supernet::elastic_filter(weight, five, three, kernel);
    CHECK(close(filter, get("filter_" + suffix)));
    const auto y = at::conv2d(x, filter, {}, 1, kernel / 2, 1, x.size(1));
    CHECK(close(y, get("y_" + suffix)));
    y.square().sum().backward();
    const auto gradient = [](const at::Tensor& of) {
      return of.grad().defined() ? of.grad() : at::zeros_like(of);
    };
    CHECK(close(gradient(weight), get("grad_" + suffix + "/conv.weight")));
    CHECK(close(gradient(five), get("grad_" + suffix + "/7to5_matrix")));
    CHECK(close(gradient(three), get("grad_" + suffix + "/5to3_matrix")));
  }
  const auto first = get("y_5_first4channels");
  const auto channels = first.size(1);
  const auto filter = supernet::elastic_filter(get("weight_7x7").narrow(0, 0, channels),
                                               get("matrix_7to5"), get("matrix_5to3"), 5);
  CHECK(close(at::conv2d(x.narrow(1, 0, channels), filter, {}, 1, 2, 1, channels), first));
}

TEST_CASE("a fresh ofa supernet transforms kernels by the identity; its largest subnet is a network") {
  Net net({}, config(), Stream(3));
  CHECK(torch::equal(net.arena().named("blocks.4.depthwise.7to5"),
                     torch::eye(25, at::kDouble)));
  auto alone = network::extract(net, net.largest());
  CHECK(static_cast<std::uint64_t>(alone.arena().size()) ==
        space::cost(net.largest(), config().shape).params);
  // All that the supernet has more are its transforms.
  CHECK(net.arena().size() - alone.arena().size() ==
        static_cast<std::int64_t>(Space::layer_count) * (25 * 25 + 9 * 9));
}

TEST_CASE("a subnet on its own computes what it does inside the ofa supernet") {
  const auto allowed = GENERATE(Restriction<Space>(), smaller());
  const auto net = net_over(allowed);
  const auto images = random({5, 3, 16, 16}, 7);
  const at::NoGradGuard no_grad;
  const auto before = net.arena().values().clone();
  Stream stream(2);
  for (int i = 0; i < 6; ++i) {
    const auto subnet = i == 0 ? net.largest() : i == 1 ? net.smallest() : allowed.sample(stream);
    CAPTURE(Space::to_text(subnet));
    auto alone = network::extract(net, subnet);
    CHECK(static_cast<std::uint64_t>(alone.arena().size()) ==
          space::cost(subnet, config().shape).params);
    const auto inside = net.forward(images, subnet);
    CHECK(torch::allclose(alone.forward(images, true), inside, 1e-9, 1e-9));
    alone.absorb_statistics(images, 0);
    CHECK(torch::allclose(alone.forward(images, false), inside, 1e-9, 1e-9));
    alone.arena().values().zero_();  // copies: the supernet does not notice
    CHECK(torch::equal(net.forward(images, subnet), inside));
  }
  CHECK(torch::equal(net.arena().values(), before));
}

TEST_CASE("statistics re-estimated on a data set leave the ofa supernet as it was") {
  const auto data = data::digits().take(200, 100);
  const Net net({}, {.shape = {.width = 0.25, .image = 8, .image_channels = 1, .classes = 10,
                               .first_stride = 1}}, Stream(1));
  const auto before = net.arena().values().clone();
  auto alone = network::extract(net, net.smallest());
  const auto weights = alone.arena().values().clone();
  std::vector<std::int64_t> images;
  for (std::int64_t i = 0; i < 100; ++i) images.push_back(i);
  network::reestimate_statistics(alone, data, data::Part::Train, images, 100);
  const auto batch = data.batch(data::Part::Train, images, false, Stream());
  const at::NoGradGuard no_grad;
  CHECK(torch::allclose(alone.forward(batch.images, false),
                        net.forward(batch.images, net.smallest()), 1e-4, 1e-4));
  CHECK(torch::equal(net.arena().values(), before));
  CHECK(torch::equal(alone.arena().values(), weights));
  CHECK_THROWS_AS(network::reestimate_statistics(alone, data, data::Part::Train, {}, 10),
                  ValueError);
}

TEST_CASE("ofa subnets outside the restriction are refused, images of any size are not") {
  const auto net = net_over(smaller());
  const at::NoGradGuard no_grad;
  auto outside = net.largest();
  outside.set(Space::kernel(0), OptionId(2));
  CHECK_THROWS_WITH(net.forward(random({2, 3, 16, 16}, 1), outside),
                    Contains("lies outside its restriction"));
  CHECK_THROWS_AS(network::extract(net, outside), ValueError);
  for (const std::int64_t size : {8, 11, 32})
    CHECK(net.forward(random({2, 3, size, size}, 1), net.largest()).size(1) == 5);
}

TEST_CASE("sorted channels leave the widest subnets as they were and put the important ones first") {
  auto net = net_over();
  const auto images = random({4, 3, 16, 16}, 4);
  const auto at_expand = [&](OptionId expansion, Architecture<Space> subnet) {
    for (std::size_t place = 0; place < Space::layer_count; ++place)
      subnet.set(Space::expand(place), expansion);
    return subnet;
  };
  const at::NoGradGuard no_grad;
  Stream stream(3);
  const auto some = Restriction<Space>().sample(stream);
  const OptionId e3(0), e4(1), e6(2);
  const auto output = [&](OptionId e) { return net.forward(images, at_expand(e, some)); };
  const auto at6 = output(e6);
  const auto at4 = output(e4);
  const auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return torch::allclose(a, b, 1e-9, 1e-9);
  };

  // Momentum moves with the weights: a copy of the weights stays a copy.
  const auto companion = net.arena().values().clone();
  net.sort_channels({e6}, std::vector{companion});
  CHECK(torch::equal(companion, net.arena().values()));
  CHECK(same(output(e6), at6));
  CHECK_FALSE(same(output(e4), at4));
  const auto importance = net.arena().named("blocks.7.project.conv.weight").abs().sum({0, 2, 3});
  CHECK(importance.diff().le(0).all().item<bool>());

  // Where e4 has been trained too, its channels stay the first ones.
  auto after = net_over();
  after.sort_channels({e4, e6});
  CHECK(same(after.forward(images, at_expand(e6, some)), at6));
  CHECK(same(after.forward(images, at_expand(e4, some)), at4));
  CHECK_FALSE(torch::equal(after.arena().values(), net_over().arena().values()));
}

TEST_CASE("a restricted ofa supernet holds no more than it needs; its child computes the same") {
  auto parent = net_over();
  auto child = net_over(smaller(), 5);
  const auto shape = [](const Net& net, const std::string& name) {
    return net.arena().named(name).sizes().vec();
  };
  CHECK(child.arena().size() < parent.arena().size());
  CHECK(shape(child, "blocks.2.expand.conv.weight")[0] == 4 * 8);   // expand 1: at most 4
  CHECK(shape(parent, "blocks.2.expand.conv.weight")[0] == 6 * 8);
  CHECK(shape(child, "blocks.1.depthwise.conv.weight")[2] == 7);    // kernels are made from 7x7
  CHECK_THROWS_AS(child.arena().named("blocks.12.expand.conv.weight"), ValueError);  // depth 2
  CHECK_THROWS_AS(child.arena().named("blocks.19.expand.conv.weight"), ValueError);  // depth 4
  const Restriction<Space> sevens =
      Restriction<Space>().with(Space::kernel(3), {OptionId(2)}).with(Space::kernel(4), {OptionId(1)});
  const Net fewer(sevens, config(), Stream(1));
  CHECK_THROWS_AS(fewer.arena().named("blocks.4.depthwise.7to5"), ValueError);
  CHECK_NOTHROW(fewer.arena().named("blocks.5.depthwise.7to5"));
  CHECK_THROWS_AS(fewer.arena().named("blocks.5.depthwise.5to3"), ValueError);

  const at::NoGradGuard no_grad;
  child.arena().inherit(parent.arena(), parent.arena().values(), child.arena().values());
  const auto images = random({4, 3, 16, 16}, 4);
  Stream stream(8);
  for (int i = 0; i < 4; ++i) {
    const auto subnet = smaller().sample(stream);
    CHECK(torch::allclose(child.forward(images, subnet), parent.forward(images, subnet), 1e-10,
                          1e-10));
  }
  // The teacher of a child keeps kernels of 7, also where they are no longer allowed.
  auto full = child.largest();
  for (std::size_t place = 0; place < Space::layer_count; ++place)
    full.set(Space::kernel(place), OptionId(2));
  CHECK(torch::allclose(child.forward_full(images, full), parent.forward(images, full), 1e-10, 1e-10));
}

TEST_CASE("ofa: a block's kernel and expansion are scored on everything but the block") {
  const auto net = net_over();
  const auto& arena = net.arena();
  const auto whole = arena.size();
  const auto size_of = [](const std::vector<WeightRange>& ranges) {
    std::int64_t total = 0;
    for (const auto& range : ranges) total += range.size();
    return total;
  };
  for (const std::size_t place : {0U, 6U, 19U}) {
    std::int64_t own = 0;
    for (const auto& entry : arena.entries())
      if (entry.name.starts_with(fmt::format("blocks.{}.", place + 1))) own += entry.slice.range.size();
    for (const auto decision : {Space::kernel(place), Space::expand(place)}) {
      CHECK(arena.range_of(decision).size() == own);
      CHECK(size_of(arena.shared_by(decision)) == whole - own);
      for (const auto& slice : arena.slices_shared_by(decision))
        CHECK((slice.range.end <= arena.range_of(decision).begin ||
               slice.range.begin >= arena.range_of(decision).end));
    }
  }
  CHECK(size_of(arena.shared_by(Space::depth(1))) == whole);
}

TEST_CASE("ofa: what a subnet does not use gets no gradient") {
  auto net = net_over();
  const auto images = random({4, 3, 16, 16}, 4);
  auto subnet = net.smallest();
  subnet.set(Space::kernel(4), OptionId(1)).set(Space::expand(4), OptionId(1));
  net.arena().gradients().zero_();
  net.forward(images, subnet).square().sum().backward();
  const auto row = net.arena().make_row(net.arena().gradients());
  const auto gradient = [&](const std::string& name) { return net.arena().named(name).grad(); };
  CHECK(gradient("blocks.5.depthwise.7to5").ne(0).any().item<bool>());
  CHECK(gradient("blocks.5.depthwise.5to3").eq(0).all().item<bool>());   // kernel 5
  const auto rim = gradient("blocks.5.depthwise.conv.weight");
  CHECK(rim.select(2, 0).eq(0).all().item<bool>());
  CHECK(rim.select(2, 1).ne(0).any().item<bool>());
  const auto width = gradient("blocks.5.expand.conv.weight");
  const auto used = width.size(0) * 4 / 6;
  CHECK(width.narrow(0, used, width.size(0) - used).eq(0).all().item<bool>());
  CHECK(width.narrow(0, 0, used).ne(0).any().item<bool>());
  CHECK(gradient("blocks.3.expand.conv.weight").eq(0).all().item<bool>());  // beyond the depth
}
