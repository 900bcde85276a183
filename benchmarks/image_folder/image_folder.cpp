// Rate of an image folder's augmented batches beside the rate of the decoder alone: the same files,
// read and decoded by the same number of threads in the same run, taking turns.
//
//   benchmark_image_folder DIR [SIZE [WORKERS [IMAGES]]]
#include <chrono>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/image_folder.hpp>
#include <cstdio>
#include <cstdlib>
#include <numeric>

using namespace cleave;
using namespace cleave::data;

namespace {

double seconds_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int k, std::size_t otherwise) {
    return argc > k ? std::strtoull(argv[k], nullptr, 10) : otherwise;
  };
  if (argc < 2) {
    std::fprintf(stderr, "benchmark_image_folder DIR [SIZE [WORKERS [IMAGES]]]\n");
    return 2;
  }
  try {
    const ImageFolder set(
        argv[1], {.size = static_cast<std::int64_t>(number(2, 224)), .workers = number(3, 0)});
    const auto& files = set.files(Part::Train);
    std::vector<std::int64_t> numbers(files.files.size());
    std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
    const std::size_t wanted = number(4, 20'000);
    constexpr std::size_t batch = 64;
    constexpr std::size_t rounds = 5;
    const std::size_t batches = std::max<std::size_t>(1, wanted / batch / rounds);
    WorkerPool pool(set.options().workers);
    std::deque<ImageDecoder> decoders;
    std::vector<Photo> photos(pool.workers());
    for (std::size_t worker = 0; worker < pool.workers(); ++worker) decoders.emplace_back();
    double decoding = 0, making = 0;
    std::size_t images = 0;
    for (std::size_t round = 0; round <= rounds; ++round) {
      const EpochOrder order(numbers, batch, Stream(round));
      const auto work = std::min(batches, order.batches());
      const double alone = seconds_of([&] {
        for (std::size_t k = 0; k < work; ++k) {
          const auto chosen = order.batch(k);
          pool.for_each(chosen.size(), [&](std::size_t place, std::size_t worker) {
            const auto path = files.path(static_cast<std::size_t>(chosen[place]));
            decoders[worker].decode(read_file(path, 1 << 28), path.string(), 1.0, photos[worker]);
          });
        }
      });
      const double whole = seconds_of([&] {
        for (std::size_t k = 0; k < work; ++k)
          static_cast<void>(set.batch(Part::Train, order.batch(k), true, Stream(round).fork(k)));
      });
      if (round == 0) continue;  // fills the page cache
      decoding += alone;
      making += whole;
      images += work * order.batch(0).size();
    }
    const auto rate = [&](double seconds) { return static_cast<double>(images) / seconds; };
    std::printf(
        "%zu workers, %zu images to %lld x %lld: read and decoded alone %.0f images/s, "
        "augmented batches %.0f images/s = %.1f %%\n",
        pool.workers(), images, static_cast<long long>(set.options().size),
        static_cast<long long>(set.options().size), rate(decoding), rate(making),
        100 * rate(making) / rate(decoding));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_image_folder: %s\n", error.what());
    return 1;
  }
}
