#pragma once

#include <cleave/data/ahead.hpp>
#include <cleave/data/normalisation.hpp>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace cleave::data {

/// Changes the images of a batch on their way into training.
///
/// Requirements on a const object: `A::name`, and `augmentation(images, normalisation, stream)`
/// giving images of the same shape [B, C, H, W], type and device; the given ones are not changed.
/// Laws: depends on its arguments alone; what happens to an image does not depend on what the
/// others look like.
/// Accepted: mirroring. Rejected: one that changes the images in place and returns nothing.
/// Models: RandAugment, RandomErasing.
template <class A>
concept BatchAugmentation = requires(const A& augmentation, const at::Tensor& images,
                                     const Normalisation& normalisation, Stream stream) {
  { A::name } -> std::convertible_to<std::string_view>;
  { augmentation(images, normalisation, stream) } -> std::same_as<at::Tensor>;
};

/// A data set with one more training augmentation, after its own. Nest it for several.
template <DataSet D, class A>
class Augmented {
  static_assert(BatchAugmentation<A>,
                "Augmented: an augmentation needs name and at::Tensor operator()(const at::Tensor& "
                "images, const Normalisation&, Stream) const (docs/policies.md, Augmentations)");

 public:
  /// `normalisation` is the set's own: how its numbers stand for bytes.
  Augmented(D set, A augmentation, Normalisation normalisation)
      : set_(std::move(set)),
        augmentation_(std::move(augmentation)),
        normalisation_(std::move(normalisation)) {}

  [[nodiscard]] auto name() const { return set_.name(); }
  [[nodiscard]] auto classes() const { return set_.classes(); }
  [[nodiscard]] auto shape() const { return set_.shape(); }
  [[nodiscard]] auto labels(Part part) const { return set_.labels(part); }
  [[nodiscard]] const Normalisation& normalisation() const noexcept { return normalisation_; }

  [[nodiscard]] Batch batch(Part part, std::span<const std::int64_t> indices, bool augment,
                            const Stream& stream) const {
    auto result = set_.batch(part, indices, augment, stream);
    if (augment) result.images = augmentation_(result.images, normalisation_, stream.fork(A::name));
    return result;
  }
  void prepare(Part part, std::span<const std::int64_t> indices, bool augment,
               const Stream& stream) const requires PreparesBatches<D> {
    set_.prepare(part, indices, augment, stream);
  }

 private:
  D set_;
  A augmentation_;
  Normalisation normalisation_;
};

}  // namespace cleave::data
