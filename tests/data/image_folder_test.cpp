#include <ATen/ATen.h>

#include <cleave/data/image_folder.hpp>
#include <cleave/testing/data_laws.hpp>
#include <cleave_test.hpp>

#include "made_files.hpp"
#include <temporary_folder.hpp>

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;
using Indices = std::vector<std::int64_t>;

namespace {

/// Smooth random colours [height, width, 3], so that a JPEG keeps them well.
Bytes picture(std::int64_t width, std::int64_t height, std::uint64_t seed) {
  Stream stream(seed);
  std::array<double, 6> slope{};
  for (auto& value : slope) value = stream.uniform() * 2 - 1;
  Bytes pixels;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        pixels.push_back(
            static_cast<std::uint8_t>(127 + 60 * slope[c] * (2.0 * double(x) / double(width) - 1) +
                                      60 * slope[c + 3] * (2.0 * double(y) / double(height) - 1)));
  return pixels;
}

Bytes jpeg(const Bytes& pixels, std::int64_t width, std::int64_t height) {
  const auto handle = ::tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  REQUIRE(::tjCompress2(handle, pixels.data(), int(width), 0, int(height), TJPF_RGB, &data, &size,
                        TJSAMP_444, 98, 0) == 0);
  Bytes file(data, data + size);
  ::tjFree(data);
  ::tjDestroy(handle);
  return file;
}

Bytes png(const Bytes& pixels, std::int64_t width, std::int64_t height) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  REQUIRE(::png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr) != 0);
  Bytes file(size);
  REQUIRE(::png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr) !=
          0);
  file.resize(size);
  return file;
}

/// train: ant 4 JPEGs and a PNG with a JPEG's name, bee 3 JPEGs; val: one PNG each. A note that
/// is no image lies about.
struct Folder : TemporaryFolder {
  Folder() {
    for (const std::string name : {"train/ant", "train/bee", "val/ant", "val/bee"})
      std::filesystem::create_directories(path() / name);
    for (int i = 0; i < 4; ++i)
      write(fmt::format("train/ant/{}.jpg", i), jpeg(picture(40 + i, 30, 1), 40 + i, 30));
    write("train/ant/4.JPEG", png(picture(24, 24, 9), 24, 24));
    for (int i = 0; i < 3; ++i)
      write(fmt::format("train/bee/{}.jpg", i), jpeg(picture(300, 200 + i, 2), 300, 200 + i));
    for (const std::string name : {"ant", "bee"})
      write("val/" + name + "/a.png", png(picture(16, 16, name == "ant" ? 3 : 4), 16, 16));
    write("train/bee/notes.txt", Bytes{'h', 'i'});
  }
};

const ImageFolderOptions small{.size = 16, .workers = 2};

}  // namespace

TEST_CASE("an image folder keeps the laws of a data set and knows its files") {
  const Folder folder;
  const ImageFolder set(folder.path(), small);
  REQUIRE(testing::check_data_set(set).empty());
  REQUIRE(testing::check_data_set(set.to(at::kDouble).take(4, 2).at_size(9)).empty());
  REQUIRE(set.classes() == 2);
  REQUIRE(set.class_names()[1] == "bee");
  const auto labels = set.labels(Part::Train);
  REQUIRE(Indices(labels.begin(), labels.end()) == Indices{0, 0, 0, 0, 0, 1, 1, 1});
  REQUIRE(set.labels(Part::Test).size() == 2);
  REQUIRE(set.files(Part::Train).ignored == 1);
  REQUIRE(set.damaged_files(Part::Train).empty());
  REQUIRE(set.shape() == ImageShape{3, 16, 16});
}

TEST_CASE("a batch does not depend on the number of workers, bit for bit") {
  const Folder folder;
  Indices chosen;
  for (int k = 0; k < 40; ++k) chosen.push_back(k % 8);
  auto options = small;
  options.workers = 1;
  const auto one = ImageFolder(folder.path(), options).batch(Part::Train, chosen, true, Stream(5));
  for (const std::size_t workers : {2, 3, 7}) {
    options.workers = workers;
    const ImageFolder set(folder.path(), options);
    for (int again = 0; again < 3; ++again) {
      const auto batch = set.batch(Part::Train, chosen, true, Stream(5));
      REQUIRE(batch.images.equal(one.images));
      REQUIRE(batch.labels.equal(one.labels));
    }
  }
  // The same image at two places of a batch draws twice
  REQUIRE_FALSE(one.images[0].equal(one.images[8]));
}

TEST_CASE("an image of the set's size comes through as it is, normalised") {
  const Folder folder;
  auto options = small;
  options.central = 1.0;
  const ImageFolder set(folder.path(), options);
  const auto batch = set.batch(Part::Test, Indices{0}, false, Stream());
  const auto pixels = picture(16, 16, 3);
  const auto normalisation = imagenet_normalisation();
  double worst = 0;
  for (std::int64_t y = 0; y < 16; ++y)
    for (std::int64_t x = 0; x < 16; ++x)
      for (std::int64_t c = 0; c < 3; ++c) {
        const auto k = static_cast<std::size_t>(c);
        const double expected = (pixels[static_cast<std::size_t>((y * 16 + x) * 3 + c)] / 255.0 -
                                 normalisation.mean[k]) /
                                normalisation.std[k];
        worst = std::max(worst, std::abs(batch.images[0][c][y][x].item<double>() - expected));
      }
  REQUIRE(worst < 1e-5);
}

