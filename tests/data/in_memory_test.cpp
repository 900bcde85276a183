#include <ATen/ATen.h>

#include <cleave/data/cifar.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/data/fashion_mnist.hpp>
#include <cleave/testing/data_laws.hpp>

#include <cleave_test.hpp>

#include "made_files.hpp"
#include <temporary_folder.hpp>

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;
using Indices = std::vector<std::int64_t>;

namespace {

RawImages random_images(ImageShape shape, std::size_t count, std::int64_t classes,
                        std::uint64_t seed) {
  Stream stream(seed);
  RawImages images{shape, {}, {}};
  for (std::size_t i = 0; i < count * shape.size(); ++i)
    images.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  for (std::size_t i = 0; i < count; ++i)
    images.labels.push_back(static_cast<std::int64_t>(i) % classes);
  return images;
}

/// 40 + 10 images of 3 x 6 x 7 in 5 classes.
InMemory small_set(const Augmentation& augmentation = {}) {
  return InMemory({.name = "small",
                   .classes = 5,
                   .normalisation = {.mean = {0.1, 0.5, 0.7}, .std = {0.2, 0.3, 0.4}},
                   .augmentation = augmentation},
                  random_images({3, 6, 7}, 40, 5, 1), random_images({3, 6, 7}, 10, 5, 2));
}

/// The definition, image by image in plain tensor operations: pad with black, crop, mirror,
/// normalise, cut out.
at::Tensor by_definition(const InMemory& set, Part part, const Indices& indices,
                         const std::vector<ImageDraw>& draws) {
  const auto& [pad, flip, cutout] = set.augmentation();
  const auto shape = set.shape();
  std::vector<at::Tensor> images;
  for (std::size_t b = 0; b < indices.size(); ++b) {
    auto image = set.images(part).select(0, indices[b]).to(at::kDouble);
    if (!draws.empty()) {
      image = at::constant_pad_nd(image, {pad, pad, pad, pad})
                  .narrow(1, draws[b].top, shape.height)
                  .narrow(2, draws[b].left, shape.width);
      if (draws[b].mirrored) image = image.flip(2);
    }
    const auto per_channel = [](const std::vector<double>& values) {
      return at::tensor(values, at::kDouble).view({-1, 1, 1});
    };
    image = (image / set.normalisation().scale - per_channel(set.normalisation().mean)) /
            per_channel(set.normalisation().std);
    if (!draws.empty() && cutout > 0)
      for (std::int64_t y = 0; y < shape.height; ++y)
        for (std::int64_t x = 0; x < shape.width; ++x) {
          const auto top = draws[b].cut_y - cutout / 2;
          const auto left = draws[b].cut_x - cutout / 2;
          if (y >= top && y < top + cutout && x >= left && x < left + cutout)
            image.select(1, y).select(1, x).zero_();
        }
    images.push_back(image);
  }
  return at::stack(images);
}

const Indices some{3, 0, 39, 3, 17, 22};

}  // namespace

TEST_CASE("batches follow the definition, augmented or not") {
  for (const Augmentation augmentation :
       {Augmentation{}, Augmentation{.pad = 2}, Augmentation{.flip = true},
        Augmentation{.cutout = 3}, Augmentation{.cutout = 40},
        Augmentation{.pad = 5, .flip = true, .cutout = 4}}) {
    const auto set = small_set(augmentation).to(at::kDouble);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Stream stream(seed);
      const auto plain = set.batch(Part::Train, some, false, stream);
      REQUIRE(plain.images.equal(by_definition(set, Part::Train, some, {})));
      const auto draws = draw_images(augmentation, set.shape(), some.size(), stream);
      const auto drawn = set.batch(Part::Train, some, true, stream);
      REQUIRE(drawn.images.equal(by_definition(set, Part::Train, some, draws)));
      REQUIRE(drawn.labels.equal(at::tensor({3, 0, 4, 3, 2, 2}, at::kLong)));
    }
  }
}

TEST_CASE("host loop and tensor operations give the same bits in every type and memory order") {
  const auto set = small_set({.pad = 3, .flip = true, .cutout = 2});
  for (const auto type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16})
    for (const auto format : {at::MemoryFormat::ChannelsLast, at::MemoryFormat::Contiguous})
      for (const bool augment : {false, true}) {
        const auto typed = set.to(type).with_memory_format(format);
        const auto batch = typed.batch(Part::Train, some, augment, Stream(5));
        REQUIRE(batch.images.scalar_type() == type);
        REQUIRE(batch.images.is_contiguous(format));
        const auto values = normalised_bytes(set.normalisation(), 3);
        std::vector<double> flat;
        for (const auto& channel : values) flat.insert(flat.end(), channel.begin(), channel.end());
        std::vector<ImageDraw> draws;
        if (augment) draws = draw_images(set.augmentation(), set.shape(), some.size(), Stream(5));
        const auto other =
            gather_on_device(set.images(Part::Train), set.shape(), {some, draws},
                             set.augmentation(), at::tensor(flat, at::kDouble).to(type), format);
        REQUIRE(other.is_contiguous(format));
        REQUIRE(batch.images.equal(other));
      }
}

