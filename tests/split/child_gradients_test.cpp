#include <algorithm>
#include <cleave/split/child_gradients.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave/supernet/ofa.hpp>
#include <cleave/supernet/proxyless.hpp>
#include <cleave/testing/chain_laws.hpp>
#include <cleave/testing/toy_chain.hpp>
#include <cleave_test.hpp>
#include <utility>
#include <vector>

using namespace cleave;
using supernet::Ofa;
using supernet::Proxyless;
using Cells = supernet::NasBench201<supernet::Composed>;
using Toy = testing::ToyChain<testing::ToyRagged>;

static_assert(BeginsAnywhere<Ofa> && BeginsAnywhere<Proxyless>);
static_assert(!BeginsAnywhere<Cells> && !BeginsAnywhere<Toy>);

namespace {

at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kFloat));
}

data::Batch batch(std::int64_t channels) {
  return {random({4, channels, 8, 8}, 7), torch::arange(4, at::kLong)};
}

Ofa ofa(const Restriction<space::Ofa>& allowed = {}) {
  return {allowed,
          {.shape = {.width = 0.1, .image = 8, .classes = 5, .first_stride = 1}},
          Stream(1)};
}

Proxyless proxyless(const Restriction<space::Proxyless>& allowed = {}) {
  return {allowed,
          {.shape = {.width = 0.1, .image = 8, .image_channels = 1, .classes = 5, .first_stride = 1,
                     .strides = {1, 2, 1, 1, 2, 1}}},
          Stream(1)};
}

/// Every fifth decision open, the others at their second option.
template <class Space>
Restriction<Space> few() {
  Restriction<Space> allowed;
  for (std::size_t d = 0; d < Space::decision_count; ++d)
    if (d % 5 != 0) allowed = allowed.with(DecisionId(d), {OptionId(1)});
  return allowed;
}

template <class Space>
std::vector<DecisionId> all_of() {
  std::vector<DecisionId> decisions;
  for (std::size_t d = 0; d < Space::decision_count; ++d) decisions.emplace_back(d);
  return decisions;
}

/// A supernet that counts what is asked of it.
template <class Net>
struct Counting : Net {
  mutable std::size_t whole = 0;
  mutable std::vector<std::size_t> places{};

  at::Tensor forward(const at::Tensor& images, const typename Net::Context& context) const {
    ++whole;
    return Net::forward(images, context);
  }
  at::Tensor forward_from(std::size_t place, const at::Tensor& x,
                          const typename Net::Context& context,
                          std::span<at::Tensor> entered) const
    requires BeginsAnywhere<Net>
  {
    places.push_back(place);
    return Net::forward_from(place, x, context, entered);
  }
};

/// The rows of all children of some decisions, compared with whole passes bit for bit.
template <class Net>
void check_rows(Net& net, const data::Batch& data, const typename Net::Context& context,
                const std::vector<DecisionId>& decisions, Probe probe = Probe::Hard) {
  using Space = typename Net::Space;
  split::ChildGradients<Net> children(net, max_options<Space>);
  children.begin(data, context);
  bool same = true;
  for (const auto decision : decisions) {
    std::size_t row = 0;
    for (const auto option : net.restriction()[decision])
      children.record(row++, decision, option, probe);
    const at::Tensor rows = children.view(row, {}, {}).rows.clone();
    net.arena().bind_default();
    row = 0;
    for (const auto option : net.restriction()[decision]) {
      net.arena().gradients().zero_();
      const auto child = net.probe(context, decision, option, probe);
      at::cross_entropy_loss(net.forward(data.images, child), data.labels).backward();
      same = same && at::equal(rows[static_cast<std::int64_t>(row++)], net.arena().gradients());
    }
  }
  CHECK(same);
}

/// Forgets where a depth begins to matter.
struct LateDepth : Ofa {
  using Ofa::Ofa;
  static constexpr std::size_t place_of(DecisionId decision) {
    return std::min(place_count - 1, Ofa::place_of(decision) + 1);
  }
};
static_assert(BeginsAnywhere<LateDepth>);

/// Keeps nothing.
struct Forgetful : Ofa {
  using Ofa::Ofa;
  at::Tensor forward_from(std::size_t place, const at::Tensor& x, const Context& subnet,
                          std::span<at::Tensor>) const {
    return Ofa::forward_from(place, x, subnet);
  }
};

}  // namespace

