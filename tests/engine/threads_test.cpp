#include <cleave/data/digits.hpp>
#include <cleave/engine/deterministic.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave_test.hpp>
#include <functional>
#include <string>
#include <thread>
#include <vector>

// Searches side by side in threads of one program, as the demo runs them. scripts/test builds
// this file under the sanitizers too.

using namespace cleave;

namespace {

using Space = space::NasBench201;
using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                         split::LowestNormalisedCut, split::FixedRepeats>;

const data::InMemory& digits() {
  static const auto data = data::digits().take(200, 50);
  return data;
}

/// All that a small search and its retraining found, but for how long it took.
template <class Strategy, class Criterion>
std::string found_by(const Restriction<Space>& root, bool splits, std::uint64_t seed,
                     const Strategy& strategy, const Criterion& criterion) {
  using Search = FewShotSearch<Space, Strategy, Criterion>;
  typename Search::Settings settings;
  settings.root = root;
  if (splits) settings.schedule.splits = {{1, 2}};
  settings.schedule.final_epochs = 1;
  settings.supernet = settings.network = {.channels = 4, .cells = 1, .image_channels = 1};
  settings.batch = 32;
  settings.trial.batch = settings.retraining.batch = 64;
  settings.retraining.epochs = 1;
  settings.seed = seed;
  const Search search(settings, strategy, criterion, {.rungs = {1}});
  auto state = search.start();
  search.run(digits(), {}, state);
  search.retrain(digits(), {}, state);
  auto json = report::to_json(state.result);
  for (auto& stage : json["stages"]) stage.erase("seconds");
  return json.dump();
}

std::string matched(std::uint64_t seed) {
  return found_by({}, true, seed, strategy::Darts<strategy::SecondOrder>{},
                  Matching{.repeats = {1}});
}

using Work = std::function<std::string()>;

/// All of it at once, a thread each, and then one by one: the same has to come out.
void check_side_by_side(const std::vector<Work>& work) {
  std::vector<std::string> together(work.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < work.size(); ++i)
      threads.emplace_back([&, i] {
        at::set_num_threads(1);
        together[i] = work[i]();
      });
  }
  at::set_num_threads(1);
  for (std::size_t i = 0; i < work.size(); ++i) {
    CAPTURE(i);
    CHECK(together[i] == work[i]());
  }
}

}  // namespace

TEST_CASE("searches side by side find what each finds alone") {
  check_side_by_side(
      {[] { return matched(1); }, [] { return matched(2); },
       [] { return found_by({}, true, 1, strategy::Rsps<>{.paths = 8}, split::Random{}); }});
}

TEST_CASE("leaves searched side by side, each as a root of its own, give what they give alone") {
  const auto split = [](std::initializer_list<std::size_t> options) {
    OptionSet set;
    for (const auto option : options) set.insert(OptionId(option));
    return Restriction<Space>().with(DecisionId(3), set);
  };
  std::vector<Work> work;
  for (const auto& leaf : {split({0, 1}), split({2, 3, 4})})
    work.emplace_back([leaf] {
      return found_by(leaf, false, 5, strategy::Darts<strategy::FirstOrder>{}, split::Random{});
    });
  check_side_by_side(work);
}

TEST_CASE("LibTorch's deterministic algorithms suffice, and memory not written is never read") {
  at::set_num_threads(1);
  const auto usual = matched(3);
  auto& context = at::globalContext();
  use_deterministic_algorithms();
  CHECK(context.deterministicAlgorithms());
  CHECK(context.deterministicCuDNN());
  CHECK_FALSE(context.benchmarkCuDNN());
  CHECK(matched(3) == usual);
  context.setDeterministicFillUninitializedMemory(true);  // with NaN
  CHECK(matched(3) == usual);
  context.setDeterministicAlgorithms(false, false);
  context.setDeterministicCuDNN(false);
}
