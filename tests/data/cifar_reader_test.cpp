#include <sys/stat.h>

#include <cleave/data/cifar_reader.hpp>
#include <cleave_test.hpp>

#include "made_files.hpp"
#include <temporary_folder.hpp>

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;

namespace {

/// A legal CIFAR-10 folder: 12 + 5 train images in two files, 4 test images.
void write_small_cifar10(const TemporaryFolder& folder) {
  folder.write("data_batch_2.bin", cifar_file(cifar10_format(), 12, 1));
  folder.write("data_batch_5.bin", cifar_file(cifar10_format(), 5, 2));
  folder.write("test_batch.bin", cifar_file(cifar10_format(), 4, 3));
}

}  // namespace

TEST_CASE("CIFAR-10 files are read in order, any of them may be missing") {
  const TemporaryFolder folder;
  write_small_cifar10(folder);
  const auto parts = read_cifar(folder.path(), cifar10_format());
  REQUIRE(parts.train.shape == ImageShape{3, 32, 32});
  REQUIRE(parts.train.count() == 17);
  REQUIRE(parts.test.count() == 4);
  REQUIRE(parts.train.labels[11] == 1);
  REQUIRE(parts.train.labels[12] == 0);
  const auto second = cifar_file(cifar10_format(), 5, 2);
  REQUIRE(std::equal(second.begin() + 1, second.begin() + 3073,
                     parts.train.pixels.begin() + 12 * 3072));
  REQUIRE(std::equal(second.end() - 3072, second.end(), parts.train.pixels.end() - 3072));
}

TEST_CASE("CIFAR-100 reads the fine label and checks the coarse one") {
  const TemporaryFolder folder;
  folder.write("train.bin", cifar_file(cifar100_format(), 123));
  folder.write("test.bin", cifar_file(cifar100_format(), 3));
  const auto parts = read_cifar(folder.path(), cifar100_format());
  REQUIRE(parts.train.count() == 123);
  REQUIRE(parts.train.labels[99] == 99);
  REQUIRE(parts.train.labels[122] == 22);

  auto bytes = cifar_file(cifar100_format(), 3);
  bytes[3074] = 20;
  folder.write("test.bin", bytes);
  REQUIRE_THROWS_WITH(read_cifar(folder.path(), cifar100_format()),
                      Contains("test.bin: at byte 3074: image 1 has label 20, allowed 0 to 19"));
  bytes = cifar_file(cifar100_format(), 3);
  bytes[3075] = 100;
  folder.write("test.bin", bytes);
  REQUIRE_THROWS_WITH(read_cifar(folder.path(), cifar100_format()),
                      Contains("test.bin: at byte 3075: image 1 has label 100, allowed 0 to 99"));
}

TEST_CASE("damaged CIFAR files say file and byte") {
  const TemporaryFolder folder;
  write_small_cifar10(folder);
  const auto read = [&] { return read_cifar(folder.path(), cifar10_format()); };
  auto bytes = cifar_file(cifar10_format(), 7);

  SECTION("cut short in the middle of an image") {
    bytes.resize(6 * 3073 + 100);
    folder.write("data_batch_5.bin", bytes);
    REQUIRE_THROWS_AS(read(), DataError);
    REQUIRE_THROWS_WITH(
        read(), Contains("data_batch_5.bin: at byte 18438: image 6 has 100 of its 3073 bytes"));
  }
  SECTION("a label out of range") {
    bytes[4 * 3073] = 10;
    folder.write("data_batch_2.bin", bytes);
    REQUIRE_THROWS_AS(read(), DataError);
    REQUIRE_THROWS_WITH(
        read(), Contains("data_batch_2.bin: at byte 12292: image 4 has label 10, allowed 0 to 9"));
  }
  SECTION("empty") {
    folder.write("test_batch.bin", {});
    REQUIRE_THROWS_AS(read(), DataError);
    REQUIRE_THROWS_WITH(read(), Contains("test_batch.bin: at byte 0: the file is empty"));
  }
  SECTION("no test file") {
    std::filesystem::remove(folder.path() / "test_batch.bin");
    REQUIRE_THROWS_AS(read(), IoError);
    REQUIRE_THROWS_WITH(read(), Contains("test_batch.bin: no such file"));
  }
  SECTION("no train file") {
    std::filesystem::remove(folder.path() / "data_batch_2.bin");
    std::filesystem::remove(folder.path() / "data_batch_5.bin");
    REQUIRE_THROWS_AS(read(), IoError);
    REQUIRE_THROWS_WITH(read(), Contains("at least one of data_batch_1.bin, data_batch_2.bin"));
  }
  SECTION("one image too many") {
    folder.write("test_batch.bin", cifar_file(cifar10_format(), 10'001));
    REQUIRE_THROWS_AS(read(), DataError);
    REQUIRE_THROWS_WITH(read(), Contains("at byte 30730000: 10001 images, at most 10000 allowed"));
  }
  SECTION("a file far too long is refused before memory is taken") {
    std::filesystem::resize_file(folder.path() / "test_batch.bin", std::uintmax_t{1} << 40);
    REQUIRE_THROWS_AS(read(), DataError);
    REQUIRE_THROWS_WITH(read(), Contains("1099511627776 bytes, at most 30733073 allowed"));
  }
  SECTION("a directory in a file's place") {
    std::filesystem::remove(folder.path() / "test_batch.bin");
    std::filesystem::create_directory(folder.path() / "test_batch.bin");
    REQUIRE_THROWS_AS(read(), IoError);
    REQUIRE_THROWS_WITH(read(), Contains("not a regular file"));
  }
  SECTION("a pipe in a file's place does not hang") {
    std::filesystem::remove(folder.path() / "test_batch.bin");
    REQUIRE(::mkfifo((folder.path() / "test_batch.bin").c_str(), 0600) == 0);
    REQUIRE_THROWS_AS(read(), IoError);
  }
  SECTION("no directory") {
    REQUIRE_THROWS_WITH(read_cifar(folder.path() / "nowhere", cifar10_format()),
                        Contains("no such directory"));
  }
}

TEST_CASE("a refused file leaves the images as they were") {
  RawImages images;
  append_cifar(cifar_file(cifar10_format(), 3), cifar10_format(), 10, "first", images);
  const RawImages before = images;
  auto bytes = cifar_file(cifar10_format(), 3);
  bytes[2 * 3073] = 200;
  REQUIRE_THROWS_AS(append_cifar(bytes, cifar10_format(), 10, "second", images), DataError);
  REQUIRE(images == before);
}

TEST_CASE("the official CIFAR-10 files", "[data]") {
  const auto folder = cleave::testing::data_path("cifar10/exact");
  if (!folder) {
    WARN("skipped: no cifar10/exact in $CLEAVE_DATA");
    return;
  }
  const auto parts = read_cifar(*folder, cifar10_format());
  REQUIRE(parts.train.count() == 4000);
  REQUIRE(parts.test.count() == 1000);
  double sum = 0;
  for (std::size_t i = 0; i < parts.train.count(); ++i)
    for (std::size_t k = 0; k < 1024; ++k) sum += parts.train.pixels[i * 3072 + k];
  REQUIRE(sum / (4000.0 * 1024.0) == Approx(125.3).margin(0.5));  // red, of all 50,000
}