TEST_CASE("a pass that begins where a child leaves its context is the child's") {
  Stream stream(2);
  auto elastic = ofa();
  auto shallow = elastic.restriction().sample(stream);
  for (std::size_t stage = 0; stage < space::Ofa::stage_count; ++stage)
    shallow.set(space::Ofa::depth(stage), OptionId(stage % 2));
  const auto colours = batch(3).images;
  CHECK(testing::check_begins_anywhere(elastic, colours, shallow).empty());
  auto paths = proxyless(few<space::Proxyless>());
  const auto path = paths.context_of(paths.restriction().sample(stream));
  CHECK(testing::check_begins_anywhere(paths, batch(1).images, path).empty());
  const auto weights = random({21, 7}, 5).softmax(1);
  CHECK(testing::check_begins_anywhere(paths, batch(1).images,
                                       Proxyless::Context::weighted(paths.restriction(), weights))
            .empty());

  LateDepth late(few<space::Ofa>(), elastic.config(), Stream(1));
  const auto broken = testing::check_begins_anywhere(late, colours, late.smallest());
  REQUIRE_FALSE(broken.empty());
  CHECK(broken.front().find("has other logits") != std::string::npos);
  Forgetful forgetful({}, elastic.config(), Stream(1));
  CHECK(testing::check_begins_anywhere(forgetful, colours, elastic.smallest()).size() ==
        Ofa::place_count);
}

TEST_CASE("gradients of children are those of whole passes, in any order of decisions") {
  Stream stream(3);
  auto elastic = ofa(few<space::Ofa>());
  auto paths = proxyless(few<space::Proxyless>());
  Toy toy({}, {}, Stream(1));
  auto elastic_order = all_of<space::Ofa>();
  auto paths_order = all_of<space::Proxyless>();
  for (const bool shuffled : {true, false}) {
    if (shuffled) {
      stream.shuffle(elastic_order);
      stream.shuffle(paths_order);
    } else {
      std::sort(elastic_order.begin(), elastic_order.end());
      std::reverse(paths_order.begin(), paths_order.end());
    }
    check_rows(elastic, batch(3), elastic.restriction().sample(stream), elastic_order);
    check_rows(paths, batch(1), paths.context_of(paths.restriction().sample(stream)), paths_order);
  }
  const auto weights = random({21, 7}, 6).softmax(1).set_requires_grad(true);
  const auto mixed = Proxyless::Context::weighted(paths.restriction(), weights);
  for (const auto probe : {Probe::Hard, Probe::Soft}) {
    check_rows(paths, batch(1), mixed, {DecisionId(20), DecisionId(3), DecisionId(9)}, probe);
    check_rows(toy, batch(1), toy.context_of(toy.restriction().sample(stream)),
               all_of<Toy::Space>(), probe);
  }
  CHECK_FALSE(weights.grad().defined());  // only the supernet's weights are asked
}

TEST_CASE("a child that is its context is computed once, others from where they leave it") {
  Stream stream(4);
  using Net = Counting<Ofa>;
  const Net net{ofa()};
  const auto context = net.restriction().sample(stream);
  split::ChildGradients<Net> children(net, 4);
  const auto decisions = all_of<space::Ofa>();
  const auto order = split::ChildGradients<Net>::deepest_first(decisions);
  for (std::size_t repeat = 0; repeat < 2; ++repeat) {
    net.places.clear();
    children.begin(batch(3), context);
    std::size_t options = 0;
    for (const auto d : order) {
      std::size_t row = 0;
      for (const auto option : net.restriction()[decisions[d]])
        children.record(row++, decisions[d], option, Probe::Hard);
      options += row;
    }
    REQUIRE(net.places.size() == 1 + options - decisions.size());
    CHECK(net.places.front() == 0);
    CHECK(std::is_sorted(net.places.rbegin(), net.places.rend() - 1));
    CHECK(std::count(net.places.begin(), net.places.end(), 0) == 1 + 3);  // three other image sizes
  }
  CHECK(net.whole == 0);

  using Cell = Counting<Cells>;
  const Cell cells{Cells({}, {.channels = 4, .cells = 1, .image_channels = 1}, Stream(1))};
  split::ChildGradients<Cell> paths(cells, 5);
  paths.begin({random({4, 1, 8, 8}, 7), torch::arange(4, at::kLong)},
              cells.context_of(cells.restriction().sample(stream)));
  for (std::size_t d = 0; d < 6; ++d)
    for (std::size_t o = 0; o < 5; ++o) paths.record(o, DecisionId(d), OptionId(o), Probe::Hard);
  CHECK(cells.whole == 6 * 4 + 1);
}
