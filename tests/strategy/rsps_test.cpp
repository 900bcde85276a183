#include <algorithm>
#include <cleave/strategy/rsps.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave/testing/toy_cell.hpp>
#include <cleave/testing/toy_elastic.hpp>
#include <cleave_test.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace cleave;
using Space = space::NasBench201;
using Net = supernet::NasBench201<>;
using strategy::Rsps;

static_assert(strategy::SearchStrategy<Rsps<>, Net>);
static_assert(strategy::SearchStrategy<Rsps<strategy::FullEvaluation>, testing::ToyCellNet>);
static_assert(strategy::SearchStrategy<Rsps<>, testing::ToyElasticNet>);
static_assert(!strategy::learns_architecture<Rsps<>>);

namespace {

Net::Config tiny() { return {.channels = 2, .cells = 1, .scalar = at::kDouble}; }

Architecture<Space> path_of(const Mixture<Space>& context) {
  Architecture<Space> path;
  for (std::size_t d = 0; d < 6; ++d) {
    REQUIRE(context.active[d].size() == 1);
    path.set(DecisionId(d), context.active[d].nth(0));
  }
  return path;
}

/// Six paths, of which five are connected.
Restriction<Space> six() {
  const OptionSet none{Space::none};
  return Restriction<Space>()
      .with(DecisionId(0), none)
      .with(DecisionId(1), {Space::none, Space::skip_connect, Space::nor_conv_1x1})
      .with(DecisionId(2), none)
      .with(DecisionId(3), {Space::none, Space::nor_conv_3x3})
      .with(DecisionId(4), none)
      .with(DecisionId(5), {Space::skip_connect});
}

/// A judge of 10 batches that likes 3x3 convolutions, and pools a little less.
struct Fond {
  std::size_t passes = 0;
  std::set<Architecture<Space>> asked{};

  Judge<Net> judge() {
    return {
        10, 200, [this](std::span<const Mixture<Space>> contexts, std::size_t) {
          std::vector<Hits> rows;
          for (const auto& context : contexts) {
            ++passes;
            const auto path = path_of(context);
            asked.insert(path);
            std::size_t right = 0;
            for (const auto option : path.options())
              right += option == Space::nor_conv_3x3 ? 3 : option == Space::avg_pool_3x3 ? 2 : 0;
            Hits hits(20, 0);
            std::fill_n(hits.begin(), right, std::uint8_t{1});
            rows.push_back(hits);
          }
          return rows;
        }};
  }
};

}  // namespace

TEST_CASE("RSPS' contexts are uniform over the connected paths of the restriction") {
  const Net net(six(), tiny(), Stream(1));
  const Rsps<> rsps{};
  const auto state = rsps.start(net, Stream(2));
  std::map<Architecture<Space>, int> counts;
  constexpr int draws = 5000;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto context = rsps.context(net, state, Stream(3).fork(i));
    CHECK_FALSE(context.weights.defined());
    ++counts[path_of(context)];
  }
  CHECK(counts.size() == 5);
  double chi_square = 0;
  for (const auto& [path, count] : counts) {
    CHECK(is_connected(path));
    CHECK(six().contains(path));
    chi_square += (count - 1000.0) * (count - 1000.0) / 1000.0;
  }
  CHECK(chi_square < 18.5);  // 4 degrees of freedom, p = 0.001
}

TEST_CASE("RSPS says when no path is connected") {
  const auto cut = six().with(DecisionId(1), {Space::none}).with(DecisionId(3), {Space::none});
  Net net(cut, tiny(), Stream(1));
  const Rsps<> rsps{};
  auto state = rsps.start(net, Stream(2));
  const std::string sentence = "no architecture of the restriction connects input and output";
  const auto message = [](const auto& work) -> std::string {
    try {
      work();
    } catch (const ValueError& error) {
      return error.what();
    }
    return "";
  };
  Fond fond;
  CHECK(message([&] { (void)rsps.context(net, state, Stream(3)); }).find(sentence) !=
        std::string::npos);
  CHECK(message([&] { (void)rsps.derive(net, state, fond.judge(), Stream(3)); }).find(sentence) !=
        std::string::npos);
}

