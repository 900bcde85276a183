#pragma once

#include <cleave/data/ahead.hpp>
#include <cleave/data/in_memory.hpp>
#ifdef CLEAVE_EXAMPLE_IMAGE_FOLDER
#include <cleave/data/image_folder.hpp>
#endif
#include <string_view>
#include <utility>
#include <variant>

namespace example {

/// Either kind of data set, chosen when the program runs: a model of `DataSet` that asks the set it
/// holds, so that a search is compiled once and not once for each kind. (The library has no such
/// type and no virtual function: there the kind is known to the compiler.)
class AnyData {
 public:
  AnyData(cleave::data::InMemory set) : set_(std::move(set)) {}
#ifdef CLEAVE_EXAMPLE_IMAGE_FOLDER
  AnyData(cleave::data::ImageFolder set) : set_(std::move(set)) {}
#endif

  [[nodiscard]] std::string_view name() const {
    return std::visit([](const auto& set) { return set.name(); }, set_);
  }
  [[nodiscard]] std::int64_t classes() const {
    return std::visit([](const auto& set) { return set.classes(); }, set_);
  }
  [[nodiscard]] cleave::data::ImageShape shape() const {
    return std::visit([](const auto& set) { return set.shape(); }, set_);
  }
  [[nodiscard]] std::span<const std::int64_t> labels(cleave::data::Part part) const {
    return std::visit([&](const auto& set) { return set.labels(part); }, set_);
  }
  [[nodiscard]] cleave::data::Batch batch(cleave::data::Part part,
                                          std::span<const std::int64_t> indices, bool augment,
                                          const cleave::Stream& stream) const {
    return std::visit([&](const auto& set) { return set.batch(part, indices, augment, stream); },
                      set_);
  }
  /// Passed on to a set that makes batches ahead, nothing for others.
  void prepare(cleave::data::Part part, std::span<const std::int64_t> indices, bool augment,
               const cleave::Stream& stream) const {
    std::visit(
        [&](const auto& set) {
          if constexpr (requires { set.prepare(part, indices, augment, stream); })
            set.prepare(part, indices, augment, stream);
        },
        set_);
  }
  [[nodiscard]] AnyData to(at::Device device) const {
    return std::visit([&](const auto& set) { return AnyData(set.to(device)); }, set_);
  }
  [[nodiscard]] AnyData take(std::size_t train, std::size_t test) const {
    return std::visit([&](const auto& set) { return AnyData(set.take(train, test)); }, set_);
  }
  /// The set's own augmentation with a cutout of this side; 0: none.
  [[nodiscard]] AnyData with_cutout(int side) const {
    return std::visit(
        [&](const auto& set) {
          auto augmentation = set.augmentation();
          augmentation.cutout = side;
          return AnyData(set.with_augmentation(augmentation));
        },
        set_);
  }
  /// How its numbers stand for bytes.
  [[nodiscard]] cleave::data::Normalisation normalisation() const {
    return std::visit([](const auto& set) { return set.normalisation(); }, set_);
  }
  /// Without the colour jitter of photographs, which RandAugment takes the place of.
  [[nodiscard]] AnyData without_jitter() const {
    return std::visit(
        [](const auto& set) {
          if constexpr (requires { set.augmentation().brightness; }) {
            auto augmentation = set.augmentation();
            augmentation.brightness = augmentation.contrast = augmentation.saturation = 0;
            return AnyData(set.with_augmentation(augmentation));
          } else {
            return AnyData(set);
          }
        },
        set_);
  }
  /// Square images of another size; 0 leaves them as they are.
  [[nodiscard]] AnyData at_size(std::int64_t size) const {
    if (size == 0) return *this;
    return std::visit(
        [&](const auto& set) {
          if constexpr (requires { set.at_size(size); })
            return AnyData(set.at_size(size));
          else
            return AnyData(set.at_size(size, size));
        },
        set_);
  }

 private:
#ifdef CLEAVE_EXAMPLE_IMAGE_FOLDER
  std::variant<cleave::data::InMemory, cleave::data::ImageFolder> set_;
#else
  std::variant<cleave::data::InMemory> set_;
#endif
};

static_assert(cleave::data::PreparesBatches<AnyData>);

}  // namespace example
