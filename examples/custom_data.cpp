// A data set of your own: images in memory as bytes are all it takes. Below, 600 images of two
// kinds, stripes across and stripes down; then what a search does with any set.

#include <cleave/data/epoch_order.hpp>
#include <cleave/data/holdout.hpp>
#include <cleave/data/in_memory.hpp>
#include <cstdio>

using cleave::Stream;
namespace data = cleave::data;

/// `count` images of 1 x 12 x 12; label 0: stripes across, label 1: stripes down.
data::RawImages stripes(std::size_t count, Stream stream) {
  data::RawImages images{.shape = {1, 12, 12}, .pixels = {}, .labels = {}};
  for (std::size_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int64_t>(stream.below(2));
    const auto phase = stream.below(4);
    for (std::size_t y = 0; y < 12; ++y)
      for (std::size_t x = 0; x < 12; ++x)
        images.pixels.push_back(((label == 0 ? y : x) + phase) % 4 < 2 ? 230 : 25);
    images.labels.push_back(label);
  }
  return images;
}

// [set]
data::InMemory my_set() {
  return data::InMemory({.name = "stripes",
                         .classes = 2,
                         .normalisation = {.mean = {0.5}, .std = {0.4}},
                         .augmentation = {.pad = 2, .flip = true}},
                        stripes(500, Stream(1)), stripes(100, Stream(2)));
}
// [set]

// A type that is no InMemory works as well: see the requirements in data/concept.hpp.
static_assert(data::DataSet<data::InMemory>);

int main() {
  const auto set = my_set();
  const auto parts = data::split_train(set.labels(data::Part::Train), {}, Stream(3));
  std::printf("%.*s: weights %zu, search %zu, validation %zu, test %zu\n",
              static_cast<int>(set.name().size()), set.name().data(), parts.weights.size(),
              parts.search.size(), parts.validation.size(), set.labels(data::Part::Test).size());

  const data::EpochOrder epoch(parts.weights, 32, Stream(4));
  for (std::size_t k = 0; k < epoch.batches(); ++k) {
    const auto batch = set.batch(data::Part::Train, epoch.batch(k), true, Stream(4).fork(k));
    if (k == 0)
      std::printf("%zu batches of [%lld, %lld, %lld, %lld]\n", epoch.batches(),
                  static_cast<long long>(batch.images.size(0)),
                  static_cast<long long>(batch.images.size(1)),
                  static_cast<long long>(batch.images.size(2)),
                  static_cast<long long>(batch.images.size(3)));
  }
}
