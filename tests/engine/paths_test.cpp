#include <algorithm>
#include <cleave/data/accuracy.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave_test.hpp>
#include <numeric>
#include <set>
#include <vector>

using namespace cleave;

namespace {

using Space = space::NasBench201;
using Net = supernet::NasBench201<>;

Net::Config tiny() { return {.channels = 4, .cells = 1, .image_channels = 1}; }

const data::InMemory& digits() {
  static const auto data = data::digits().take(200, 50);
  return data;
}

std::vector<std::int64_t> first_images(std::size_t count) {
  std::vector<std::int64_t> images(count);
  std::iota(images.begin(), images.end(), std::int64_t{0});
  return images;
}

/// A judge of `net` with what it writes down.
struct Judged {
  explicit Judged(const Net& net, std::size_t batch = 32)
      : path_judge(net, digits(), first_images(100), batch, Stream(3),
                   {memory, control, stages, "leaf"}) {}

  std::vector<Hits> memory{};
  RunControl control{};
  std::vector<StageRecord> stages{};
  PathJudge<Net, data::InMemory> path_judge;
};

std::size_t right(const Hits& hits) {
  return std::accumulate(hits.begin(), hits.end(), std::size_t{0});
}

/// The digits, with a list of the train images that were asked for augmented.
struct Watched {
  std::set<std::int64_t>& augmented;

  [[nodiscard]] std::string_view name() const { return digits().name(); }
  [[nodiscard]] std::int64_t classes() const { return digits().classes(); }
  [[nodiscard]] data::ImageShape shape() const { return digits().shape(); }
  [[nodiscard]] std::span<const std::int64_t> labels(data::Part part) const {
    return digits().labels(part);
  }
  [[nodiscard]] data::Batch batch(data::Part part, std::span<const std::int64_t> indices,
                                  bool augment, Stream stream) const {
    if (augment) augmented.insert(indices.begin(), indices.end());
    return digits().batch(part, indices, augment, stream);
  }
};

template <class Strategy>
auto one_shot(const Strategy& strategy) {
  using Search = FewShotSearch<Space, Strategy, split::Random>;
  typename Search::Settings settings;
  settings.schedule = {.splits = {}, .final_epochs = 3};
  settings.supernet = tiny();
  settings.network = tiny();
  settings.batch = 32;
  settings.seed = 5;
  return Search(settings, strategy);
}

}  // namespace

TEST_CASE("judging path A, then B, then A gives A's hits twice, and leaves no trace") {
  Net net({}, tiny(), Stream(1));
  auto stream = Stream(2);
  const auto a = net.context_of(sample<Space>({}, stream));
  const auto b = net.context_of(sample<Space>({}, stream));
  const auto values = net.arena().values().clone();
  net.arena().gradients().fill_(0.5);
  Judged judged(net);
  const auto judge = judged.path_judge.judge();
  for (std::size_t k = 0; k < judge.batches; ++k) {
    const auto rows = judge.hits(std::vector{a, b, a}, k);
    CHECK(rows[0] == rows[2]);
    CHECK(rows[0] != rows[1]);
    CHECK(judge.hits(std::vector{a}, k).front() == rows[0]);  // nor does the company matter
  }
  CHECK(torch::equal(net.arena().values(), values));
  CHECK((net.arena().gradients() == 0.5).all().item<bool>());
}

