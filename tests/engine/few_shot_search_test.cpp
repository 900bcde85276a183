#include <algorithm>
#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/select/best_validation.hpp>
#include <cleave/split/exhaustive.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace cleave;

namespace {

using Space = space::NasBench201;
using Criterion = split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                          split::LowestNormalisedCut, split::FixedRepeats>;
using Search = FewShotSearch<Space, strategy::Darts<>, Criterion>;
using Result = SearchResult<Space>;

constexpr std::size_t repeats = 2;

Search::Settings tiny() {
  Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}, {2, 2}}, .final_epochs = 1};
  settings.supernet = {.channels = 4, .cells = 1, .image_channels = 1};
  settings.network = settings.supernet;
  settings.batch = 32;
  settings.trial.batch = 64;
  settings.seed = 7;
  return settings;
}

Search tiny_search(const Search::Settings& settings) {
  return Search(settings, {}, {.repeats = {repeats}}, {.rungs = {1, 2}});
}

const data::InMemory& digits() {
  static const auto data = data::digits().take(200, 50);
  return data;
}

/// The unbroken run of `tiny()`.
const Result& unbroken() {
  static const Result result = [] {
    at::set_num_threads(1);
    return tiny_search(tiny()).run(digits());
  }();
  return result;
}

/// Everything but what took how long.
std::string found(const Result& result) {
  auto json = report::to_json(result);
  json.erase("stages");
  return json.dump();
}

/// The digits with NaN in every tenth, or another share, of the train part's images.
struct Damaged {
  const data::InMemory& whole;
  std::int64_t every = 10;

  [[nodiscard]] std::string_view name() const { return whole.name(); }
  [[nodiscard]] std::int64_t classes() const { return whole.classes(); }
  [[nodiscard]] data::ImageShape shape() const { return whole.shape(); }
  [[nodiscard]] std::span<const std::int64_t> labels(data::Part part) const {
    return whole.labels(part);
  }
  [[nodiscard]] data::Batch batch(data::Part part, std::span<const std::int64_t> indices,
                                  bool augment, Stream stream) const {
    auto batch = whole.batch(part, indices, augment, stream);
    for (std::size_t i = 0; i < indices.size(); ++i)
      if (part == data::Part::Train && indices[i] % every == 0)
        batch.images[static_cast<std::int64_t>(i)].fill_(std::numeric_limits<float>::quiet_NaN());
    return batch;
  }
};
static_assert(data::DataSet<Damaged>);

}  // namespace

TEST_CASE("two splits into two give four disjoint leaves that cover the space") {
  const auto& result = unbroken();
  REQUIRE(result.leaves.size() == 4);
  CHECK(result.splits.size() == 3);
  Count covered = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& leaf = result.leaves[i];
    const auto& restriction = result.tree[leaf.node].restriction;
    CHECK(result.tree[leaf.node].depth == 2);
    CHECK(restriction.contains(leaf.genotype));
    CHECK(leaf.supernet_accuracy >= 0);
    CHECK(leaf.supernet_accuracy <= 1);
    REQUIRE(leaf.alpha);
    CHECK(leaf.alpha->entropy > 0.5);  // one epoch decides little
    CHECK(leaf.alpha->entropy <= 1 + 1e-9);
    covered += restriction.count();
    for (std::size_t j = 0; j < i; ++j)
      CHECK_FALSE(intersect(restriction, result.tree[result.leaves[j].node].restriction));
  }
  CHECK(covered == Restriction<Space>().count());
  REQUIRE(result.chosen);
  CHECK(result.genotype() == result.leaves[*result.chosen].genotype);
}

TEST_CASE("a decision is split once on the way to a leaf, and splits say what they saw") {
  const auto& result = unbroken();
  for (const auto& split : result.splits) {
    const auto& node = result.tree[split.node];
    const auto& outcome = split.outcome;
    CHECK((node.split == outcome.split));
    CHECK(outcome.repeats == repeats);
    const std::size_t open = node.depth == 0 ? 6 : 5;
    CHECK(outcome.evidence.size() == open);
    CHECK(outcome.passes == repeats * open * 5);
    if (node.depth == 1) CHECK(outcome.split.decision != result.tree[node.parent].split->decision);
    double least = std::numeric_limits<double>::infinity();
    double taken = least;
    for (const auto& evidence : outcome.evidence) {
      CHECK(evidence.similarity.rows() == static_cast<Eigen::Index>(evidence.options.size()));
      least = std::min(least, evidence.normalised_cut);
      if (evidence.decision == outcome.split.decision) taken = evidence.normalised_cut;
    }
    CHECK(taken == least);
  }
}

