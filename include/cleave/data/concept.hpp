#pragma once

#include <ATen/core/Tensor.h>

#include <cleave/core/random.hpp>
#include <cleave/data/image_shape.hpp>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

namespace cleave::data {

/// The two official parts of a data set. Everything the search sees is cut from `Train`.
enum class Part { Train, Test };

/// Normalised images [B, C, H, W] in the data set's scalar type and labels [B] (int64), on the
/// data set's device.
struct Batch {
  at::Tensor images;
  at::Tensor labels;
};

/// The set says what it is: name, number of classes, shape of an image.
template <class D>
concept DescribesImages = requires(const D& data) {
  { data.name() } -> std::convertible_to<std::string_view>;
  { data.classes() } -> std::convertible_to<std::int64_t>;
  { data.shape() } -> std::convertible_to<ImageShape>;
};

/// The labels of a part can be read on the host.
template <class D>
concept HasLabels = requires(const D& data, Part part) {
  { data.labels(part) } -> std::convertible_to<std::span<const std::int64_t>>;
};

/// Any images of a part can be had by number.
template <class D>
concept GivesBatches = requires(const D& data, Part part, std::span<const std::int64_t> indices,
                                bool augment, Stream stream) {
  { data.batch(part, indices, augment, stream) } -> std::same_as<Batch>;
};

/// A source of labelled images that can be asked for any images by number.
///
/// Requirements on a const object:
///   1. `name()`: a short stable name, e.g. "cifar10".
///   2. `classes()`: number of classes; labels lie in [0, classes()).
///   3. `shape()`: the shape every batch has.
///   4. `labels(part)`: all labels of a part, on the host; its size is the part's size.
///   5. `batch(part, indices, augment, stream)`: those images, in that order; `augment` asks for
///      the set's training augmentation, drawn from `stream` only.
/// Laws: a batch depends on its arguments alone, so any number of workers gives the same run;
/// without `augment`, the stream does not matter and neither do the other images of the batch.
/// Checked by `testing::check_data_set` (testing/data_laws.hpp).
/// Accepted: a struct over two in-memory tensors (examples/custom_data.cpp). Rejected: one whose
/// `batch` draws from a global generator's state through a non-const call.
/// Models: data::InMemory (digits, CIFAR, Fashion-MNIST, ImageNet16-120), data::ImageFolder.
template <class D>
concept DataSet = DescribesImages<D> && HasLabels<D> && GivesBatches<D>;

}  // namespace cleave::data
