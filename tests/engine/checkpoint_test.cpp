#include <cleave/data/digits.hpp>
#include <cleave/engine/autosave.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave_test.hpp>
#include <string>
#include <temporary_folder.hpp>

namespace {

using Catch::Matchers::Contains;
using Space = cleave::space::NasBench201;
using Criterion =
    cleave::split::GradientMatching<cleave::score::Cosine, cleave::graph::ExactBalanced,
                                    cleave::split::LowestNormalisedCut,
                                    cleave::split::FixedRepeats>;
using Search =
    cleave::FewShotSearch<Space, cleave::strategy::Darts<cleave::strategy::SecondOrder>, Criterion>;

Search::Settings tiny(cleave::Restart restart) {
  Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}, {2, 2}}, .final_epochs = 1, .restart = restart};
  settings.supernet = {.channels = 2, .cells = 1, .image_channels = 1};
  settings.network = settings.supernet;
  settings.batch = 32;
  settings.trial.batch = 64;
  settings.retraining.epochs = 2;
  settings.retraining.batch = 64;
  return settings;
}

Search search_with(const Search::Settings& settings) {
  return Search(settings, {}, {.repeats = {.count = 2}}, {.rungs = {1, 2}});
}

/// Everything but how long it took.
std::string found(const cleave::SearchResult<Space>& result) {
  auto json = cleave::report::to_json(result);
  for (auto& stage : json["stages"]) stage.erase("seconds");
  return json.dump();
}

const cleave::data::InMemory& digits() {
  static const auto data = cleave::data::digits().take(200, 50);
  return data;
}

/// Runs the search until `stop` says so, and leaves the state as it was then.
template <class Stop>
Search::State stopped(const Search& search, Stop stop) {
  auto state = search.start();
  try {
    search.run(digits(), {.stop_requested = stop}, state);
  } catch (const cleave::Interrupted&) {
  }
  return state;
}

}  // namespace

TEST_CASE("a run goes on from its file, in another search object, as if it had never stopped") {
  at::set_num_threads(1);
  const auto settings = tiny(cleave::Restart::LastSplit);
  const auto search = search_with(settings);
  const auto list = cleave::settings_of(search, digits());
  const TemporaryFolder folder;
  std::size_t ticks = 0;
  auto state = stopped(search, [&] { return ++ticks == 20; });
  cleave::save_checkpoint(folder.path() / "checkpoint", list, state);
  search.run(digits(), {}, state);

  const auto again = search_with(settings);
  auto other = cleave::load_checkpoint(folder.path() / "checkpoint", again.plan(), list);
  again.run(digits(), {}, other);
  CHECK(found(other.result) == found(state.result));
}

TEST_CASE("a checkpoint of other settings is refused with the list of differences") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint";
  auto settings = tiny(cleave::Restart::LastSplit);
  const auto search = search_with(settings);
  auto state = search.start();
  cleave::save_checkpoint(path, cleave::settings_of(search, digits()), state);

  settings.batch = 16;
  settings.schedule.final_epochs = 3;
  const auto other = search_with(settings);
  const auto list = cleave::settings_of(other, digits());
  CHECK_THROWS_WITH(cleave::load_checkpoint(path, other.plan(), list),
                    Contains("2 settings differ") && Contains("batch: 32 there, 16 here") &&
                        Contains("schedule.final_epochs: 1 there, 3 here"));
  CHECK_NOTHROW(cleave::load_checkpoint(path, other.plan(), list, {"batch", "schedule"}));
  const auto fewer = cleave::settings_of(search, digits().take(100, 50));
  CHECK_THROWS_WITH(cleave::load_checkpoint(path, search.plan(), fewer), Contains("data: digits, 200"));
}