TEST_CASE("the sets of this library keep the laws of a data set") {
  REQUIRE(testing::check_data_set(small_set({.pad = 2, .flip = true, .cutout = 3})).empty());
  REQUIRE(testing::check_data_set(small_set(), {.augments = false}).empty());
  REQUIRE(testing::check_data_set(digits()).empty());
  REQUIRE(testing::check_data_set(digits().to(at::kDouble).take(100, 30).at_size(4, 4)).empty());
}

TEST_CASE("the law check finds sets that break a law") {
  struct Broken {
    InMemory set = small_set({.pad = 1});
    int law = 0;

    std::string_view name() const { return "broken"; }
    std::int64_t classes() const { return law == 1 ? 4 : 5; }
    ImageShape shape() const { return law == 2 ? ImageShape{3, 7, 6} : set.shape(); }
    std::span<const std::int64_t> labels(Part part) const { return set.labels(part); }
    Batch batch(Part part, std::span<const std::int64_t> indices, bool augment,
                Stream stream) const {
      static std::uint64_t calls = 0;
      if (law == 3) stream = Stream(++calls);  // not a function of its arguments
      if (law == 4) stream = Stream(0);        // deaf to the stream
      auto batch = set.batch(part, indices, augment || law == 5, stream);  // always augments
      if (law == 6) batch.labels = batch.labels.flip(0);
      if (law == 7) batch.images -= batch.images.mean();  // depends on the other images
      if (law == 8) batch.images.view(-1)[0] = std::nan("");
      if (law == 9) batch.labels = batch.labels.to(at::kInt);
      if (law == 10 && augment) batch.labels = batch.labels + 1;
      return batch;
    }
  };
  REQUIRE(testing::check_data_set(Broken{}).empty());
  const std::vector<std::string> sentences{"is outside 0 to 3",
                                           "another shape than",
                                           "same arguments give different",
                                           "augmentation does not depend on the stream",
                                           "without augmentation a batch depends",
                                           "has another label",
                                           "depends on the other images",
                                           "not finite",
                                           "not [B] int64",
                                           "augmentation changes labels"};
  for (std::size_t law = 1; law <= sentences.size(); ++law) {
    Broken broken;
    broken.law = static_cast<int>(law);
    if (law == 8) broken.set = broken.set.with_memory_format(at::MemoryFormat::Contiguous);
    const auto found = testing::check_data_set(broken);
    const bool named = std::any_of(found.begin(), found.end(), [&](const std::string& sentence) {
      return sentence.find(sentences[law - 1]) != std::string::npos;
    });
    INFO("law " << law << ": " << (found.empty() ? "nothing found" : found.front()));
    REQUIRE(named);
  }
}

TEST_CASE("construction refuses what does not fit, naming it") {
  const Description good{
      .name = "mine", .classes = 5, .normalisation = {.mean = {0, 0, 0}, .std = {1, 1, 1}}};
  const auto make = [&](const Description& description, RawImages train, RawImages test) {
    return InMemory(description, std::move(train), std::move(test));
  };
  const auto images = random_images({3, 6, 7}, 10, 5, 1);
  REQUIRE_NOTHROW(make(good, images, images));
  REQUIRE(make(good, images, {}).labels(Part::Test).empty());
  REQUIRE(make(good, images, {}).images(Part::Test).sizes().equals({0, 3, 6, 7}));

  REQUIRE_THROWS_AS(make(good, {}, images), ValueError);
  REQUIRE_THROWS_WITH(make(good, {{3, 6, 7}, {}, {}}, images), Contains("train part is empty"));
  REQUIRE_THROWS_WITH(make(good, images, random_images({3, 7, 6}, 10, 5, 1)),
                      Contains("train images are 3 x 6 x 7, test images 3 x 7 x 6"));
  REQUIRE_THROWS_WITH(make(good, random_images({3, 6, 7}, 10, 6, 1), images),
                      Contains("mine train part: image 5 has label 5, allowed 0 to 4"));
  REQUIRE_THROWS_WITH(make(good, images, random_images({3, 6, 7}, 10, 6, 1)),
                      Contains("mine test part: image 5 has label 5"));
  auto bad = good;
  bad.classes = 0;
  REQUIRE_THROWS_WITH(make(bad, images, images), Contains("0 classes"));
  bad = good;
  bad.normalisation.std = {1, 1};
  REQUIRE_THROWS_AS(make(bad, images, images), ValueError);
  bad = good;
  bad.augmentation.pad = 6;
  REQUIRE_THROWS_WITH(make(bad, images, images), Contains("pad 6, allowed 0 to 5"));
  bad.augmentation = {.pad = -1};
  REQUIRE_THROWS_AS(make(bad, images, images), ValueError);
  bad.augmentation = {.cutout = -1};
  REQUIRE_THROWS_WITH(make(bad, images, images), Contains("cutout -1"));
}

