// Time of what a search does with the NASBench-201 supernet, at full size and at the digits' size:
// a forward and backward pass, search steps of both orders, a gradient-matching repeat of one edge;
// in the public code's operations, in plain ones, in the fused ones, and the convolutions alone.
// Run with random interleaving, so that the ratios are of one run. docs/performance.md holds
// figures and the command.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "../../examples/support/keep_memory.hpp"
#include "scenes.hpp"

namespace {

using namespace scenes;
using strategy::FirstOrder;
using strategy::SecondOrder;

/// `make` builds the scene when the benchmark first runs and gives the work to time.
template <class Make>
void time(const Size& size, const std::string& what, Make make) {
  auto work = std::make_shared<std::function<void()>>();
  benchmark::RegisterBenchmark((std::string(size.name) + "/" + what).c_str(),
                               [work, make](benchmark::State& state) {
                                 if (!*work) {
                                   *work = make();
                                   (*work)();
                                 }
                                 for (auto _ : state) (*work)();
                               })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

template <class Mixer>
void time_mixer(const Size& size, const std::string& name, at::MemoryFormat format) {
  const auto scene = [&size, format] { return std::make_shared<Scene<Mixer>>(size, format); };
  const auto with = [scene](auto make_work) {
    return [scene, make_work]() -> std::function<void()> {
      auto owned = scene();
      return [owned, work = make_work(*owned)]() mutable { work(); };
    };
  };
  time(size, "pass/" + name, with([](auto& s) { return pass(s, true); }));
  time(size, "first_order/" + name, with([](auto& s) {
         if constexpr (std::same_as<Mixer, PublicCode>)
           return public_first_order(s);
         else
           return search_step<FirstOrder>(s);
       }));
  time(size, "second_order/" + name, with([](auto& s) { return search_step<SecondOrder>(s); }));
  time(size, "probe_edge/" + name, with([](auto& s) { return probe_edge(s); }));
}

/// `passes` forward passes, `inputs` backward passes without weight gradients, `all` with them.
void time_convolutions(const Size& size, const std::string& what, int inputs, int all) {
  time(size, what + "/convolutions", [&size, inputs, all]() -> std::function<void()> {
    auto convolutions = std::make_shared<Convolutions>(size);
    return [convolutions, inputs, all] {
      const at::NoGradGuard no_grad;
      for (int i = 0; i < inputs + all; ++i) {
        convolutions->forward();
        convolutions->backward(i >= inputs);
      }
    };
  });
}

}  // namespace

int main(int argc, char** argv) {
  example::keep_memory();  // as the example programs do
  for (const auto* size : {&full, &digits}) {
    time_mixer<PublicCode>(*size, "public_code", at::MemoryFormat::Contiguous);
    time_mixer<supernet::Composed>(*size, "composed", at::MemoryFormat::Contiguous);
    time_mixer<supernet::Composed>(*size, "composed_channels_last", at::MemoryFormat::ChannelsLast);
    time_mixer<supernet::Fused>(*size, "fused", at::MemoryFormat::ChannelsLast);
    time_mixer<supernet::FusedBFloat16>(*size, "fused_bfloat16", at::MemoryFormat::ChannelsLast);
    time_convolutions(*size, "pass", 0, 1);
    time_convolutions(*size, "first_order", 1, 1);
    time_convolutions(*size, "second_order", 2, 3);
    time_convolutions(*size, "probe_edge", 0, 5);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("threads", std::to_string(at::get_num_threads()));
  benchmark::AddCustomContext("vector instructions", at::get_cpu_capability());
  benchmark::RunSpecifiedBenchmarks();
}
