// How the time of a first-order search step grows: with channels, cells, threads, and with the
// number of leaves that a search trains. One thing changes at a time, from 16 channels and 1 cell
// per stage, batch 64, 32x32 images, 1 thread. benchmarks/figures makes the tables and plots of
// docs/performance.md from the JSON.
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <thread>

#include "scenes.hpp"

namespace {

using namespace scenes;

constexpr Size base{"base", 16, 1, 32, 3, 64};

/// A step inside a restriction, as many times as there are leaves.
template <class Mixer>
void time(const std::string& axis, std::int64_t value, const std::string& way, const Size& size,
          int threads = 1, const Restriction<Space>& inside = {}, int leaves = 1) {
  const auto format = std::same_as<Mixer, supernet::Fused> ? at::MemoryFormat::ChannelsLast
                                                           : at::MemoryFormat::Contiguous;
  benchmark::RegisterBenchmark(fmt::format("{}:{}/{}", axis, value, way).c_str(),
                               [=](benchmark::State& state) {
                                 at::set_num_threads(threads);
                                 Scene<Mixer> scene(size, format, inside);
                                 const auto timed = [&](auto step) {
                                   step();
                                   for (auto _ : state)
                                     for (int i = 0; i < leaves; ++i) step();
                                 };
                                 if constexpr (std::same_as<Mixer, PublicCode>)
                                   timed(public_first_order(scene));
                                 else
                                   timed(search_step<strategy::FirstOrder>(scene));
                               })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

template <class Mixer>
void scale(const std::string& way) {
  for (const std::int64_t channels : {4, 8, 16, 32, 64}) {
    auto size = base;
    size.channels = channels;
    time<Mixer>("channels", channels, way, size);
  }
  for (const std::int64_t cells : {1, 2, 3, 4, 5}) {
    auto size = base;
    size.cells = cells;
    time<Mixer>("cells", cells, way, size);
  }
  for (int threads = 1; threads <= static_cast<int>(std::thread::hardware_concurrency()); ++threads)
    time<Mixer>("threads", threads, way, base, threads);
  // Every level splits one more edge 3 | 2; the costlier part is timed for all leaves, so this is
  // an upper bound of a step in each of them.
  Restriction<Space> leaf;
  const OptionSet part{Space::none, Space::skip_connect, Space::nor_conv_3x3};
  for (std::size_t splits = 0; splits <= 3; ++splits) {
    time<Mixer>("leaves", std::int64_t{1} << splits, way, base, 1, leaf, 1 << splits);
    leaf = leaf.with(DecisionId(splits), part);
  }
}

}  // namespace

int main(int argc, char** argv) {
  scale<PublicCode>("public_code");
  scale<supernet::Fused>("fused");
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("vector instructions", at::get_cpu_capability());
  benchmark::RunSpecifiedBenchmarks();
}