TEST_CASE("a batch refuses numbers that are not there") {
  const auto set = small_set();
  REQUIRE_THROWS_WITH(set.batch(Part::Train, Indices{0, 40}, false, Stream()),
                      Contains("entry 1 of a batch is image 40, the part has 40"));
  REQUIRE_THROWS_AS(set.batch(Part::Test, Indices{10}, false, Stream()), ValueError);
  REQUIRE_THROWS_AS(set.batch(Part::Test, Indices{-1}, false, Stream()), ValueError);
  REQUIRE_THROWS_AS(set.batch(Part::Train, Indices{}, false, Stream()), ValueError);
}

TEST_CASE("other types, orders, augmentations and devices leave the set as it was") {
  const auto set = small_set();
  const auto before = set.batch(Part::Train, some, true, Stream(1));
  REQUIRE(set.scalar_type() == at::kFloat);
  REQUIRE(before.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  const auto other = set.to(at::kDouble)
                         .with_augmentation({.pad = 2, .flip = true})
                         .with_memory_format(at::MemoryFormat::Contiguous);
  REQUIRE(other.augmentation() == Augmentation{.pad = 2, .flip = true});
  REQUIRE_FALSE(
      other.batch(Part::Train, some, true, Stream(1)).images.to(at::kFloat).equal(before.images));
  REQUIRE(set.batch(Part::Train, some, true, Stream(1)).images.equal(before.images));
  REQUIRE(other.images(Part::Train).is_same(set.images(Part::Train)));  // shared, not copied
  REQUIRE_THROWS_WITH(set.to(at::kLong), Contains("scalar type Long, allowed Float"));
  REQUIRE_THROWS_AS(set.with_memory_format(at::MemoryFormat::ChannelsLast3d), ValueError);
  REQUIRE_THROWS_AS(set.with_augmentation({.pad = 6}), ValueError);
}

TEST_CASE("the images of a copy outlive the set they came from") {
  const auto copy = [] { return small_set().to(at::kDouble); }();
  REQUIRE(copy.batch(Part::Train, some, false, Stream())
              .images.equal(
                  small_set().to(at::kDouble).batch(Part::Train, some, false, Stream()).images));
  REQUIRE(copy.labels(Part::Train)[7] == 2);
}

TEST_CASE("a set goes to a device that is there and gives the same batches") {
  const auto set = small_set({.pad = 3, .flip = true, .cutout = 2});
  if (!at::hasCUDA()) {
    REQUIRE_THROWS_AS(set.to(at::Device(at::kCUDA)), DeviceError);
    REQUIRE_THROWS_WITH(set.to(at::Device(at::kCUDA)),
                        Contains("small: cannot move the images to cuda"));
    WARN("a data set on a device is skipped: no CUDA device");
    return;
  }
  const auto moved = set.to(at::Device(at::kCUDA));
  REQUIRE(moved.device().is_cuda());
  const auto here = set.batch(Part::Train, some, true, Stream(3));
  const auto there = moved.batch(Part::Train, some, true, Stream(3));
  REQUIRE(there.images.is_cuda());
  REQUIRE(there.images.cpu().equal(here.images));
  REQUIRE(there.labels.cpu().equal(here.labels));
  REQUIRE(testing::check_data_set(moved).empty());
}

TEST_CASE("a reduced set keeps class proportions and the images' order") {
  const auto set = small_set();
  const auto few = set.take(10, 5);
  REQUIRE(few.labels(Part::Train).size() == 10);
  REQUIRE(few.labels(Part::Test).size() == 5);
  for (std::int64_t label = 0; label < 5; ++label) {
    const auto labels = few.labels(Part::Train);
    REQUIRE(std::count(labels.begin(), labels.end(), label) == 2);
  }
  REQUIRE(few.images(Part::Train).equal(set.images(Part::Train).narrow(0, 0, 10)));
  REQUIRE(few.take(5, 0).labels(Part::Test).empty());
  REQUIRE(few.batch(Part::Train, Indices{9}, false, Stream())
              .images.equal(set.batch(Part::Train, Indices{9}, false, Stream()).images));
  REQUIRE_THROWS_AS(set.take(41, 5), ValueError);
  REQUIRE_THROWS_AS(set.take(10, 11), ValueError);
  REQUIRE_THROWS_AS(set.take(0, 5), ValueError);
}

TEST_CASE("a smaller size is the mean of the pixels under it") {
  const auto set = small_set({.pad = 2});
  const auto half = set.at_size(3, 7);
  REQUIRE(half.shape() == ImageShape{3, 3, 7});
  const auto bytes = set.images(Part::Train).to(at::kDouble);
  const auto mean = 0.5 * (bytes.slice(2, 0, 6, 2) + bytes.slice(2, 1, 6, 2));
  REQUIRE((half.images(Part::Train).to(at::kDouble) - mean).abs().max().item<double>() <= 0.5);
  REQUIRE(half.images(Part::Test).sizes().equals({10, 3, 3, 7}));
  REQUIRE(half.batch(Part::Test, Indices{1}, true, Stream()).images.sizes().equals({1, 3, 3, 7}));
  REQUIRE_THROWS_WITH(set.at_size(7, 7), Contains("size 7 x 7, allowed 1 x 1 to 6 x 7"));
  REQUIRE_THROWS_AS(set.at_size(0, 3), ValueError);
}

TEST_CASE("pad and cutout shrink with the image") {
  const auto set = small_set({.pad = 5, .flip = true, .cutout = 4});  // 6 x 7
  REQUIRE(set.at_size(6, 7).augmentation() == set.augmentation());
  REQUIRE(set.at_size(3, 7).augmentation() == Augmentation{.pad = 2, .flip = true, .cutout = 2});
  REQUIRE(set.at_size(1, 1).augmentation() == Augmentation{.pad = 0, .flip = true, .cutout = 1});
  REQUIRE(testing::check_data_set(set.at_size(2, 2)).empty());
}

TEST_CASE("the digits are ready for use") {
  const auto set = digits();
  REQUIRE(set.name() == "digits");
  REQUIRE(set.classes() == 10);
  REQUIRE(set.shape() == ImageShape{1, 8, 8});
  REQUIRE(set.augmentation() == Augmentation{.pad = 1});
  Indices all(set.labels(Part::Train).size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const auto images = set.to(at::kDouble).batch(Part::Train, all, false, Stream()).images;
  REQUIRE(images.mean().item<double>() == Approx(0).margin(1e-3));
  REQUIRE(images.std(false).item<double>() == Approx(1).margin(1e-3));
}

TEST_CASE("CIFAR folders become data sets") {
  const TemporaryFolder folder;
  folder.write("data_batch_1.bin", cifar_file(cifar10_format(), 20));
  folder.write("test_batch.bin", cifar_file(cifar10_format(), 10));
  folder.write("train.bin", cifar_file(cifar100_format(), 110));
  folder.write("test.bin", cifar_file(cifar100_format(), 10));
  const auto ten = cifar10(folder.path());
  REQUIRE(ten.classes() == 10);
  REQUIRE(ten.shape() == ImageShape{3, 32, 32});
  REQUIRE(ten.labels(Part::Train).size() == 20);
  REQUIRE(ten.augmentation() == Augmentation{.pad = 4, .flip = true});
  REQUIRE(testing::check_data_set(ten).empty());
  const auto hundred = cifar100(folder.path());
  REQUIRE(hundred.classes() == 100);
  REQUIRE(hundred.labels(Part::Train)[109] == 9);
  REQUIRE(testing::check_data_set(hundred.with_augmentation({.pad = 4, .cutout = 16})).empty());
}

TEST_CASE("the constants fit the official CIFAR-10 images", "[data]") {
  const auto folder = testing::data_path("cifar10/exact");
  if (!folder) {
    WARN("skipped: no cifar10/exact in $CLEAVE_DATA");
    return;
  }
  const auto set = cifar10(*folder);
  Indices all(1000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const auto images = set.to(at::kDouble).batch(Part::Test, all, false, Stream()).images;
  REQUIRE(images.mean({0, 2, 3}).abs().max().item<double>() < 0.05);
  REQUIRE((images.transpose(0, 1).flatten(1).std(1) - 1).abs().max().item<double>() < 0.05);
}

TEST_CASE("Fashion-MNIST is ready for use", "[data]") {
  if (!std::filesystem::exists(fashion_mnist_directory)) {
    WARN("skipped: package dataset-fashion-mnist is not installed");
    return;
  }
  const auto set = fashion_mnist();
  REQUIRE(set.labels(Part::Train).size() == 60'000);
  REQUIRE(set.labels(Part::Test).size() == 10'000);
  REQUIRE(testing::check_data_set(set).empty());
}
