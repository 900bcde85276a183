// Time of a whole gradient-matching decision on a digits supernet of NASBench-201 after 15 epochs of
// warm-up: all six edges scored, the cheapest cut chosen. By the public code's operations and number
// of repeats, by fused ones, and by fused ones until the choice is certain. One run each, since a
// decision takes seconds to minutes. docs/performance.md holds figures and the command.
#include <benchmark/benchmark.h>

#include <string>

#include "../supernet_step/trained.hpp"

namespace {

using namespace scenes;

template <class Repeat, class Net>
void decide(const std::string& name, const SplitScene<Net>& scene, const Repeat& repeats) {
  benchmark::RegisterBenchmark(
      ("digits/decision/" + name).c_str(),
      [scene, repeats](benchmark::State& state) {
        for (auto _ : state) {
          scene.memory().clear();
          const split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                        split::LowestNormalisedCut, Repeat>
              criterion{.repeats = repeats};
          const auto outcome = criterion(scene);
          state.counters["passes"] = static_cast<double>(outcome.passes);
          state.counters["repeats"] = static_cast<double>(outcome.repeats);
          state.SetLabel(fmt::format("edge {}", outcome.split.decision.index()));
        }
      })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->Iterations(1);
}

void benchmarks(const SplitScene<Trained>& scene) {
  auto net = in_another_way<PublicCode>(scene.net());
  SplitMemory memory;
  const SplitScene<decltype(net)> as_public_code(
      net, scene.open(), scene.groups(),
      {[&](Stream stream) { return scene.context(stream); },
       [&](Stream stream) {
         auto batch = scene.batch(stream);
         batch.images = batch.images.contiguous();
         return batch;
       }},
      memory, scene.stream());
  const split::FixedRepeats fixed;
  decide("public_code, " + std::to_string(fixed.most()) + " repeats", as_public_code, fixed);
  decide("fused, " + std::to_string(fixed.most()) + " repeats", scene, fixed);
  decide("fused, until certain", scene, split::UntilCertain{});
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  with_trained<strategy::Darts<strategy::FirstOrder>>(15, data::digits(), benchmarks);
}