TEST_CASE("resampling is that of torch's antialiased interpolation") {
  Photo photo{37, 29, {}};
  Stream stream(3);
  for (int k = 0; k < 37 * 29 * 4; ++k)
    photo.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  const auto source = at::from_blob(photo.pixels.data(), {1, 29, 37, 4}, at::kByte)
                          .permute({0, 3, 1, 2})
                          .to(at::kDouble);
  for (const auto& [height, width] : std::vector<std::pair<int, int>>{{8, 9}, {29, 37}, {50, 64}})
    for (const bool mirrored : {false, true}) {
      const Box box{5, 3, 30, 20};
      std::vector<Pixel> out(static_cast<std::size_t>(height * width));
      Resampler()(photo, box, height, width, mirrored, out);
      auto expected = at::_upsample_bilinear2d_aa(source.slice(2, 3, 23).slice(3, 5, 35),
                                                  {height, width}, false);
      if (mirrored) expected = expected.flip(3);
      const auto got = at::from_blob(out.data(), {1, height, width, 4}, at::kFloat)
                           .permute({0, 3, 1, 2})
                           .to(at::kDouble);
      REQUIRE((got - expected).abs().max().item<double>() < 1e-3);
    }
}

TEST_CASE("a reduced decode looks like the whole one") {
  const auto pixels = picture(320, 240, 6);
  const auto file = jpeg(pixels, 320, 240);
  ImageDecoder decoder;
  Photo whole, reduced;
  decoder.decode(file, "file", 1.0, whole);
  REQUIRE(whole.width == 320);
  decoder.decode(file, "file", 0.26, reduced);
  REQUIRE(reduced.width == 160);
  decoder.decode(file, "file", 0.25, reduced);
  REQUIRE(reduced.width == 80);
  std::vector<Pixel> a(100), b(100);
  Resampler()(whole, {40, 40, 160, 160}, 10, 10, false, a);
  Resampler()(reduced, {10, 10, 40, 40}, 10, 10, false, b);
  for (std::size_t k = 0; k < a.size(); ++k)
    for (int c = 0; c < 3; ++c) REQUIRE(std::abs(a[k][c] - b[k][c]) < 3.0F);
}

TEST_CASE("colour jitter follows its definition") {
  Stream stream(8);
  std::vector<Pixel> image(50);
  for (auto& pixel : image)
    for (int c = 0; c < 3; ++c) pixel[c] = static_cast<float>(255 * stream.uniform());
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto draw = draw_photo({}, 100, 80, Stream(seed));
    auto expected = image;
    const auto luma = [](const Pixel& p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; };
    for (const auto step : draw.order) {
      const double f = draw.factors[static_cast<std::size_t>(step)];
      double mean = 0;
      for (const auto& p : expected) mean += luma(p) / 50;
      for (auto& p : expected) {
        const double centre = step == Jitter::Brightness ? 0.0
                              : step == Jitter::Contrast ? mean
                                                         : luma(p);
        for (int c = 0; c < 3; ++c)
          p[c] = static_cast<float>(std::clamp(centre + f * (p[c] - centre), 0.0, 255.0));
      }
    }
    auto got = image;
    jitter(got, draw);
    for (std::size_t k = 0; k < got.size(); ++k)
      for (int c = 0; c < 3; ++c) REQUIRE(got[k][c] == Approx(expected[k][c]).margin(1e-2));
  }
}

TEST_CASE("crops stay inside the image and cover the areas and ratios asked for") {
  double least = 1, most = 0;
  int mirrored = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto draw = draw_photo({}, 500, 375, Stream(seed));
    const auto& box = draw.box;
    REQUIRE((box.left >= 0 && box.top >= 0 && box.left + box.width <= 500 &&
             box.top + box.height <= 375));
    const double area = box.width * box.height / (500.0 * 375.0), ratio = box.width / box.height;
    REQUIRE((area > 0.075 && area <= 1.0 && ratio > 0.73 && ratio < 1.36));
    least = std::min(least, area);
    most = std::max(most, area);
    mirrored += draw.mirrored ? 1 : 0;
  }
  REQUIRE(least < 0.1);
  REQUIRE(most > 0.9);
  REQUIRE(std::abs(mirrored - 1000) < 120);
  const auto narrow = draw_photo({}, 2, 900, Stream(1)).box;  // nothing fits: the central part
  REQUIRE((narrow.width == 2 && narrow.height == 3));
  const auto central = central_box(0.875, 500, 256);
  REQUIRE(central == Box{138, 16, 224, 224});
}

