#pragma once

#include <algorithm>
#include <cleave/data/concept.hpp>
#include <cleave/data/gather.hpp>
#include <cleave/data/raw_images.hpp>
#include <cleave/data/stratified.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::data {

/// What an `InMemory` set is besides its images.
struct Description {
  std::string name{};
  std::int64_t classes = 0;
  Normalisation normalisation{};
  Augmentation augmentation{};
};

/// A data set that lives in memory as bytes, on any device; batches are gathered, cropped,
/// flipped, normalised and cut out there. Copies share the images, so a copy costs nothing and
/// every `to` and `with_...` returns a new set and leaves this one as it was.
///
/// On the host a batch is one pass over its bytes (a 64-image augmented CIFAR batch takes about
/// 0.2 ms on one core, docs/performance.md); elsewhere it is some twenty tensor operations. Both
/// give the same bits.
class InMemory {
 public:
  /// Throws `ValueError` for a part that fails `check_images` (raw_images.hpp), parts of different
  /// shapes, an empty train part, fewer than 1 class, a bad normalisation (see
  /// `normalised_bytes`) or a negative augmentation. An empty test part is allowed.
  InMemory(Description description, RawImages train, RawImages test)
      : description_(std::move(description)), shape_(train.shape) {
    const auto& name = description_.name;
    if (description_.classes < 1)
      throw ValueError(
          fmt::format("{}: {} classes, at least 1 is needed", name, description_.classes));
    check_images(train, description_.classes, name + " train part");
    if (train.count() == 0) throw ValueError(fmt::format("{}: the train part is empty", name));
    if (test.count() == 0 && test.pixels.empty()) test.shape = shape_;
    check_images(test, description_.classes, name + " test part");
    if (test.shape != shape_)
      throw ValueError(fmt::format("{}: train images are {} x {} x {}, test images {} x {} x {}",
                                   name, shape_.channels, shape_.height, shape_.width,
                                   test.shape.channels, test.shape.height, test.shape.width));
    check_augmentation(description_.augmentation);
    parts_[0] = make_part(std::move(train));
    parts_[1] = make_part(std::move(test));
    make_table();
  }

  [[nodiscard]] std::string_view name() const noexcept { return description_.name; }
  [[nodiscard]] std::int64_t classes() const noexcept { return description_.classes; }
  [[nodiscard]] ImageShape shape() const noexcept { return shape_; }
  [[nodiscard]] const Normalisation& normalisation() const noexcept {
    return description_.normalisation;
  }
  [[nodiscard]] const Augmentation& augmentation() const noexcept {
    return description_.augmentation;
  }
  [[nodiscard]] at::Device device() const { return parts_[0].images.device(); }
  [[nodiscard]] at::ScalarType scalar_type() const noexcept { return type_; }

  /// All labels of a part, in host memory; valid while this set or a copy lives.
  [[nodiscard]] std::span<const std::int64_t> labels(Part part) const {
    return *of(part).host_labels;
  }

  /// The bytes of a part, [N, C, H, W], on the set's device.
  [[nodiscard]] const at::Tensor& images(Part part) const { return of(part).images; }

  /// Images by number, see `DataSet`. Throws `ValueError` for an empty list and for a number that
  /// the part does not have.
  [[nodiscard]] Batch batch(Part part, std::span<const std::int64_t> indices, bool augment,
                            Stream stream) const {
    const PartData& data = of(part);
    const auto available = static_cast<std::int64_t>(data.host_labels->size());
    if (indices.empty()) throw ValueError(fmt::format("{}: a batch of no images", name()));
    for (std::size_t i = 0; i < indices.size(); ++i)
      if (indices[i] < 0 || indices[i] >= available)
        throw ValueError(fmt::format("{}: entry {} of a batch is image {}, the part has {}", name(),
                                     i, indices[i], available));
    std::vector<ImageDraw> draws;
    if (augment) draws = draw_images(description_.augmentation, shape_, indices.size(), stream);
    const Selection chosen{indices, draws};
    const auto count = static_cast<std::int64_t>(indices.size());
    if (!device().is_cpu()) {
      const auto numbers =
          at::from_blob(const_cast<std::int64_t*>(indices.data()), {count}, at::kLong);
      return {
          gather_on_device(data.images, shape_, chosen, description_.augmentation, table_, format_),
          data.labels.index_select(0, numbers.to(device()))};
    }
    Batch result{
        at::empty({count, shape_.channels, shape_.height, shape_.width}, table_.options(), format_),
        at::empty({count}, at::kLong)};
    for (std::size_t i = 0; i < indices.size(); ++i)
      result.labels.mutable_data_ptr<std::int64_t>()[i] =
          (*data.host_labels)[static_cast<std::size_t>(indices[i])];
    switch (type_) {
      case at::kFloat:
        gather<float>(data, chosen, result.images);
        break;
      case at::kDouble:
        gather<double>(data, chosen, result.images);
        break;
      case at::kHalf:
        gather<at::Half>(data, chosen, result.images);
        break;
      default:
        gather<at::BFloat16>(data, chosen, result.images);
        break;
    }
    return result;
  }

