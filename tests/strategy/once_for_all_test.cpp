#include <cleave/data/digits.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/extract.hpp>
#include <cleave/network/file.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/accuracy_predictor.hpp>
#include <cleave/strategy/once_for_all.hpp>
#include <cleave/supernet/ofa.hpp>
#include <cleave_test.hpp>
#include <filesystem>
#include <map>
#include <set>

using namespace cleave;
using Space = space::Ofa;
using Net = supernet::Ofa;
using Strategy = strategy::OnceForAll<>;
using Catch::Matchers::Contains;

static_assert(strategy::SearchStrategy<Strategy, Net>);
static_assert(strategy::SearchStrategy<strategy::OnceForAll<strategy::Sandwich>, Net>);
static_assert(strategy::RestartsFromParent<Strategy, Net>);

namespace {

Net::Config config(at::ScalarType scalar = at::kDouble) {
  return {.shape = {.width = 0.25, .image = 8, .image_channels = 1, .classes = 10,
                    .first_stride = 1, .strides = {1, 2, 1, 1, 2}},
          .scalar = scalar};
}

data::Batch batch(std::size_t count, std::int64_t first = 0) {
  std::vector<std::int64_t> images(count);
  for (std::size_t i = 0; i < count; ++i) images[i] = first + static_cast<std::int64_t>(i);
  auto result = data::digits().batch(data::Part::Train, images, false, Stream());
  result.images = result.images.to(at::kDouble);
  return result;
}

at::Tensor soft(const at::Tensor& logits, const at::Tensor& teacher) {
  return -(teacher.softmax(1) * logits.log_softmax(1)).sum(1).mean();
}
at::Tensor hard(const at::Tensor& logits, const at::Tensor& labels) {
  const auto uniform = at::full_like(logits, 0.1 / 10);
  const auto target = uniform.scatter_add(1, labels.unsqueeze(1),
                                          at::full_like(labels.unsqueeze(1), 0.9, at::kDouble));
  return -(target * logits.log_softmax(1)).sum(1).mean();
}

/// Plain SGD, so that a step's update shows its gradient.
strategy::Sgd plain() {
  return {.momentum = 0, .weight_decay = 0.5, .nesterov = false, .clip = 0};
}

/// 1 for weights that decay.
bool is_matrix(const Net& net, std::string_view name) { return net.arena().named(name).dim() >= 2; }

}  // namespace

TEST_CASE("once-for-all's stages follow each other in the shares they are given") {
  const Strategy strategy;
  const double total = 180 + 120 + 140 + 140;
  const std::map<double, std::pair<std::size_t, double>> expected{
      {0.0, {0, 0.0}},           {90 / total, {0, 0.5}},    {180.0 / total + 1e-9, {1, 0.0}},
      {240 / total, {1, 0.5}},   {310 / total, {2, 0.5}},   {380 / total, {3, 0.5}},
      {450 / total, {4, 0.5}},   {520 / total, {5, 0.5}},   {0.9999999, {5, 1.0}}};
  for (const auto& [progress, at] : expected) {
    CAPTURE(progress);
    CHECK(strategy.moment(false, progress).stage == at.first);
    CHECK(strategy.moment(false, progress).progress == Approx(at.second).margin(1e-5));
  }
  CHECK(strategy.moment(true, 0.0).stage == 0);  // kernel
  CHECK(strategy.moment(true, 60.0 / 400).progress == Approx(0.5));
  CHECK(strategy.sampler.after_restart.front().called == "kernel");

  Net net({}, config(), Stream(1));
  auto wrong = strategy;
  wrong.sampler.stages.clear();
  CHECK_THROWS_WITH(wrong.start(net, Stream()), Contains("no stages"));
  wrong = strategy;
  wrong.sampler.stages[2].share = 0;
  CHECK_THROWS_WITH(wrong.start(net, Stream()), Contains("stage depth 1 has share 0"));
}