TEST_CASE("stages add up: steps, images, passes, trials") {
  const auto& result = unbroken();
  const auto holdout = data::split_train(digits().labels(data::Part::Train), {}, Stream());
  const std::size_t steps = holdout.weights.size() / 32;
  CHECK(result.search_steps() == (1 + 2 + 4) * steps);
  std::size_t passes = 0;
  std::size_t trial_steps = 0;
  for (const auto& stage : result.stages) {
    if (stage.stage == Stage::Training) CHECK(stage.images == stage.steps * 32);
    if (stage.stage == Stage::Scoring) {
      passes += stage.steps;
      CHECK(stage.images == repeats * 32);
    }
    if (stage.stage == Stage::Selecting) trial_steps += stage.steps;
  }
  CHECK(passes == repeats * 5 * (6 + 5 + 5));
  // Four networks for one epoch, two of them for a second.
  const auto images = holdout.weights.size() + holdout.search.size();
  CHECK(result.trials.size() == 4 + 2);
  CHECK(trial_steps == (4 + 2) * (images / 64));
}

TEST_CASE("progress begins, rises to what was planned, and ends") {
  Search::Settings settings = tiny();
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  std::size_t open = 0;
  std::size_t done = 0;
  std::size_t ended = 0;
  const RunControl control{.observe = [&](const Progress& p) {
    CHECK(p.done <= p.planned);
    if (p.kind == Progress::Kind::Began) {
      ++open;
      done = p.done;
      CHECK((p.done == 0 || p.stage == Stage::Selecting));  // a later rung goes on
    }
    CHECK(open == 1);
    CHECK(p.done >= done);
    done = p.done;
    if (p.kind == Progress::Kind::Ended) {
      --open;
      ++ended;
      if (p.stage == Stage::Training || p.stage == Stage::Scoring) CHECK(p.done == p.planned);
    }
  }};
  const auto result = tiny_search(settings).run(digits(), control);
  CHECK(open == 0);
  CHECK(ended >= result.stages.size());  // a trial has one record for all its rungs
}

TEST_CASE("the same seed gives the same result, another seed another") {
  CHECK(found(tiny_search(tiny()).run(digits())) == found(unbroken()));
  auto other = tiny();
  other.seed = 8;
  CHECK(found(tiny_search(other).run(digits())) != found(unbroken()));
}

TEST_CASE("the order in which leaves are visited does not matter") {
  auto settings = tiny();
  settings.last_child_first = true;
  for (const auto restart : {Restart::LastSplit, Restart::None}) {
    settings.schedule.restart = restart;
    auto forward = settings;
    forward.last_child_first = false;
    const auto backwards = tiny_search(settings).run(digits());
    const auto& expected =
        restart == Restart::LastSplit ? unbroken() : tiny_search(forward).run(digits());
    REQUIRE(backwards.leaves.size() == expected.leaves.size());
    for (std::size_t i = 0; i < expected.leaves.size(); ++i) {
      const auto& ours = backwards.leaves[i];
      const auto& theirs = expected.leaves[i];
      CHECK(backwards.tree[ours.node].path == expected.tree[theirs.node].path);
      CHECK(backwards.tree[ours.node].restriction == expected.tree[theirs.node].restriction);
      CHECK(ours.genotype == theirs.genotype);
      CHECK(ours.supernet_accuracy == theirs.supernet_accuracy);
      CHECK(ours.alpha->entropy == theirs.alpha->entropy);
    }
    CHECK((backwards.chosen == expected.chosen));
    REQUIRE(backwards.trials.size() == expected.trials.size());
    for (std::size_t i = 0; i < expected.trials.size(); ++i)
      CHECK(backwards.trials[i].accuracy == expected.trials[i].accuracy);
  }
}

TEST_CASE("a run that is stopped says where, and keeps the leaves and splits it has") {
  // Stops in the last leaf, after three others were finished.
  std::string at;
  const RunControl control{.observe = [&](const Progress& p) { at = std::string(p.where); },
                           .stop_requested = [&] { return at == "leaf 1.1"; }};
  Result result;
  std::string message;
  try {
    tiny_search(tiny()).run(digits(), control, result);
  } catch (const Interrupted& error) {
    message = error.what();
  }
  CHECK(message.find("training leaf 1.1, after 1 of ") != std::string::npos);
  CHECK(result.splits.size() == 3);
  CHECK(result.tree.leaves().size() == 4);
  CHECK(result.leaves.size() == 3);
  CHECK_FALSE(result.chosen);
  REQUIRE_FALSE(result.stages.empty());
  CHECK(result.stages.back().where == "leaf 1.1");
  CHECK(result.stages.back().steps == 1);
  for (std::size_t i = 0; i < result.leaves.size(); ++i)
    CHECK(result.leaves[i].genotype == unbroken().leaves[i].genotype);
}

