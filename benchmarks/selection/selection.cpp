// Time of choosing among 200 paths of an RSPS-trained digits supernet of NASBench-201 on 646 images:
// evaluating all of them by the public code's operations and by fused ones, and by a race. One run
// each; a label names what was chosen. docs/performance.md holds figures and the command.
#include <benchmark/benchmark.h>

#include <cleave/engine/path_judge.hpp>
#include <cleave/strategy/rsps.hpp>
#include <numeric>
#include <string>

#include "../supernet_step/trained.hpp"

namespace {

using namespace scenes;

template <class Choice, class Net>
void choose(const std::string& name, const Net& net, const data::InMemory& data,
            const Choice& choice) {
  benchmark::RegisterBenchmark(
      ("digits/selection/" + name).c_str(),
      [&net, &data, choice](benchmark::State& state) {
        std::vector<std::int64_t> images(646);
        std::iota(images.begin(), images.end(), 0);
        const strategy::Rsps<Choice> rsps{.choice = choice};
        const RunControl control;
        for (auto _ : state) {
          std::vector<Hits> memory;
          std::vector<StageRecord> stages;
          PathJudge<Net, data::InMemory> judge(net, data, images, 64, Stream(5),
                                               {memory, control, stages, "benchmark"});
          const auto chosen = rsps.derive(net, rsps.start(net, Stream(1)), judge.judge(), Stream(6));
          state.SetLabel(to_text<Space>(chosen));
          state.counters["passes"] = static_cast<double>(memory.size());
        }
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->Iterations(1);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  const auto data = data::digits();
  with_trained<strategy::Rsps<>>(20, data, [&](const SplitScene<Trained>& scene) {
    const auto as_public_code = in_another_way<PublicCode>(scene.net());
    choose("public_code, all", as_public_code, data, strategy::FullEvaluation{});
    choose("fused, all", scene.net(), data, strategy::FullEvaluation{});
    choose("fused, race", scene.net(), data, strategy::Race{});
    benchmark::RunSpecifiedBenchmarks();
  });
}
