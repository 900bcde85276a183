// Rate of an image folder's augmented batches beside the rate of the decoder alone: libjpeg-turbo
// on the same files, whole, at the same reduced size, by the same number of threads that never wait
// for each other. The kinds take turns in the same run; JPEG files only.
//
//   benchmark_image_folder DIR [SIZE [WORKERS [IMAGES]]]
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cleave/data/ahead.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/image_folder.hpp>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <thread>

using namespace cleave;
using namespace cleave::data;

namespace {

constexpr std::size_t batch = 64;

double wall_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// What the rounds took of one kind.
struct Cost {
  double cpu = 0;
  double wall = 0;
  std::vector<double> rates{};  ///< images a second

  void add(std::size_t count, const auto& work) {
    const double wall_began = wall_seconds(), cpu_began = cpu_seconds();
    work();
    const double took = wall_seconds() - wall_began;
    cpu += cpu_seconds() - cpu_began;
    wall += took;
    rates.push_back(static_cast<double>(count) / took);
  }
  /// Median, which a machine that others use too disturbs less than the mean.
  [[nodiscard]] double rate() const {
    auto sorted = rates;
    std::ranges::sort(sorted);
    return sorted[sorted.size() / 2];
  }
};

/// One thread's decoder, used as libjpeg's manual shows.
class Decoder {
 public:
  Decoder() {
    jpeg_.err = ::jpeg_std_error(&errors_);
    ::jpeg_create_decompress(&jpeg_);
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { ::jpeg_destroy_decompress(&jpeg_); }

  std::span<const std::uint8_t> read(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct ::stat status {};
    ::fstat(file, &status);
    const auto size = static_cast<std::size_t>(status.st_size);
    if (bytes_.size() < size) bytes_.resize(size);
    if (::read(file, bytes_.data(), size) != status.st_size) throw IoError("cannot read " + path);
    ::close(file);
    return {bytes_.data(), size};
  }

  /// The whole image, reduced as the pipeline reduces it for this draw.
  void decode(std::span<const std::uint8_t> file, std::int64_t size, const Stream& stream) {
    ::jpeg_mem_src(&jpeg_, file.data(), static_cast<unsigned long>(file.size()));
    ::jpeg_read_header(&jpeg_, TRUE);
    const auto draw = draw_photo({}, jpeg_.image_width, jpeg_.image_height, stream);
    const double keep = static_cast<double>(size) / std::min(draw.box.width, draw.box.height);
    jpeg_.scale_denom = 1;
    while (jpeg_.scale_denom < 8 && keep * (2 * jpeg_.scale_denom) <= 1.0) jpeg_.scale_denom *= 2;
    jpeg_.scale_num = 1;
    jpeg_.out_color_space = JCS_EXT_RGBX;
    ::jpeg_start_decompress(&jpeg_);
    photo_.resize(jpeg_.output_width, jpeg_.output_height);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      JSAMPROW row = photo_.row(jpeg_.output_scanline);
      ::jpeg_read_scanlines(&jpeg_, &row, 1);
    }
    ::jpeg_finish_decompress(&jpeg_);
  }

 private:
  jpeg_decompress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  std::vector<std::uint8_t> bytes_;
  Photo photo_;  // whose rows lie where libjpeg-turbo is fast
};

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int k, std::size_t otherwise) -> std::size_t {
    return argc > k ? std::strtoull(argv[k], nullptr, 10) : otherwise;
  };
  if (argc < 2) {
    std::fprintf(stderr, "benchmark_image_folder DIR [SIZE [WORKERS [IMAGES]]]\n");
    return 2;
  }
  try {
    ImageFolderOptions options{.size = static_cast<std::int64_t>(number(2, 224)),
                               .workers = number(3, 0)};
    const ImageFolder keeping(argv[1], options);
    options.keep_bytes = 0;
    const ImageFolder reading(argv[1], options);
    const auto& files = reading.files(Part::Train);
    std::vector<std::int64_t> numbers(files.files.size());
    std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
    Stream(1).fork("sample").shuffle(numbers);
    numbers.resize(std::max(batch, std::min(numbers.size(), number(4, 20'000)) / batch * batch));
    const std::size_t workers =
        options.workers > 0 ? options.workers : std::thread::hardware_concurrency();
    std::deque<Decoder> decoders(workers);
    std::vector<std::vector<std::uint8_t>> memory;
    for (const auto i : numbers)
      memory.push_back(read_file(files.path(static_cast<std::size_t>(i)), 1 << 28));

    Cost decoding, reading_too, first_epoch, later_epochs;
    constexpr std::size_t rounds = 15;
    for (std::size_t round = 0; round <= rounds; ++round) {
      const Stream stream = Stream(2).fork(round);
      const auto alone = [&](bool from_memory) {
        std::vector<std::jthread> threads;
        for (std::size_t worker = 0; worker < workers; ++worker)
          threads.emplace_back([&, worker] {
            auto& decoder = decoders[worker];
            for (std::size_t k = worker; k < numbers.size(); k += workers)
              decoder.decode(
                  from_memory
                      ? std::span<const std::uint8_t>(memory[k])
                      : decoder.read(files.path(static_cast<std::size_t>(numbers[k])).string()),
                  options.size, stream.fork(k / batch).fork(k % batch));
          });
      };
      const auto batches = [&](const ImageFolder& set) {
        const std::span<const std::int64_t> all(numbers);
        const std::size_t count = all.size() / batch;
        for (std::size_t k = 0; k < count; ++k)
          static_cast<void>(batch_of_loop(set, k, count, [&](std::size_t i) {
            return BatchRequest{Part::Train, all.subspan(i * batch, batch), true, stream.fork(i)};
          }));
      };
      Cost ignored;  // of the first round, which fills caches
      const auto into = [&](Cost& cost) -> Cost& { return round == 0 ? ignored : cost; };
      into(decoding).add(numbers.size(), [&] { alone(true); });
      into(reading_too).add(numbers.size(), [&] { alone(false); });
      into(first_epoch).add(numbers.size(), [&] { batches(reading); });
      into(later_epochs).add(numbers.size(), [&] { batches(keeping); });
    }
    std::printf("%zu workers, %zu different images to %lld x %lld, medians of %zu rounds; images/s\n",
                workers, numbers.size(), static_cast<long long>(options.size),
                static_cast<long long>(options.size), rounds);
    const auto line = [&](const char* name, const Cost& cost) {
      std::printf(
          "%-46s %9.0f  cores busy %3.0f %%  of read + decode %5.1f %%  of decode %5.1f %%\n", name,
          cost.rate(), 100 * cost.cpu / (cost.wall * static_cast<double>(workers)),
          100 * cost.rate() / reading_too.rate(), 100 * cost.rate() / decoding.rate());
    };
    line("decoder alone, files in memory", decoding);
    line("decoder alone, files read each time", reading_too);
    line("augmented batches, files read each time", first_epoch);
    line("augmented batches, files kept by the set", later_epochs);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_image_folder: %s\n", error.what());
    return 1;
  }
}
