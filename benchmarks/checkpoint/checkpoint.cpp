// What a checkpoint costs: saving and loading the state of a NAS-Bench-201 search at the paper's size
// (16 channels, 5 cells per stage), onto the disk of the current folder, fsync included.

#include <benchmark/benchmark.h>

#include <cleave/data/digits.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <filesystem>

namespace {

using Search = cleave::FewShotSearch<cleave::space::NasBench201, cleave::strategy::Darts<>,
                                     cleave::split::GradientMatching<>>;

struct Run {
  Search search;
  cleave::SettingsList settings;
  Search::State state;
};

Run& run() {
  static Run run = [] {
    Search::Settings settings;
    settings.supernet = settings.network = {.image_channels = 1};
    settings.schedule = {.splits = {{15, 2}, {30, 2}}};
    const Search search(settings);
    const auto list = cleave::settings_of(search, cleave::data::digits());
    auto state = search.start();
    state.live.emplace(0, search.plan().fresh_node(state.result.tree, 0));
    return Run{search, list, std::move(state)};
  }();
  return run;
}

void save(benchmark::State& timing) {
  auto& [search, settings, state] = run();
  for (auto _ : timing) cleave::save_checkpoint("benchmark-checkpoint", settings, state);
  timing.counters["bytes"] = static_cast<double>(std::filesystem::file_size("benchmark-checkpoint"));
  timing.counters["of state"] = timing.counters["bytes"] /
      static_cast<double>(2 * state.live.at(0).net.arena().values().nbytes());
}
BENCHMARK(save)->Unit(benchmark::kMillisecond);

void load(benchmark::State& timing) {
  auto& [search, settings, state] = run();
  cleave::save_checkpoint("benchmark-checkpoint", settings, state);
  for (auto _ : timing)
    benchmark::DoNotOptimize(
        cleave::load_checkpoint("benchmark-checkpoint", search.plan(), settings));
  std::filesystem::remove("benchmark-checkpoint");
}
BENCHMARK(load)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