TEST_CASE("the full stage trains the largest subnet on smoothed labels; BN and biases do not decay") {
  Net net({}, config(), Stream(1));
  Strategy strategy;
  strategy.weights = plain();
  auto state = strategy.start(net, Stream(2));
  const auto before = net.arena().values().clone();
  const auto material = batch(16);

  Net twin({}, config(), Stream(1));
  const auto& stage = strategy.sampler.stages[0];
  const auto subnet = strategy.sampler.subnets(twin, stage, Stream(3).fork("subnets")).front();
  CHECK(Architecture<Space>(subnet).set(Space::image(), twin.largest()[Space::image()]) ==
        twin.largest());
  const auto loss = hard(twin.forward(material.images, subnet), material.labels);
  loss.backward();
  const auto report = strategy.step(net, state, {.weights = material}, Stream(3));
  CHECK(report.loss.item<double>() == Approx(loss.item<double>()).epsilon(1e-10));
  const double rate = strategy.sampler.stages[0].rate.first;
  for (const auto& entry : net.arena().entries()) {
    const auto range = entry.slice.range;
    const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, range.begin, range.size()); };
    auto step = part(twin.arena().gradients()).clone();
    if (is_matrix(net, entry.name)) step.add_(part(before), 0.5);
    CAPTURE(std::string(entry.name));
    CHECK(torch::allclose(part(net.arena().values()), part(before).sub(step, rate), 1e-9, 1e-11));
  }
  CHECK_FALSE(state.teacher.defined());
}

TEST_CASE("a later stage sums several distilled subnets into one update, after sorting channels") {
  Net net({}, config(), Stream(1));
  Strategy strategy;
  strategy.weights = plain();
  strategy.sampler.stages = {strategy::Progressive::all()[0], strategy::Progressive::all()[5]};
  auto state = strategy.start(net, Stream(2));
  const auto full = net.forward(batch(16).images, net.largest()).detach();
  const auto material = batch(16);
  const double at = 180.0 / 300 + 1e-9;
  const Stream stream(3);

  Net twin({}, config(), Stream(1));
  twin.sort_channels({OptionId(2)});
  const auto before = twin.arena().values().clone();
  const auto& stage = strategy.sampler.stages[1];
  const auto subnets = strategy.sampler.subnets(twin, stage, stream.fork("subnets"));
  const auto teacher = twin.forward_full(material.images, subnets[0]).detach();
  CHECK(torch::allclose(twin.forward_full(material.images, twin.largest()), full, 1e-9, 1e-9));
  REQUIRE(subnets.size() == 4);
  CHECK_FALSE(subnets[0] == subnets[1]);
  double total = 0;
  for (const auto& subnet : subnets) {
    const auto logits = twin.forward(material.images, subnet);
    const auto loss = hard(logits, material.labels) + soft(logits, teacher);
    loss.backward();
    total += loss.item<double>() / 4;
  }
  const auto report = strategy.step(net, state, {.weights = material, .progress = at}, stream);
  CHECK(report.loss.item<double>() == Approx(total).epsilon(1e-9));
  const auto gradient = twin.arena().gradients() + before * net.arena().matrix_mask() * 0.5;
  CHECK(torch::allclose(net.arena().values(), before - gradient * stage.rate.at(0), 1e-9, 1e-11));
  CHECK(torch::equal(state.teacher, before));

  // The teacher stays what it was while the weights move on.
  (void)strategy.step(net, state, {.weights = material, .progress = at + 0.1}, stream);
  CHECK(torch::equal(state.teacher, before));
}

TEST_CASE("the sandwich rule: the largest learns labels, the others what the largest says") {
  Net net({}, config(), Stream(1));
  strategy::OnceForAll<strategy::Sandwich> strategy;
  strategy.weights = plain();
  strategy.weights.weight_decay = 0;
  auto state = strategy.start(net, Stream(2));
  const auto material = batch(16);
  const Stream stream(3);
  Net twin({}, config(), Stream(1));
  const auto before = twin.arena().values().clone();
  const auto subnets =
      strategy.sampler.subnets(twin, strategy.sampler.stages[0], stream.fork("subnets"));
  REQUIRE(subnets.size() == 4);
  CHECK(subnets[0] == twin.largest());
  CHECK(subnets[1] == twin.smallest());
  at::Tensor teacher;
  for (const auto& subnet : subnets) {
    const auto logits = twin.forward(material.images, subnet);
    (teacher.defined() ? soft(logits, teacher) : hard(logits, material.labels)).backward();
    if (!teacher.defined()) teacher = logits.detach();
  }
  (void)strategy.step(net, state, {.weights = material}, stream);
  CHECK(torch::allclose(net.arena().values(), before - twin.arena().gradients() * 0.06, 1e-9, 1e-11));
}