TEST_CASE("a step of RSPS trains one path's weights; the others only decay") {
  Net net({}, tiny(), Stream(1));
  const Rsps<> rsps{};
  CHECK(rsps.weights.weight_decay == 1e-4);
  auto state = rsps.start(net, Stream(2));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{5});
  TrainingStep step;
  step.weights = {torch::randn({6, 3, 8, 8}, generator, at::TensorOptions(at::kDouble)),
                  torch::arange(6, at::kLong)};
  const auto path = path_of(rsps.context(net, state, Stream(3)));
  const auto before = net.arena().values().clone();
  const auto report = rsps.step(net, state, step, Stream(3));
  CHECK_FALSE(report.search_loss.defined());
  CHECK(report.gradient_norm.item<double>() > 0);
  int idle = 0;
  for (std::size_t d = 0; d < 6; ++d)
    for (const auto option : {Space::nor_conv_1x1, Space::nor_conv_3x3}) {
      if (path[DecisionId(d)] == option) continue;
      const auto range = net.arena().range_of(DecisionId(d), option);
      const auto now = net.arena().values().narrow(0, range.begin, range.size());
      const auto then = before.narrow(0, range.begin, range.size());
      // Nesterov's first step is rate (1 + momentum) times the gradient, here the decay alone.
      CHECK(at::allclose(now, then * (1 - 0.025 * 1.9 * 1e-4), 1e-12, 1e-15));
      ++idle;
    }
  CHECK(idle >= 6);
}

TEST_CASE("RSPS derives the best of 200 different paths") {
  const Net net({}, tiny(), Stream(1));
  const Rsps<strategy::FullEvaluation> full{};
  const auto state = full.start(net, Stream(2));
  Fond fond;
  const auto best = full.derive(net, state, fond.judge(), Stream(3));
  CHECK(fond.asked.size() == 200);
  CHECK(fond.passes == 2000);
  const auto worth = [](const Architecture<Space>& path) {
    int right = 0;
    for (const auto option : path.options())
      right += option == Space::nor_conv_3x3 ? 3 : option == Space::avg_pool_3x3 ? 2 : 0;
    return right;
  };
  for (const auto& path : fond.asked) {
    CHECK(is_connected(path));
    CHECK(worth(path) <= worth(best));
  }
  Fond again;
  const Rsps<> racing{};
  const Rsps<>::State<Net> same{state.weight_moments};
  CHECK(racing.derive(net, same, again.judge(), Stream(3)) == best);
  CHECK((again.asked == fond.asked));
  CHECK(again.passes < fond.passes);
}

TEST_CASE("RSPS compares all paths of a small restriction, and needs paths and images") {
  const Net net(six(), tiny(), Stream(1));
  const Rsps<> rsps{};
  const auto state = rsps.start(net, Stream(2));
  Fond fond;
  const auto best = rsps.derive(net, state, fond.judge(), Stream(3));
  CHECK(fond.asked.size() == 5);
  CHECK(best[DecisionId(3)] == Space::nor_conv_3x3);
  CHECK_THROWS_AS((Rsps<>{.paths = 0}.derive(net, state, fond.judge(), Stream(3))), ValueError);
  CHECK_THROWS_AS(rsps.derive(net, state, Judge<Net>{}, Stream(3)), ValueError);
}

TEST_CASE("RSPS samples genotypes of spaces that have their own") {
  using Toy = testing::ToyCell;
  const testing::ToyCellNet net({}, {}, Stream(1));
  const Rsps<> rsps{};
  const auto state = rsps.start(net, Stream(2));
  const auto context = rsps.context(net, state, Stream(3));
  auto stream = Stream(3);
  CHECK(context.active == net.context_of(sample<Toy>({}, stream)).active);
  const auto active = std::count_if(context.active.begin(), context.active.end(),
                                    [](OptionSet options) { return !options.empty(); });
  CHECK(active == 2);
}

TEST_CASE("a child of RSPS inherits its weights' momentum") {
  Net parent({}, tiny(), Stream(1));
  const Rsps<> rsps{};
  auto state = rsps.start(parent, Stream(2));
  state.weight_moments.momentum.copy_(parent.arena().values());
  Net child(six(), tiny(), Stream(9));
  child.arena().inherit(parent.arena(), parent.arena().values(), child.arena().values());
  const auto inherited = rsps.inherit(parent, state, child);
  CHECK(torch::equal(inherited.weight_moments.momentum, child.arena().values()));
  std::set<std::string> fields;
  state.fields([&](const char* name, auto&) { fields.insert(name); });
  CHECK(fields == std::set<std::string>{"weight_moments"});
}