TEST_CASE("files that are not what they should be name themselves, and nothing is printed") {
  const Folder folder;
  const ImageFolder set(folder.path(), small);
  const auto batch = [&](const Indices& chosen) {
    return set.batch(Part::Train, chosen, false, Stream());
  };
  const auto refused = [&](const std::string& sentence) {
    INFO(sentence);
    REQUIRE_THROWS_AS(batch({7, 0, 5}), DataError);
    REQUIRE_THROWS_WITH(batch({7, 0, 5}), Contains("train/ant/0.jpg: ") && Contains(sentence));
    REQUIRE(set.damaged_files(Part::Train).size() == 1);
    REQUIRE_NOTHROW(batch({7, 1, 5}));  // the workers go on
  };
  auto file = jpeg(picture(40, 30, 1), 40, 30);
  SECTION("a text") {
    folder.write("train/ant/0.jpg", Bytes{'h', 'e', 'l', 'l', 'o', '\n'});
    refused("at byte 0: neither JPEG nor PNG, it begins with 68 65 6c 6c 6f 0a");
  }
  SECTION("empty") {
    folder.write("train/ant/0.jpg", {});
    refused("the file is empty");
  }
  SECTION("a JPEG cut short, refused or accepted") {
    auto options = small;
    options.limits.accept_damaged = true;
    const Bytes marker{0xff, 0xda};  // the image's data begin after it
    const auto scan = std::search(file.begin(), file.end(), marker.begin(), marker.end());
    REQUIRE(file.end() - scan > 40);
    const auto data = scan - file.begin();
    file.resize(file.size() - 30);
    folder.write("train/ant/0.jpg", file);
    refused("damaged JPEG: ");
    REQUIRE(ImageFolder(folder.path(), options).damaged_files(Part::Train).empty());
    // Cut before the data there is no image to take
    file.resize(static_cast<std::size_t>(data) - 1);
    folder.write("train/ant/0.jpg", file);
    refused("damaged JPEG: ");
    const auto problems = ImageFolder(folder.path(), options).damaged_files(Part::Train);
    REQUIRE(problems.size() == 1);
    REQUIRE_THAT(problems[0], Contains("0.jpg: damaged JPEG: no image follows its header"));
  }
  SECTION("a header and nothing else") {
    file.resize(20);
    folder.write("train/ant/0.jpg", file);
    refused("damaged JPEG: ");
  }
  SECTION("a PNG cut short") {
    auto whole = png(picture(40, 30, 1), 40, 30);
    whole.resize(whole.size() - 30);
    folder.write("train/ant/0.jpg", whole);
    refused("damaged PNG: ");
  }
  SECTION("a bomb: the header announces 60000 x 60000") {
    const Bytes marker{0xff, 0xc0};
    const auto frame = std::search(file.begin(), file.end(), marker.begin(), marker.end());
    REQUIRE(frame != file.end());
    for (const int k : {5, 7}) frame[k] = 0xea, frame[k + 1] = 0x60;
    folder.write("train/ant/0.jpg", file);
    refused("its header announces 60000 x 60000 pixels, at most 67108864");
  }
  SECTION("a file that went away") {
    std::filesystem::remove(folder.path() / "train/ant/0.jpg");
    REQUIRE_THROWS_AS(batch({0}), IoError);
    REQUIRE_THROWS_WITH(batch({0}), Contains("train/ant/0.jpg: no such file"));
  }
  SECTION("numbers that are not there") {
    REQUIRE_THROWS_WITH(batch({0, 8}), Contains("entry 1 of a batch is image 8, the part has 8"));
    REQUIRE_THROWS_AS(batch({}), ValueError);
  }
}

TEST_CASE("folders of another layout and options outside their domain are refused") {
  const Folder folder;
  const auto refused = [&](const std::string& sentence) {
    INFO(sentence);
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), small), Contains(sentence));
  };
  SECTION("an empty class folder") {
    std::filesystem::create_directory(folder.path() / "train/cat");
    refused("train/cat: the class folder holds no .jpg, .jpeg or .png file");
  }
  SECTION("a class that train does not have") {
    std::filesystem::create_directory(folder.path() / "val/cat");
    refused("val: class `cat` is not one of the 2 of ");
  }
  SECTION("two test parts") {
    std::filesystem::create_directory(folder.path() / "test");
    refused("both `val` and `test` are there");
    auto options = small;
    options.test_folder = "val";
    REQUIRE(ImageFolder(folder.path(), options).labels(Part::Test).size() == 2);
  }
  SECTION("no train folder, no class folder, no folder") {
    std::filesystem::rename(folder.path() / "train", folder.path() / "other");
    refused("no folder `train` in it");
    std::filesystem::create_directory(folder.path() / "train");
    refused("train: no class folder in it");
    REQUIRE_THROWS_AS(ImageFolder(folder.path() / "nowhere"), IoError);
  }
  SECTION("options") {
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.size = 0}), Contains("image size 0, allowed"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.central = 1.5}),
                        Contains("central share 1.5"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.augmentation = {.min_area = 0}}),
                        Contains("crop areas from 0 to 1"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.augmentation = {.contrast = -1}}),
                        Contains("contrast -1"));
    REQUIRE_THROWS_AS(ImageFolder(folder.path(), small).to(at::kLong), ValueError);
  }
}