TEST_CASE("around a probed kernel: kernels uniform over the allowed, widths and depths at their largest") {
  const auto allowed = Restriction<Space>()
                           .with(Space::kernel(2), {OptionId(0), OptionId(1)})
                           .with(Space::expand(4), {OptionId(0), OptionId(1)});
  Net net(allowed, config(), Stream(1));
  const Strategy strategy;
  auto state = strategy.start(net, Stream(2));
  auto first = strategy.context(net, state, Stream(1));  // nothing but images is elastic yet
  CHECK(first.set(Space::image(), net.largest()[Space::image()]) == net.largest());
  state.stage = 1;
  std::array<std::array<int, 3>, 2> counts{};
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const auto subnet = strategy.context(net, state, Stream(7).fork(i));
    REQUIRE(allowed.contains(subnet));
    for (std::size_t d = Space::layer_count; d < Space::image().index(); ++d)
      REQUIRE(subnet[DecisionId(d)] == net.largest()[DecisionId(d)]);
    ++counts[0][subnet[Space::kernel(0)].index()];
    ++counts[1][subnet[Space::kernel(2)].index()];
  }
  for (const int count : counts[0]) CHECK(std::abs(count - 1000) < 110);  // four deviations
  CHECK(counts[1][2] == 0);
  CHECK(std::abs(counts[1][0] - 1500) < 110);
}

TEST_CASE("the size of images is drawn for every step, the same for its subnets") {
  const auto sizes = OptionSet{OptionId(0), OptionId(3)};
  const Net net(Restriction<Space>().with(Space::image(), sizes), config(), Stream(1));
  const strategy::Progressive progressive;
  OptionSet seen;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto subnets =
        progressive.subnets(net, strategy::Progressive::all()[5], Stream(i));
    for (const auto& subnet : subnets)
      CHECK(subnet[Space::image()] == subnets.front()[Space::image()]);
    seen = seen | OptionSet{subnets.front()[Space::image()]};
  }
  CHECK(seen == sizes);
}

TEST_CASE("children inherit teacher and momentum, or restart from the teacher") {
  Net parent({}, config(), Stream(1));
  Strategy strategy;
  strategy.sampler.stages = {strategy::Progressive::all()[0], strategy::Progressive::all()[1]};
  auto state = strategy.start(parent, Stream(2));
  for (int i = 0; i < 3; ++i)
    (void)strategy.step(parent, state, {.weights = batch(16), .progress = i * 0.4}, Stream(i));
  REQUIRE(state.stage == 1);
  const auto allowed = Restriction<Space>()
                           .with(Space::kernel(3), {OptionId(0), OptionId(1)})
                           .with(Space::expand(5), {OptionId(0)});
  const auto child_of = [&] {
    Net child(allowed, config(), Stream(5));
    child.arena().inherit(parent.arena(), parent.arena().values(), child.arena().values());
    return child;
  };
  const at::NoGradGuard no_grad;
  const auto images = batch(8).images;
  auto child = child_of();
  const auto inherited = strategy.inherit(parent, state, child);
  CHECK(inherited.stage == 1);
  CHECK(torch::allclose(child.forward(images, child.largest()),
                        parent.forward(images, child.largest()), 1e-10, 1e-10));
  const auto expected = at::zeros_like(child.arena().values());
  child.arena().inherit(parent.arena(), state.moments.momentum, expected);
  CHECK(torch::equal(inherited.moments.momentum, expected));
  CHECK(expected.abs().sum().item<double>() > 0);

  auto restarted = child_of();
  const auto begun = strategy.restart(parent, state, restarted);
  CHECK(begun.restarted);
  CHECK(begun.stage == 0);
  CHECK(begun.moments.momentum.abs().sum().item<double>() == 0);
  CHECK(torch::equal(begun.teacher, restarted.arena().values()));
  CHECK(torch::equal(begun.teacher, inherited.teacher));
  at::Tensor(parent.arena().values()).copy_(state.teacher);
  CHECK(torch::allclose(restarted.forward(images, restarted.largest()),
                        parent.forward(images, restarted.largest()), 1e-10, 1e-10));
}