TEST_CASE("a checkpoint of another supernet names the tensor that does not fit") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint";
  auto settings = tiny(cleave::Restart::LastSplit);
  const auto search = search_with(settings);
  auto state = stopped(search, [] { return true; });
  REQUIRE(state.live.size() == 1);
  cleave::save_checkpoint(path, cleave::settings_of(search, digits()), state);
  settings.supernet.channels = 4;
  const auto wider = search_with(settings);
  CHECK_THROWS_WITH(
      cleave::load_checkpoint(path, wider.plan(), cleave::settings_of(wider, digits()), {"supernet"}),
      Contains("in live 0.weights: expected a tensor [") && Contains("of Float"));
}

TEST_CASE("a checkpoint holds little more than its state") {
  auto settings = tiny(cleave::Restart::None);
  settings.supernet.channels = 8;
  const auto search = search_with(settings);
  std::size_t ticks = 0;
  auto state = stopped(search, [&] { return ++ticks == 20; });
  std::size_t bytes = 0;
  for (const auto& [node, live] : state.live)  // weights and their momentum
    bytes += 2 * static_cast<std::size_t>(live.net.arena().size()) * sizeof(float);
  cleave::archive::Writer writer;
  cleave::write_run(writer, state);
  CHECK(writer.buffer().size() > bytes);
  CHECK(static_cast<double>(writer.buffer().size()) < 1.1 * static_cast<double>(bytes));
}

TEST_CASE("no damage to a checkpoint's value does worse than an error") {
  // Without the checksum, which would catch all of these: what stands here is the reader alone.
  const auto search = search_with(tiny(cleave::Restart::LastSplit));
  std::size_t ticks = 0;
  auto state = stopped(search, [&] { return ++ticks == 9; });
  cleave::archive::Writer writer;
  cleave::write_run(writer, state);
  const std::vector<std::byte> bytes(writer.buffer().begin(), writer.buffer().end());
  const auto read = [&](std::span<const std::byte> data) {
    cleave::archive::Reader reader(data, "checkpoint");
    return cleave::read_run(reader, search.plan());
  };
  CHECK_NOTHROW(read(bytes));
  for (std::size_t size = 0; size < bytes.size(); size += 97)
    CHECK_THROWS_AS(read(std::span(bytes).first(size)), cleave::DataError);
  for (std::size_t place = 0; place < bytes.size(); place += place < 400 ? 1 : 101) {
    auto broken = bytes;
    broken[place] ^= std::byte{0x55};
    try {
      (void)read(broken);  // a weight's bits may change: that is the checksum's business
    } catch (const cleave::Error&) {
    }
  }
}

TEST_CASE("a state that no run can have left is an error, not undefined behaviour") {
  // What a forger could write, with its checksum right; the fuzzer of checkpoints looks for more.
  const auto search = search_with(tiny(cleave::Restart::None));
  const auto first_that = [&](auto holds) {
    for (std::size_t stop = 1;; ++stop) {
      std::size_t ticks = 0;
      auto state = stopped(search, [&] { return ++ticks == stop; });
      if (holds(state)) return state;
      REQUIRE(ticks == stop);  // or the run is over
    }
  };
  const auto read_back = [&](Search::State& state) {
    cleave::archive::Writer writer;
    cleave::write_run(writer, state);
    cleave::archive::Reader reader(writer.buffer(), "checkpoint");
    return cleave::read_run(reader, search.plan());
  };
  const auto refused = [&](Search::State& state, const char* why) {
    CHECK_THROWS_WITH(
        [&] {
          auto again = read_back(state);
          search.run(digits(), {}, again);
        }(),
        Contains(why));
  };
  {  // In the middle of the first split: matrices of another shape, or for another number of edges.
    auto state = first_that([](const Search::State& s) {
      return s.live.contains(0) && s.live.at(0).memory.size() == 1;
    });
    auto& matrices = state.live.at(0).memory[0];
    const auto good = matrices;
    matrices[0] = Eigen::MatrixXd::Identity(3, 3);
    refused(state, "do not fit");
    matrices = good;
    matrices.pop_back();
    refused(state, "do not fit");
    state.live.at(0).memory = {std::vector<Eigen::MatrixXd>(good.size())};
    refused(state, "do not fit");
  }
  {  // After it: a child whose parent is not there, evidence of an edge there is not, too many splits.
    auto state = first_that([](const Search::State& s) { return s.result.splits.size() == 1; });
    auto& evidence = state.result.splits[0].outcome.evidence;
    evidence[0].decision = cleave::DecisionId(77);
    refused(state, "evidence of this space");
    evidence.clear();
    state.result.trials = {{5, 1, 0.5}};
    refused(state, "trials of a leaf below");
    state.result.trials.clear();
    state.live.clear();
    refused(state, "inherits from is not there");
    state.pending.clear();
    refused(state, "no leaf is finished");
    auto deeper = state.result.splits[0];
    for (std::size_t node = 1, d = 0; d < 2; node += 2, ++d) {
      const auto taken = state.result.splits[0].outcome.split.decision;
      deeper.node = node;
      deeper.outcome.split = {cleave::DecisionId((taken.index() + 1 + d) % 6), {}};
      for (const std::uint32_t mask : {0b00011U, 0b11100U})
        deeper.outcome.split.groups.push_back(cleave::OptionSet::from_mask(mask));
      state.result.splits.push_back(deeper);
    }
    refused(state, "splits of this schedule");
  }
}