  /// The set on another device. Throws `DeviceError` when it is not there.
  [[nodiscard]] InMemory to(at::Device device) const {
    InMemory moved = *this;
    try {
      for (auto& part : moved.parts_) {
        part.images = part.images.to(device);
        part.labels = part.labels.to(device);
      }
      moved.table_ = table_.to(device);
    } catch (const c10::Error& error) {
      throw DeviceError(fmt::format("{}: cannot move the images to {}: {}", name(), device.str(),
                                    error.what_without_backtrace()));
    }
    return moved;
  }

  /// Batches in another floating type: float (the default), double, half, bfloat16.
  /// Throws `ValueError` for any other.
  [[nodiscard]] InMemory to(at::ScalarType type) const {
    if (type != at::kFloat && type != at::kDouble && type != at::kHalf && type != at::kBFloat16)
      throw ValueError(fmt::format("{}: scalar type {}, allowed Float, Double, Half, BFloat16",
                                   name(), at::toString(type)));
    InMemory result = *this;
    result.type_ = type;
    result.make_table();
    return result;
  }

  /// Batches in another memory order: channels-last (the default, faster convolutions) or
  /// contiguous. Throws `ValueError` for any other.
  [[nodiscard]] InMemory with_memory_format(at::MemoryFormat format) const {
    if (format != at::MemoryFormat::ChannelsLast && format != at::MemoryFormat::Contiguous)
      throw ValueError(fmt::format("{}: memory format, allowed ChannelsLast, Contiguous", name()));
    InMemory result = *this;
    result.format_ = format;
    return result;
  }

  /// Throws `ValueError` for a negative pad or cutout or a pad of a whole image.
  [[nodiscard]] InMemory with_augmentation(const Augmentation& augmentation) const {
    check_augmentation(augmentation);
    InMemory result = *this;
    result.description_.augmentation = augmentation;
    return result;
  }

