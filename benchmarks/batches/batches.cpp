// Time of one batch from memory: augmented and plain, by the host's loop and by the tensor
// operations that other devices use. docs/performance.md holds figures and the command.
#include <benchmark/benchmark.h>

#include <cleave/data/cifar.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/data/epoch_order.hpp>
#include <numeric>

using namespace cleave;
using namespace cleave::data;

namespace {

/// As many random images as CIFAR-10 has, so that batches come from memory and not from caches.
const InMemory& cifar_sized() {
  static const InMemory set = [] {
    Stream stream(1);
    RawImages images{{3, 32, 32}, {}, std::vector<std::int64_t>(50'000)};
    images.pixels.resize(images.count() * images.shape.size());
    for (auto& pixel : images.pixels) pixel = static_cast<std::uint8_t>(stream() >> 56);
    return InMemory({.name = "cifar_sized",
                     .classes = 10,
                     .normalisation = cifar10_normalisation(),
                     .augmentation = {.pad = 4, .flip = true, .cutout = 16}},
                    std::move(images), {});
  }();
  return set;
}

std::vector<std::int64_t> all_of(const InMemory& set) {
  std::vector<std::int64_t> numbers(set.labels(Part::Train).size());
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

void batch(benchmark::State& state, const InMemory& set, bool augment) {
  const auto numbers = all_of(set);
  const EpochOrder order(numbers, static_cast<std::size_t>(state.range(0)), Stream(2));
  std::size_t k = 0;
  for (auto _ : state) {
    auto result = set.batch(Part::Train, order.batch(k % order.batches()), augment, Stream(k));
    benchmark::DoNotOptimize(result.images.const_data_ptr());
    ++k;
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void tensor_operations(benchmark::State& state) {
  const auto& set = cifar_sized();
  const auto numbers = all_of(set);
  const EpochOrder order(numbers, static_cast<std::size_t>(state.range(0)), Stream(2));
  std::vector<double> flat;
  for (const auto& channel : normalised_bytes(set.normalisation(), 3))
    flat.insert(flat.end(), channel.begin(), channel.end());
  const auto table = at::tensor(flat, at::kFloat);
  std::size_t k = 0;
  for (auto _ : state) {
    const auto indices = order.batch(k % order.batches());
    const auto draws = draw_images(set.augmentation(), set.shape(), indices.size(), Stream(k));
    auto result = gather_on_device(set.images(Part::Train), set.shape(), {indices, draws},
                                   set.augmentation(), table, at::MemoryFormat::ChannelsLast);
    benchmark::DoNotOptimize(result.const_data_ptr());
    ++k;
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void epoch_order(benchmark::State& state) {
  const auto numbers = all_of(cifar_sized());
  for (auto _ : state) benchmark::DoNotOptimize(EpochOrder(numbers, 64, Stream(3)).batches());
}

void read_digits_once(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(digits().classes());
}

}  // namespace

BENCHMARK_CAPTURE(batch, cifar_augmented, cifar_sized(), true)->Arg(64)->Arg(256);
BENCHMARK_CAPTURE(batch, cifar_plain, cifar_sized(), false)->Arg(64)->Arg(256);
BENCHMARK_CAPTURE(batch, cifar_augmented_contiguous,
                  cifar_sized().with_memory_format(at::MemoryFormat::Contiguous), true)
    ->Arg(64);
BENCHMARK_CAPTURE(batch, digits_augmented, digits(), true)->Arg(64);
BENCHMARK(tensor_operations)->Arg(64);
BENCHMARK(epoch_order)->Unit(benchmark::kMicrosecond);
BENCHMARK(read_digits_once)->Unit(benchmark::kMicrosecond);

BENCHMARK_MAIN();
