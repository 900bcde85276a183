#include <ATen/ATen.h>

#include <cleave/data/image_folder.hpp>
#include <cleave/testing/data_laws.hpp>
#include <cleave_test.hpp>
#include <set>
#include <temporary_folder.hpp>

#include "image_files.hpp"

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;
using Indices = std::vector<std::int64_t>;

namespace {

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
  for (const std::size_t workers : {2U, 3U, 7U}) {
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

TEST_CASE("batches made ahead are the batches, whoever announces what") {
  const Folder folder;
  auto options = small;
  options.ahead = 2;
  options.keep_bytes = 3000;  // two or three files
  const ImageFolder set(folder.path(), options);
  options.workers = 1;
  options.keep_bytes = 0;
  const ImageFolder alone(folder.path(), options);
  const auto request = [](std::size_t k) {
    static const std::vector<Indices> chosen{{0, 1, 2}, {3, 4}, {5, 6, 7, 0}, {1}};
    return BatchRequest{Part::Train, chosen[k % 4], true, Stream(k)};
  };
  const auto same = [&](const Batch& got, std::size_t k) {
    const auto r = request(k);
    const auto expected = alone.batch(r.part, r.indices, r.augment, r.stream);
    REQUIRE(got.images.equal(expected.images));
    REQUIRE(got.labels.equal(expected.labels));
  };
  std::vector<Batch> kept;  // their memory must not be used again
  for (std::size_t k = 0; k < 12; ++k) {
    kept.push_back(batch_of_loop(set, k, 12, request));
    same(kept.back(), k);
  }
  for (std::size_t k = 0; k < 12; ++k) same(kept[k], k);
  // More than may lie ready, never asked for, asked for by a copy of another size
  for (std::size_t k = 0; k < 9; ++k) {
    const auto r = request(k);
    set.prepare(r.part, r.indices, r.augment, r.stream);
  }
  for (const std::size_t k : {0U, 8U, 7U, 3U}) {
    const auto r = request(k);
    same(set.batch(r.part, r.indices, r.augment, r.stream), k);
    REQUIRE(set.at_size(9).batch(r.part, r.indices, r.augment, r.stream).images.size(2) == 9);
  }
  // A file's error waits for whoever asks
  folder.write("train/bee/2.jpg", Bytes{'n', 'o'});
  const ImageFolder fresh(folder.path(), small);
  REQUIRE_NOTHROW(fresh.prepare(Part::Train, Indices{1, 7}, false, Stream()));
  REQUIRE_THROWS_WITH(fresh.batch(Part::Train, Indices{1, 7}, false, Stream()),
                      Contains("bee/2.jpg: at byte 0: neither JPEG nor PNG"));
  REQUIRE_THROWS_AS(fresh.prepare(Part::Train, Indices{8}, false, Stream()), ValueError);
  fresh.prepare(Part::Train, Indices{1, 2}, false, Stream());  // goes away with the set
}

TEST_CASE("files are kept in memory up to a limit") {
  TemporaryFolder folder;
  folder.write("a", Bytes{1, 2, 3});
  folder.write("b", Bytes{4, 5, 6, 7});
  folder.write("c", Bytes{8, 9});
  KeptFiles files(3, 5);
  FileReader read;
  const auto get = [&](std::size_t i) {
    const auto bytes = files.get(
        i, (folder.path() / std::string(1, static_cast<char>('a' + i))).string(), 100, read);
    return Bytes(bytes.begin(), bytes.end());
  };
  for (int again = 0; again < 2; ++again) {
    REQUIRE(get(0) == Bytes{1, 2, 3});
    REQUIRE(get(1) == Bytes{4, 5, 6, 7});  // does not fit
    REQUIRE(get(2) == Bytes{8, 9});
  }
  for (const std::string name : {"a", "b", "c"}) folder.write(name, Bytes{0});
  REQUIRE(get(0) == Bytes{1, 2, 3});
  REQUIRE(get(1) == Bytes{0});
  REQUIRE(get(2) == Bytes{8, 9});
  REQUIRE_THROWS_WITH(read((folder.path() / "d").string(), 9), Contains("d: no such file"));
  REQUIRE_THROWS_WITH(read(folder.path().string(), 9), Contains("not a regular file"));
  folder.write("long", Bytes(200'000, 5));
  REQUIRE(read((folder.path() / "long").string(), 200'000).size() == 200'000);
  REQUIRE_THROWS_WITH(read((folder.path() / "long").string(), 199'999),
                      Contains("200000 bytes, at most 199999 allowed"));
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
    for (std::uint64_t seed = 0; seed < 30; ++seed)  // whatever part of it the crop needs
      REQUIRE_THROWS_WITH(set.batch(Part::Train, Indices{0}, true, Stream(seed)),
                          Contains("0.jpg: damaged JPEG: "));
    REQUIRE(ImageFolder(folder.path(), options).damaged_files(Part::Train).empty());
    // Cut before the data there is no image to take
    file.resize(static_cast<std::size_t>(data) - 1);
    folder.write("train/ant/0.jpg", file);
    refused("damaged JPEG: ");
    const auto problems = ImageFolder(folder.path(), options).damaged_files(Part::Train);
    REQUIRE(problems.size() == 1);
    REQUIRE_THAT(problems[0],
                 Contains("0.jpg: damaged JPEG: Invalid JPEG file structure: missing SOS"));
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
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.augmentation = {.cutout = -1}}),
                        Contains("cutout -1, at least 0"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.ahead = 2000}),
                        Contains("2000 batches ahead"));
    REQUIRE_THROWS_AS(ImageFolder(folder.path(), small).to(at::kLong), ValueError);
  }
}