TEST_CASE("a retraining alone goes on from its file; one of another genotype is refused") {
  at::set_num_threads(1);
  using Net = cleave::network::NasBench201;
  const TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint";
  const cleave::supernet::NasBench201Config sizes{.channels = 2, .cells = 1, .image_channels = 1};
  const cleave::network::Recipe recipe{.epochs = 3, .batch = 64};
  const auto genotype = Space::parse(
      "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|");
  const auto fresh = [&] {
    return cleave::RetrainRun<Net>{cleave::start_retraining<Net>(
        genotype, sizes, recipe, cleave::Stream(3), "network")};
  };
  const auto list = cleave::settings_of<Net>(genotype, sizes, recipe, 3, digits());
  auto whole = fresh();
  whole.finish(digits(), {}, "network");

  auto broken = fresh();
  std::size_t ticks = 0;
  CHECK_THROWS_AS(broken.finish(digits(), {.stop_requested = [&] { return ++ticks == 4; }}, "network"),
                  cleave::Interrupted);
  cleave::save_checkpoint(path, list, broken);
  auto resumed = fresh();
  cleave::load_checkpoint(path, resumed, list);
  resumed.finish(digits(), {}, "network");
  CHECK(at::equal(resumed.training.net().arena().values(), whole.training.net().arena().values()));
  CHECK(resumed.record->test_accuracy == whole.record->test_accuracy);
  CHECK(resumed.stages.size() == 1);
  CHECK(resumed.stages[0].steps == whole.stages[0].steps);

  cleave::save_checkpoint(path, list, resumed);  // a complete one has nothing left to do
  auto complete = fresh();
  cleave::load_checkpoint(path, complete, list);
  complete.finish(digits(), {.stop_requested = [] { return true; }}, "network");
  CHECK(complete.record->test_accuracy == whole.record->test_accuracy);

  auto other = recipe;
  other.epochs = 4;
  CHECK_THROWS_WITH(cleave::load_checkpoint(
                        path, complete, cleave::settings_of<Net>(genotype, sizes, other, 3, digits())),
                    Contains("retraining.epochs: 3 there, 4 here"));
}

TEST_CASE("autosave saves when a stage begins and when the interval has passed") {
  std::size_t saves = 0;
  cleave::Autosave often(std::chrono::seconds(0), [&] { ++saves; });
  often({.kind = cleave::Progress::Kind::Began});
  often({.kind = cleave::Progress::Kind::Advanced});
  often({.kind = cleave::Progress::Kind::Ended});
  CHECK(saves == 2);
  cleave::Autosave rarely(std::chrono::hours(1), [&] { ++saves; });
  rarely({.kind = cleave::Progress::Kind::Advanced});
  CHECK(saves == 2);
  rarely({.kind = cleave::Progress::Kind::Began});
  CHECK(saves == 3);
  rarely.now();
  CHECK(saves == 4);
}