namespace {

using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced, split::Among<>,
                                         split::FixedRepeats>;
using Search = FewShotSearch<Space, Strategy, Matching>;

struct Small {
  Search::Settings settings;
  Strategy strategy;
  Matching matching{.edges = {.decisions = Space::decisions(Space::Kind::kernel)},
                    .repeats = {.count = 1}};
  data::InMemory data = data::digits().take(200, 60);

  explicit Small(Restart restart) {
    at::set_num_threads(1);
    auto stages = strategy::Progressive::all();
    for (auto& stage : stages) stage.share = 1;
    strategy.sampler.stages = restart == Restart::None
                                  ? stages
                                  : std::vector(stages.begin(), stages.begin() + 2);
    strategy.sampler.after_restart = {stages.begin() + 1, stages.end()};
    strategy.evolution = {.population = 4, .generations = 1};
    strategy.judged_batches = 1;
    settings.schedule = {.splits = {{2, 2}, {3, 2}}, .final_epochs = 2, .restart = restart,
                         .freeze_architecture = false};
    settings.supernet = config(at::kFloat);
    settings.network.sizes = config(at::kFloat);
    settings.trial.batch = 48;
    settings.trial.optimiser = {.rate = {0.05, 0.0}};
    settings.batch = 30;
    settings.seed = 5;
  }
  [[nodiscard]] Search search() const { return Search(settings, strategy, matching, {.rungs = {1}}); }
};

}  // namespace

TEST_CASE("OFA is split over its kernels by gradient matching, and every leaf keeps its mask") {
  Small small(GENERATE(Restart::LastSplit, Restart::None));
  const auto& shape = small.settings.supernet.shape;
  const double most = static_cast<double>(space::cost(Net({}, config(), Stream(1)).largest(), shape).macs) * 0.6;
  small.strategy.limits.most_macs = most;
  std::size_t evolved = 0;
  small.strategy.judged = [&](const Net& net, const auto& individuals) {
    ++evolved;
    CHECK(net.restriction().contains(strategy::best_of(individuals).architecture));
    CHECK(individuals.size() >= 4);
    for (const auto& one : individuals)
      CHECK(static_cast<double>(space::cost(one.architecture, shape).macs) <= most);
  };
  const auto result = small.search().run(small.data);
  REQUIRE(result.leaves.size() == 4);
  CHECK(evolved == 4);
  for (const auto& split : result.splits)
    CHECK(Space::kind(split.outcome.split.decision) == Space::Kind::kernel);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& leaf = result.leaves[i];
    CHECK(result.tree[leaf.node].restriction.contains(leaf.genotype));
    for (std::size_t j = 0; j < i; ++j)
      CHECK_FALSE(intersect(result.tree[leaf.node].restriction,
                            result.tree[result.leaves[j].node].restriction));
  }
  CHECK(result.chosen.has_value());

  small.strategy.limits.most_macs = 10;
  small.strategy.judged = {};
  small.settings.schedule = {.splits = {}, .final_epochs = 1};
  CHECK_THROWS_WITH(small.search().run(small.data), Contains("the least possible are"));
}

TEST_CASE("an OFA search goes on from a checkpoint as if it had not been stopped") {
  const Small small(Restart::LastSplit);
  const auto search = small.search();
  const auto whole = search.run(small.data);
  auto state = search.start();
  for (const std::size_t stop_after : {5U, 12U, 15U}) {
    CAPTURE(stop_after);
    std::size_t ticks = 0;
    const RunControl stopping{[](const Progress&) {}, [&] { return ++ticks > stop_after; }};
    CHECK_THROWS_AS(search.run(small.data, stopping, state), Interrupted);
    archive::Writer to;
    write_run(to, state);
    archive::Reader from(to.buffer(), "run");
    state = read_run(from, search.plan());
  }
  search.run(small.data, {}, state);
  const auto& resumed = state.result;
  REQUIRE(resumed.leaves.size() == whole.leaves.size());
  CHECK(resumed.chosen == whole.chosen);
  for (std::size_t i = 0; i < whole.leaves.size(); ++i) {
    CHECK(resumed.leaves[i].genotype == whole.leaves[i].genotype);
    CHECK(resumed.leaves[i].supernet_accuracy == whole.leaves[i].supernet_accuracy);
  }
}

