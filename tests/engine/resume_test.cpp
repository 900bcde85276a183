#include <cleave/data/digits.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <cleave/engine/deterministic.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/strategy/snas.hpp>
#include <cleave_test.hpp>
#include <map>

namespace {

using Space = cleave::space::NasBench201;
using Criterion =
    cleave::split::GradientMatching<cleave::score::Cosine, cleave::graph::ExactBalanced,
                                    cleave::split::LowestNormalisedCut,
                                    cleave::split::FixedRepeats>;

template <class Strategy>
auto tiny_search(cleave::Restart restart, const Strategy& strategy, at::Device device) {
  using Search = cleave::FewShotSearch<Space, Strategy, Criterion>;
  typename Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}, {2, 2}}, .final_epochs = 1, .restart = restart};
  settings.supernet = {.channels = 2, .cells = 1, .image_channels = 1, .device = device};
  settings.network = settings.supernet;
  settings.batch = 32;
  settings.trial.batch = 64;
  settings.retraining.epochs = 2;
  settings.retraining.batch = 64;
  return Search(settings, strategy, {.repeats = {.count = 2}}, {.rungs = {1, 2}});
}

/// Everything but how long it took; however often it was stopped, every step is on record once.
std::string found(const cleave::SearchResult<Space>& result) {
  auto json = cleave::report::to_json(result);
  for (auto& stage : json["stages"]) stage.erase("seconds");
  return json.dump();
}

/// Stops at every few signs of life, again and again, and goes on from the state each time.
template <class Strategy>
void check_resumed(const Strategy& strategy, at::Device device = at::kCPU) {
  at::set_num_threads(1);
  const auto data = cleave::data::digits().take(200, 50).to(device);
  const auto restart = GENERATE(cleave::Restart::None, cleave::Restart::LastSplit);
  const auto search = tiny_search(restart, strategy, device);
  auto whole = search.start();
  search.run(data, {}, whole);
  search.retrain(data, {}, whole);
  const auto& unbroken = whole.result;
  REQUIRE(unbroken.leaves.size() == 4);
  REQUIRE(unbroken.retrained);

  auto state = search.start();
  std::size_t until_stop = 0;
  std::size_t stops = 0;
  std::map<cleave::Stage, std::size_t> stopped_in;
  auto stage = cleave::Stage::Training;
  const cleave::RunControl control{.observe = [&](const cleave::Progress& p) { stage = p.stage; },
                                   .stop_requested = [&] { return until_stop-- == 0; }};
  for (bool done = false; !done;) {
    until_stop = (3 * stops) % 5;  // in the middle of epochs, of scoring, of judging, of trials
    try {
      search.run(data, control, state);
      search.retrain(data, control, state);
      done = true;
    } catch (const cleave::Interrupted&) {
      ++stops;
      ++stopped_in[stage];
    }
    REQUIRE(stops < 1000);
    // Forgotten, and made again from its bytes.
    cleave::archive::Writer bytes;
    cleave::write_run(bytes, state);
    cleave::archive::Reader reader(bytes.buffer(), "state");
    state = cleave::read_run(reader, search.plan());
    REQUIRE(reader.left() == 0);
  }
  CHECK(stopped_in[cleave::Stage::Retraining] > 0);
  CHECK(stopped_in[cleave::Stage::Training] > 0);
  CHECK(stopped_in[cleave::Stage::Scoring] > 0);
  CHECK((stopped_in[cleave::Stage::Judging] > 0) ==
        !cleave::strategy::learns_architecture<Strategy>);
  CHECK(found(state.result) == found(unbroken));
}

}  // namespace

TEST_CASE("a run that is stopped again and again gives the result of the unbroken run") {
  check_resumed(cleave::strategy::Darts<cleave::strategy::SecondOrder>{});
}
TEST_CASE("a run of SNAS that is stopped again and again gives the unbroken run's result") {
  check_resumed(cleave::strategy::Snas{});
}
TEST_CASE("a run of RSPS that is stopped again and again gives the unbroken run's result") {
  check_resumed(cleave::strategy::Rsps<>{.paths = 40});
}
TEST_CASE("on a CUDA device a run that is stopped gives the unbroken run's result, too") {
  if (!at::hasCUDA()) {
    WARN("a resumed search on a device is skipped: no CUDA device");
    return;
  }
  cleave::use_deterministic_algorithms();
  check_resumed(cleave::strategy::Darts<cleave::strategy::SecondOrder>{}, at::kCUDA);
}
