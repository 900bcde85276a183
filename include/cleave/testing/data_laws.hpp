#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cleave/data/ahead.hpp>
#include <cleave/data/check.hpp>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace cleave::testing {

/// How hard `check_data_set` tries.
struct DataSetLaws {
  std::size_t images = 12;  ///< images of each part that are asked for
  bool augments = true;     ///< the set has an augmentation that moves some image
  std::uint64_t seed = 0;
};

namespace detail {

template <class D>
void check_part(const D& set, data::Part part, const std::string& name, const DataSetLaws& laws,
                std::vector<std::string>& broken) {
  const auto say = [&](const std::string& law) { broken.push_back(name + ": " + law); };
  const std::span<const std::int64_t> labels = set.labels(part);
  const data::ImageShape shape = set.shape();
  const std::int64_t classes = set.classes();
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] < 0 || labels[i] >= classes)
      return say(fmt::format("label {} of image {} is outside 0 to {}", labels[i], i, classes - 1));
  if (labels.empty()) return;

  Stream stream(laws.seed);
  std::vector<std::int64_t> indices;
  for (std::size_t k = 0; k < laws.images; ++k)
    indices.push_back(static_cast<std::int64_t>(stream.below(labels.size())));
  indices.push_back(indices.front());  // the same image twice in one batch is legal
  const auto batch = [&](bool augment, const Stream& from) {
    return data::Batch(set.batch(part, indices, augment, from));
  };
  const auto plain = batch(false, stream);
  const auto count = static_cast<std::int64_t>(indices.size());
  if (!plain.images.sizes().equals({count, shape.channels, shape.height, shape.width}))
    return say("a batch has another shape than [B, channels, height, width]");
  if (!plain.images.is_floating_point()) return say("images are not of a floating type");
  if (plain.labels.scalar_type() != at::kLong || !plain.labels.sizes().equals({count}))
    return say("labels of a batch are not [B] int64");
  if (plain.labels.device() != plain.images.device())
    return say("images and labels of a batch are on different devices");
  const auto host_labels = plain.labels.cpu();
  for (std::size_t k = 0; k < indices.size(); ++k)
    if (host_labels.template const_data_ptr<std::int64_t>()[k] !=
        labels[static_cast<std::size_t>(indices[k])])
      say(fmt::format("entry {} of a batch has another label than image {}", k, indices[k]));

  const auto same = [](const data::Batch& a, const data::Batch& b) {
    return a.images.equal(b.images) && a.labels.equal(b.labels);
  };
  if (!plain.images.isfinite().all().template item<bool>()) say("an image is not finite");
  if (!same(plain, batch(false, stream.fork("another"))))
    say("without augmentation a batch depends on the stream");
  for (std::size_t k = 0; k < indices.size(); ++k)
    if (!set.batch(part, std::span(indices).subspan(k, 1), false, stream)
             .images.select(0, 0)
             .equal(plain.images.select(0, static_cast<std::int64_t>(k)))) {
      say(fmt::format("image {} depends on the other images of its batch", indices[k]));
      break;
    }
  const auto drawn = batch(true, stream);
  if (!same(drawn, batch(true, stream))) say("the same arguments give different augmented batches");
  if constexpr (data::PreparesBatches<D>) {
    set.prepare(part, indices, true, stream);
    set.prepare(part, indices, false, stream);
    if (!same(drawn, batch(true, stream)) || !same(plain, batch(false, stream)))
      say("a batch that was prepared is another one");
  }
  if (!drawn.labels.equal(plain.labels)) say("augmentation changes labels");
  if (!drawn.images.sizes().equals(plain.images.sizes())) say("augmentation changes the shape");
  if (laws.augments && drawn.images.equal(batch(true, stream.fork("another")).images))
    say("the augmentation does not depend on the stream");
}

}  // namespace detail

/// The broken laws of a data set as sentences; empty when all hold.
///
///     REQUIRE(cleave::testing::check_data_set(my_data).empty());
template <class D>
[[nodiscard]] std::vector<std::string> check_data_set(const D& set, const DataSetLaws& laws = {}) {
  static_assert(data::is_data_set<D>());
  std::vector<std::string> broken;
  if (set.classes() < 1) broken.push_back("fewer than 1 class");
  if (std::span<const std::int64_t>(set.labels(data::Part::Train)).empty())
    broken.push_back("the train part is empty");
  detail::check_part(set, data::Part::Train, "train part", laws, broken);
  detail::check_part(set, data::Part::Test, "test part", laws, broken);
  return broken;
}

}  // namespace cleave::testing
