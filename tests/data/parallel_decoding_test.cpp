#include <cleave/data/image_decoder.hpp>
#include <cleave/data/photo_renderer.hpp>
#include <cleave/data/read_file.hpp>
#include <cleave/data/worker_pool.hpp>
#include <cleave_test.hpp>
#include <map>

// What an image folder's workers do, without LibTorch, so that the thread sanitizer sees all of it
// but the decoders themselves.

using namespace cleave::data;

TEST_CASE("files are decoded and resampled alike by any number of workers, damaged ones too") {
  std::vector<std::vector<std::uint8_t>> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(CLEAVE_TEST_DATA "/../fuzz/corpus/images")) {
    auto bytes = read_file(entry.path(), 1 << 20);
    bytes.erase(bytes.begin());  // the fuzzer's own
    files.push_back(std::move(bytes));
  }
  REQUIRE(files.size() >= 10);
  constexpr std::size_t jobs = 60;
  const auto decoded_by = [&](std::size_t workers) {
    WorkerPool pool(workers);
    struct Bench {
      ImageDecoder decoder;
      Photo photo;
      PhotoRenderer render;
    };
    std::vector<Bench> benches(workers);
    std::vector<std::string> found(jobs);
    pool.for_each(jobs, [&](std::size_t item, std::size_t worker) {
      auto& bench = benches[worker];
      try {
        bench.decoder.decode(files[item % files.size()], "file", 1.0, bench.photo);
        const auto draw =
            draw_photo({}, bench.photo.width(), bench.photo.height(), cleave::Stream(item));
        std::array<float, 48> out{};
        bench.render(bench.photo, draw, 4, {.scale = 1, .mean = {0, 0, 0}, .std = {1, 1, 1}},
                     out.data());
        for (const auto value : out) found[item] += fmt::format("{} ", value);
      } catch (const cleave::Error& error) {
        found[item] = error.what();
      }
    });
    return found;
  };
  const auto alone = decoded_by(1);
  CHECK(std::count(alone.begin(), alone.end(), std::string()) == 0);
  for (const std::size_t workers : {2UL, 4UL}) CHECK(decoded_by(workers) == alone);
}
