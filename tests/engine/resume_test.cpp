#include <cleave/engine/few_shot_search.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave_test.hpp>

namespace {

using Space = cleave::space::NasBench201;
using Criterion =
    cleave::split::GradientMatching<cleave::score::Cosine, cleave::graph::ExactBalanced,
                                    cleave::split::LowestNormalisedCut,
                                    cleave::split::FixedRepeats>;
using Search =
    cleave::FewShotSearch<Space, cleave::strategy::Darts<cleave::strategy::SecondOrder>, Criterion>;

Search tiny_search(cleave::Restart restart) {
  Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}, {2, 2}}, .final_epochs = 1, .restart = restart};
  settings.supernet = {.channels = 2, .cells = 1, .image_channels = 1};
  settings.network = settings.supernet;
  settings.batch = 32;
  settings.trial.batch = 64;
  return Search(settings, {}, {.repeats = {.count = 2}}, {.rungs = {1, 2}});
}

/// Everything but the stages: an interrupted stage is recorded once per part.
std::string found(const cleave::SearchResult<Space>& result) {
  auto json = cleave::report::to_json(result);
  json.erase("stages");
  return json.dump();
}

}  // namespace

TEST_CASE("a run that is stopped again and again gives the result of the unbroken run") {
  at::set_num_threads(1);
  const auto data = cleave::data::digits().take(200, 50);
  const auto restart = GENERATE(cleave::Restart::None, cleave::Restart::LastSplit);
  const auto search = tiny_search(restart);
  const auto unbroken = search.run(data);
  REQUIRE(unbroken.leaves.size() == 4);

  auto state = search.start();
  std::size_t until_stop = 0;
  std::size_t stops = 0;
  const cleave::RunControl control{
      .observe = [](const cleave::Progress&) {},
      .stop_requested = [&] { return until_stop-- == 0; }};
  for (bool done = false; !done;) {
    until_stop = (3 * stops) % 5;  // in the middle of epochs, of scoring, of trials
    try {
      search.run(data, control, state);
      done = true;
    } catch (const cleave::Interrupted&) {
      ++stops;
    }
    REQUIRE(stops < 1000);
  }
  CHECK(stops > 5);
  CHECK(found(state.result) == found(unbroken));

  // However often it was stopped, every pass is on record once.
  const auto passes = [](const cleave::SearchResult<Space>& result) {
    std::size_t sum = 0;
    for (const auto& record : result.stages)
      if (record.stage == cleave::Stage::Scoring) sum += record.steps;
    return sum;
  };
  CHECK(passes(state.result) == passes(unbroken));
}
