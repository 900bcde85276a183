// Times of the partitioners on random matrices with standard normal entries, and how near the
// spectral cut comes to the exact one. docs/performance.md holds figures and the command.
#include <benchmark/benchmark.h>

#include <cleave/graph/exact_balanced.hpp>
#include <cleave/graph/exact_two_way.hpp>
#include <cleave/graph/global_min_cut.hpp>
#include <cleave/graph/random_balanced.hpp>
#include <cleave/graph/reference_rules.hpp>
#include <cleave/graph/spectral.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cmath>

using namespace cleave::graph;
using cleave::Stream;
using cleave::testing::random_similarity;

namespace {

/// A pool of matrices, so that no figure rests on one of them.
constexpr std::size_t pool_size = 32;

template <class Policy>
void cut(benchmark::State& state, const Policy& policy, bool non_negative = false) {
  Stream stream(1);
  std::vector<SimilarityMatrix> pool;
  for (std::size_t k = 0; k < pool_size; ++k)
    pool.push_back(
        random_similarity(static_cast<std::size_t>(state.range(0)), stream, non_negative));
  const auto groups = static_cast<std::size_t>(state.range(1));
  std::size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(policy(pool[next++ % pool_size], groups, stream));
}

void exact_balanced(benchmark::State& state) { cut(state, ExactBalanced{}); }
void exact_two_way_free(benchmark::State& state) { cut(state, ExactTwoWay{}); }
void exact_two_way_halves(benchmark::State& state) {
  cut(state, ExactTwoWay{.min_size = static_cast<std::size_t>(state.range(0)) / 2});
}
void global_min_cut(benchmark::State& state) { cut(state, GlobalMinCut{}, true); }
void reference_nasbench201(benchmark::State& state) { cut(state, ReferenceNasBench201{}); }
void reference_darts(benchmark::State& state) { cut(state, ReferenceDarts{}); }
void random_balanced(benchmark::State& state) { cut(state, RandomBalanced{}); }
void spectral(benchmark::State& state) { cut(state, Spectral{}); }

/// Counters: the share of matrices whose cut is least, within 5 % of the least cut's magnitude,
/// and within 5 % of the gain that the least cut has over a mean balanced cut.
void spectral_quality(benchmark::State& state) {
  constexpr std::size_t n = 16;
  constexpr std::size_t trials = 2000;
  const bool non_negative = state.range(0) != 0;
  for (auto _ : state) {
    Stream stream(2);
    std::size_t least = 0, near_in_ratio = 0, near_in_gain = 0;
    for (std::size_t k = 0; k < trials; ++k) {
      const auto similarity = random_similarity(n, stream, non_negative);
      const auto exact = ExactTwoWay{.min_size = n / 2}(similarity, 2, stream);
      const auto found = Spectral{}(similarity, 2, stream);
      const double excess = found.cut() - exact.cut();
      const double mean =
          exact.total() * static_cast<double>(exact.cut_pairs()) / (n * (n - 1) / 2);
      least += found == exact ? 1 : 0;
      near_in_ratio += excess <= 0.05 * std::abs(exact.cut()) ? 1 : 0;
      near_in_gain += excess <= 0.05 * (mean - exact.cut()) ? 1 : 0;
    }
    const auto share = [](std::size_t count) { return static_cast<double>(count) / trials; };
    state.counters["least"] = share(least);
    state.counters["within_5pc_of_cut"] = share(near_in_ratio);
    state.counters["within_5pc_of_gain"] = share(near_in_gain);
  }
}

}  // namespace

BENCHMARK(exact_balanced)
    ->Unit(benchmark::kMicrosecond)
    ->Args({5, 2})
    ->Args({8, 2})
    ->Args({12, 2})
    ->Args({12, 3})
    ->Args({12, 4})
    ->Args({12, 5});
BENCHMARK(exact_two_way_free)
    ->Unit(benchmark::kMicrosecond)
    ->Args({8, 2})
    ->Args({16, 2})
    ->Args({20, 2})
    ->Args({24, 2});
BENCHMARK(exact_two_way_halves)->Unit(benchmark::kMicrosecond)->Args({16, 2})->Args({24, 2});
BENCHMARK(global_min_cut)->Unit(benchmark::kMicrosecond)->Args({16, 2})->Args({64, 2});
BENCHMARK(reference_nasbench201)->Unit(benchmark::kMicrosecond)->Args({5, 2});
BENCHMARK(reference_darts)->Unit(benchmark::kMicrosecond)->Args({7, 2});
BENCHMARK(random_balanced)->Unit(benchmark::kMicrosecond)->Args({12, 3});
BENCHMARK(spectral)
    ->Unit(benchmark::kMicrosecond)
    ->Args({16, 2})
    ->Args({16, 4})
    ->Args({32, 2})
    ->Args({64, 2})
    ->Args({64, 4});
BENCHMARK(spectral_quality)
    ->Unit(benchmark::kMillisecond)
    ->ArgName("non_negative")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(1);
BENCHMARK_MAIN();