TEST_CASE("a predictor leads the search of a leaf, also of one that was stopped in between") {
  using Led = strategy::OnceForAll<strategy::Progressive, strategy::Predicted>;
  using LedSearch = FewShotSearch<Space, Led, Matching>;
  Small small(Restart::None);
  Led led;
  led.sampler = small.strategy.sampler;
  led.evolution = {.population = 20, .generations = 4};
  led.estimator = {.samples = 40, .finalists = 4, .predictor = {.width = 16, .epochs = 10}};
  led.judged_batches = 1;
  std::vector<strategy::EstimateQuality> qualities;
  led.estimated = [&](const Net&, const auto& quality) { qualities.push_back(quality); };
  led.judged = [&](const Net&, const auto& individuals) {
    CHECK((individuals.size() >= 40 && individuals.size() <= 44));
  };
  LedSearch::Settings settings;
  settings.schedule = {.splits = {}, .final_epochs = 1, .freeze_architecture = false};
  settings.supernet = small.settings.supernet;
  settings.network.sizes = small.settings.supernet;
  settings.trial = small.settings.trial;
  settings.batch = 30;
  const LedSearch search(settings, led, small.matching, {.rungs = {1}});
  const auto whole = search.run(small.data);
  REQUIRE(qualities.size() == 1);
  CHECK(qualities[0].fitted == 32);
  CHECK(qualities[0].held_out == 8);

  auto state = search.start();
  std::size_t judged = 0;
  for (int part = 0; part < 3; ++part) {  // in the sample, twice; in the finalists
    std::size_t signs = 0;
    const RunControl stopping{
        [&](const Progress& at) {
          if (at.stage == Stage::Judging && at.kind == Progress::Kind::Advanced) ++signs;
        },
        [&] { return signs > 0; }};
    CHECK_THROWS_AS(search.run(small.data, stopping, state), Interrupted);
    archive::Writer to;
    write_run(to, state);
    archive::Reader from(to.buffer(), "run");
    state = read_run(from, search.plan());
    judged += signs;
  }
  CHECK(judged >= 3);
  search.run(small.data, {}, state);
  CHECK(state.result.leaves[0].genotype == whole.leaves[0].genotype);
  CHECK(state.result.leaves[0].supernet_accuracy == whole.leaves[0].supernet_accuracy);
  REQUIRE(qualities.size() == 2);
  CHECK(qualities[1].tau == qualities[0].tau);
  CHECK(qualities[1].rmse == qualities[0].rmse);
}

TEST_CASE("a subnet is written to a file and read back; other files are refused") {
  const Net net({}, config(), Stream(1));
  auto subnet = network::extract(net, net.smallest());
  subnet.absorb_statistics(batch(12).images, 0);
  const auto path = std::filesystem::temp_directory_path() / "cleave_subnet_test.network";
  network::save(path, subnet);
  auto back = network::load<network::Ofa>(path, {.sizes = config()});
  CHECK(back.genotype() == subnet.genotype());
  const at::NoGradGuard no_grad;
  CHECK(torch::equal(back.forward(batch(8).images, false), subnet.forward(batch(8).images, false)));
  auto wider = config();
  wider.shape.width = 0.5;
  CHECK_THROWS_AS(network::load<network::Ofa>(path, {.sizes = wider}), DataError);
  CHECK_THROWS_WITH(network::load<network::Proxyless>(path, {}), Contains("a network of proxyless"));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  CHECK_THROWS_AS(network::load<network::Ofa>(path, {.sizes = config()}), DataError);
  std::filesystem::remove(path);
  CHECK_THROWS_AS(network::load<network::Ofa>(path, {.sizes = config()}), IoError);
}