TEST_CASE("all batches of a judge together are every image once, in batches of one size") {
  Net net({}, tiny(), Stream(1));
  auto stream = Stream(2);
  const auto context = net.context_of(sample<Space>({}, stream));
  Judged judged(net);
  const auto judge = judged.path_judge.judge();
  REQUIRE(judge.batches == 4);
  CHECK(judge.images == 100);
  std::size_t total = 0;
  std::size_t images = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    const auto row = judge.hits(std::vector{context}, k).front();
    CHECK(row.size() == 25);  // and not 32, 32, 32, 4
    total += right(row);
    images += row.size();
  }
  CHECK(images == 100);

  // The same images in the same batches through the accuracy of data/accuracy.hpp.
  auto order = first_images(100);
  auto shuffle = Stream(3);
  shuffle.shuffle(order);
  double expected = 0;
  for (std::size_t k = 0; k < 4; ++k)
    expected += 25 * data::accuracy(digits(), data::Part::Train,
                                    std::span<const std::int64_t>(order).subspan(25 * k, 25),
                                    [&](const at::Tensor& x) { return net.forward(x, context); });
  CHECK(static_cast<double>(total) == Approx(expected).epsilon(1e-12));

  CHECK(judged.memory.size() == 4);
  REQUIRE(judged.stages.size() == 1);
  CHECK(judged.stages[0].steps == 4);
  CHECK(judged.stages[0].images == 100);
  CHECK(Judged(net, 100).path_judge.judge().batches == 1);
  CHECK(Judged(net, 1000).path_judge.judge().batches == 1);
}

TEST_CASE("a judge that is asked again answers from its memory") {
  Net net({}, tiny(), Stream(1));
  auto stream = Stream(2);
  std::vector<Mixture<Space>> contexts;
  for (int i = 0; i < 40; ++i) contexts.push_back(net.context_of(sample<Space>({}, stream)));
  std::vector<StageRecord> stages;
  std::vector<Hits> memory;
  std::size_t ticks = 0;
  const RunControl stopping{.observe = [](const Progress&) {},
                            .stop_requested = [&] { return ++ticks == 2; }};
  std::vector<Hits> answer;
  {
    PathJudge<Net, data::InMemory> judge(net, digits(), first_images(100), 32, Stream(3),
                                         {memory, stopping, stages, "leaf"});
    CHECK_THROWS_AS(judge.judge().hits(contexts, 0), Interrupted);
  }
  CHECK(memory.size() == 32);  // two groups of sixteen
  {
    PathJudge<Net, data::InMemory> judge(net, digits(), first_images(100), 32, Stream(3),
                                         {memory, stopping, stages, "leaf"});
    answer = judge.judge().hits(contexts, 0);
  }
  CHECK(answer == memory);
  Judged afresh(net);
  CHECK(answer == afresh.path_judge.judge().hits(contexts, 0));
  REQUIRE(stages.size() == 1);  // both parts together
  CHECK(stages[0].stage == Stage::Judging);
  CHECK(stages[0].steps == 40);
  CHECK(stages[0].images == 40 * 25);

  // A memory that cannot be this run's is not used.
  memory[3].pop_back();
  PathJudge<Net, data::InMemory> judge(net, digits(), first_images(100), 32, Stream(3),
                                       {memory, stopping, stages, "leaf"});
  CHECK_THROWS_AS(judge.judge().hits(contexts, 0), DataError);
}

TEST_CASE("a search that learns no alpha loads no search batches") {
  const auto holdout =
      data::split_train(digits().labels(data::Part::Train), {}, Stream(5).fork("holdout"));
  const auto touched = [&](const auto& strategy) {
    std::set<std::int64_t> augmented;
    (void)one_shot(strategy).run(Watched{augmented});
    return std::count_if(holdout.search.begin(), holdout.search.end(),
                         [&](std::int64_t image) { return augmented.contains(image); });
  };
  CHECK(touched(strategy::Rsps<>{.paths = 5}) == 0);
  CHECK(touched(strategy::Darts<strategy::FirstOrder>{}) > 0);
}

TEST_CASE("a search with RSPS finds what evaluating all its paths finds, for fewer passes") {
  const auto full = one_shot(strategy::Rsps<strategy::FullEvaluation>{.paths = 60}).run(digits());
  const auto race = one_shot(strategy::Rsps<>{.paths = 60}).run(digits());
  const auto passes = [](const auto& result) {
    for (const auto& stage : result.stages)
      if (stage.stage == Stage::Judging) return stage.steps;
    return std::size_t{0};
  };
  CHECK(passes(full) == 60 * 3);
  CHECK(passes(race) < passes(full));
  CHECK(race.genotype() == full.genotype());
  CHECK_FALSE(race.leaves[0].alpha.has_value());
}