TEST_CASE("a run stopped while scoring says how many repeats it has") {
  Stage stage = Stage::Training;
  std::size_t done = 0;
  const RunControl control{.observe =
                               [&](const Progress& p) {
                                 stage = p.stage;
                                 done = p.done;
                               },
                           .stop_requested = [&] { return stage == Stage::Scoring && done == 1; }};
  std::string message;
  try {
    (void)tiny_search(tiny()).run(digits(), control);
  } catch (const Interrupted& error) {
    message = error.what();
  }
  CHECK(message.find("scoring supernet, after 1 of 2") != std::string::npos);
}

TEST_CASE("an image that is not finite is an error that names stage, epoch, step and images") {
  Result result;
  std::string message;
  try {
    tiny_search(tiny()).run(Damaged{digits()}, {}, result);
  } catch (const NumericalError& error) {
    message = error.what();
  }
  CHECK(message.find("training supernet, epoch 0, step 0") != std::string::npos);
  CHECK(message.find("the images are not finite") != std::string::npos);
  CHECK(result.stages.size() == 1);
}

TEST_CASE("trouble can be skipped: the run ends, the report counts it, a resumed run agrees") {
  auto settings = tiny();
  settings.schedule = {.splits = {}, .final_epochs = 3};
  settings.trouble = strategy::NonFinite::SkipStep;
  const auto data = Damaged{digits(), 40};  // some batches are whole
  const auto search = tiny_search(settings);
  const auto result = search.run(data);
  REQUIRE(result.chosen);
  REQUIRE(result.trouble.count("supernet") == 1);
  const auto& of_supernet = result.trouble.at("supernet");
  CHECK(of_supernet.skipped > 0);
  CHECK(of_supernet.rolled_back == 0);
  CHECK(of_supernet.last.find("training supernet, epoch 2, step ") == 0);
  CHECK(found(search.run(data)) == found(result));
}

TEST_CASE("trouble can be rolled back with half the rate, and what does not help is an error") {
  auto settings = tiny();
  settings.trouble = strategy::NonFinite::RollBack;
  std::string message;
  Result result;
  try {
    tiny_search(settings).run(Damaged{digits()}, {}, result);
  } catch (const NumericalError& error) {
    message = error.what();
  }
  // The images are the same every time.
  CHECK(message.find("the images are not finite") != std::string::npos);
  CHECK(message.find("11 times in a row") != std::string::npos);
  CHECK(result.trouble.at("supernet").rolled_back == strategy::FiniteGuard::most_rollbacks);

  // A rate that is far too high comes down until it works.
  settings.schedule = {.splits = {}, .final_epochs = 2};
  const strategy::Darts<> wild{.weights = {.rate = {1e30, 1e30}, .clip = 0}};
  const Search search(settings, wild, {.repeats = {repeats}}, {.rungs = {1, 2}});
  auto state = search.start();
  CHECK_THROWS_AS(search.run(digits(), {}, state), NumericalError);  // 2^-10 is not enough
  CHECK(state.live.at(0).state.weight_moments.rate_scale == std::pow(0.5, 10));
}

TEST_CASE("no split is one-shot search, an exhaustive split few-shot search") {
  auto settings = tiny();
  settings.schedule = {.splits = {}, .final_epochs = 1};
  const auto one_shot = tiny_search(settings).run(digits());
  CHECK(one_shot.leaves.size() == 1);
  CHECK(one_shot.splits.empty());
  CHECK(one_shot.trials.empty());
  CHECK((one_shot.chosen == 0U));

  using FewShot = FewShotSearch<Space, strategy::Darts<strategy::FirstOrder>, split::Exhaustive,
                                select::BestValidation>;
  FewShot::Settings few;
  few.schedule = {.splits = {{1, 5}}, .final_epochs = 1};
  few.supernet = settings.supernet;
  few.network = settings.network;
  few.batch = 32;
  const FewShot search(few, {}, {.order = {DecisionId(3)}});
  const auto result = search.run(digits());
  REQUIRE(result.leaves.size() == 5);
  double best = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const auto& restriction = result.tree[result.leaves[i].node].restriction;
    CHECK(restriction[DecisionId(3)] == OptionSet{OptionId(i)});
    CHECK(restriction.count() == 3125);
    CHECK(result.leaves[i].genotype[DecisionId(3)] == OptionId(i));
    best = std::max(best, result.leaves[i].supernet_accuracy);
  }
  CHECK(result.leaves[result.chosen.value()].supernet_accuracy == best);
  CHECK(result.trials.empty());
}