  /// A smaller set for quick runs: of every class the first images, in the old order, with the
  /// class proportions of each part. Counts beyond a part's size throw `ValueError`.
  [[nodiscard]] InMemory take(std::size_t train_count, std::size_t test_count) const {
    if (train_count == 0)
      throw ValueError(fmt::format("{}: 0 train images, at least 1 is needed", name()));
    InMemory result = *this;
    const std::array counts{train_count, test_count};
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      const auto& labels = *parts_[p].host_labels;
      auto chosen = first_of_each_class(labels, counts[p]);
      const auto numbers =
          at::from_blob(chosen.data(), {static_cast<std::int64_t>(chosen.size())}, at::kLong)
              .to(device());
      std::vector<std::int64_t> kept;
      for (const auto i : chosen) kept.push_back(labels[static_cast<std::size_t>(i)]);
      result.parts_[p] = {parts_[p].images.index_select(0, numbers),
                          parts_[p].labels.index_select(0, numbers),
                          std::make_shared<const std::vector<std::int64_t>>(std::move(kept))};
    }
    return result;
  }

  /// The set at a smaller size: each new pixel is the mean of the old ones under it, rounded to a
  /// byte (exact area scaling when the sizes divide; otherwise neighbouring means overlap).
  /// Pad and cutout shrink along, rounded: a pad of 4 for 32 x 32 is one of 2 for 16 x 16. (Kept,
  /// it would move the picture by a quarter instead of an eighth.) Normalisation stays. Throws
  /// `ValueError` for a size of 0 or above the present one.
  [[nodiscard]] InMemory at_size(std::int64_t height, std::int64_t width) const {
    if (height < 1 || width < 1 || height > shape_.height || width > shape_.width)
      throw ValueError(fmt::format("{}: size {} x {}, allowed 1 x 1 to {} x {}", name(), height,
                                   width, shape_.height, shape_.width));
    constexpr std::int64_t chunk = 4096;  // bounds the float copies to some 50 MB
    InMemory result = *this;
    result.shape_ = {shape_.channels, height, width};
    const auto smaller = std::min(static_cast<double>(height) / static_cast<double>(shape_.height),
                                  static_cast<double>(width) / static_cast<double>(shape_.width));
    const auto scaled = [&](int length) { return static_cast<int>(std::lround(length * smaller)); };
    auto& augmentation = result.description_.augmentation;
    augmentation.pad =
        std::min(scaled(augmentation.pad), static_cast<int>(std::min(height, width)) - 1);
    augmentation.cutout = scaled(augmentation.cutout);
    for (auto& part : result.parts_) {
      std::vector<at::Tensor> pieces;
      for (const auto& some : part.images.split(chunk))
        pieces.push_back(some.numel() == 0
                             ? some.new_empty({0, shape_.channels, height, width})
                             : at::adaptive_avg_pool2d(some.to(at::kFloat), {height, width})
                                   .round()
                                   .to(at::kByte));
      part.images = at::cat(pieces).contiguous();
    }
    return result;
  }

 private:
  struct PartData {
    at::Tensor images;  ///< [N, C, H, W] bytes, contiguous
    at::Tensor labels;  ///< [N] int64
    std::shared_ptr<const std::vector<std::int64_t>> host_labels;
  };

  /// Takes the bytes over without copying them.
  [[nodiscard]] static PartData make_part(RawImages raw) {
    const auto count = static_cast<std::int64_t>(raw.count());
    const auto [channels, height, width] = raw.shape;
    auto pixels = std::make_shared<std::vector<std::uint8_t>>(std::move(raw.pixels));
    auto labels = std::make_shared<const std::vector<std::int64_t>>(std::move(raw.labels));
    // Tensor storage is never written: const_cast only satisfies from_blob's signature.
    return {count == 0 ? at::empty({0, channels, height, width}, at::kByte)
                       : at::from_blob(
                             pixels->data(), {count, channels, height, width}, [pixels](void*) {},
                             at::kByte),
            count == 0 ? at::empty({0}, at::kLong)
                       : at::from_blob(
                             const_cast<std::int64_t*>(labels->data()), {count}, [labels](void*) {},
                             at::kLong),
            labels};
  }

  void check_augmentation(const Augmentation& augmentation) const {
    const auto& [pad, flip, cutout] = augmentation;
    if (pad < 0 || pad >= shape_.height || pad >= shape_.width)
      throw ValueError(fmt::format("{}: pad {}, allowed 0 to {}", name(), pad,
                                   std::min(shape_.height, shape_.width) - 1));
    if (cutout < 0)
      throw ValueError(fmt::format("{}: cutout {}, at least 0 is needed", name(), cutout));
  }

  /// [C * 256] in the batches' type, on the images' device.
  void make_table() {
    auto values = normalised_bytes(description_.normalisation, shape_.channels);
    table_ = at::from_blob(values.data(), {shape_.channels * 256}, at::kDouble)
                 .to(device(), type_, /*non_blocking=*/false, /*copy=*/true);
  }

  template <class Scalar>
  void gather(const PartData& data, const Selection& chosen, at::Tensor& out) const {
    gather_on_host<Scalar>(
        data.images.const_data_ptr<std::uint8_t>(), shape_, chosen, description_.augmentation,
        {table_.const_data_ptr<Scalar>(), static_cast<std::size_t>(table_.numel())},
        format_ == at::MemoryFormat::ChannelsLast, out.mutable_data_ptr<Scalar>());
  }

  [[nodiscard]] const PartData& of(Part part) const noexcept {
    return parts_[part == Part::Train ? 0 : 1];
  }

  Description description_;
  ImageShape shape_;
  std::array<PartData, 2> parts_;
  at::Tensor table_;
  at::ScalarType type_ = at::kFloat;
  at::MemoryFormat format_ = at::MemoryFormat::ChannelsLast;
};

static_assert(DataSet<InMemory>);

}  // namespace cleave::data