TEST_CASE("a narrower root stays narrow, and settled decisions are not split") {
  auto settings = tiny();
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  settings.root = Restriction<Space>()
                      .with(DecisionId(1), {Space::skip_connect})
                      .with(DecisionId(2), {Space::none, Space::nor_conv_3x3});
  const auto result = tiny_search(settings).run(digits());
  REQUIRE(result.splits.size() == 1);
  CHECK(result.splits[0].outcome.evidence.size() == 5);
  CHECK(result.splits[0].outcome.split.decision != DecisionId(1));
  for (const auto& leaf : result.leaves) CHECK(settings.root.contains(leaf.genotype));
}

TEST_CASE("a schedule that makes no sense is refused before anything runs") {
  auto settings = tiny();
  settings.schedule.final_epochs = 0;
  CHECK_THROWS_AS(tiny_search(settings), ValueError);
}

TEST_CASE("more splits than decisions that can be split are refused before anything runs") {
  auto settings = tiny();
  for (std::size_t d = 1; d < Space::decision_count; ++d)
    settings.root = settings.root.with(DecisionId(d), {Space::skip_connect});
  CHECK_THROWS_WITH(tiny_search(settings),
                    Catch::Matchers::Contains("split 2 is into 2 groups") &&
                        Catch::Matchers::Contains("has 1 decisions"));
  settings.schedule.splits.pop_back();
  CHECK_NOTHROW(tiny_search(settings));
  settings.schedule.splits[0].groups = 6;
  CHECK_THROWS_WITH(tiny_search(settings), Catch::Matchers::Contains("into 6 groups"));
}

TEST_CASE("leaves without images to compare them on are refused before anything runs") {
  auto settings = tiny();
  settings.holdout.validation = 0;
  CHECK_THROWS_WITH(tiny_search(settings), Catch::Matchers::Contains("holdout.validation is 0"));
  settings.schedule.splits.clear();
  CHECK_NOTHROW(tiny_search(settings));
}

TEST_CASE("rungs that do not rise are refused before anything runs") {
  CHECK_THROWS_WITH(Search(tiny(), {}, {.repeats = {repeats}}, {.rungs = {3, 3}}),
                    Catch::Matchers::Contains("rungs 3, 3"));
}

TEST_CASE("a derived architecture without a way to the output is reported as no network") {
  Result result;
  const auto dead = Space::parse("|none~0|+|none~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|");
  const auto alive =
      Space::parse("|none~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|none~2|");
  CHECK_FALSE(is_network<Space>(dead));
  result.leaves = {{.node = 0, .genotype = dead, .supernet_accuracy = 0.5},
                   {.node = 0, .genotype = alive, .supernet_accuracy = 0.25}};
  result.trials = {{0, 1, 0.1}, {1, 1, 0.9}};
  result.chosen = 1;
  const auto json = report::to_json(result);
  CHECK(json["leaves"][0]["connected"] == false);
  CHECK(json["leaves"][1]["connected"] == true);
  // And what another selection would have taken, of what is known.
  CHECK(json["best_leaf_in_supernet"] == 0);
  CHECK(result.chosen_by(select::SuccessiveHalving{.rungs = {1}}) == 1);
  CHECK_THROWS_AS(result.chosen_by(select::SuccessiveHalving{.rungs = {2}}), ValueError);
}

TEST_CASE("how alphas ended is reported; their sharpness on request, and then nothing else changes") {
  auto settings = tiny();
  settings.schedule = {.final_epochs = 1};
  const auto usual = tiny_search(settings).run(digits());
  settings.sharpness_images = 32;
  const auto asked = tiny_search(settings).run(digits());
  REQUIRE(asked.leaves.size() == 1);
  const auto& health = *asked.leaves[0].alpha;
  REQUIRE(health.sharpness);
  CHECK(std::isfinite(*health.sharpness));
  CHECK(*health.sharpness != 0);
  CHECK(health.skip_share > 0);
  CHECK(health.none_share > 0);
  auto with = report::to_json(asked);
  CHECK(with["leaves"][0]["alpha"]["sharpness"] == *health.sharpness);
  with["leaves"][0]["alpha"].erase("sharpness");
  with.erase("stages");
  CHECK(with.dump() == found(usual));
}
