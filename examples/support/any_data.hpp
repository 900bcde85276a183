#pragma once

#include <cleave/data/ahead.hpp>
#include <cleave/data/normalisation.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace example {

/// What `load` understands, for the help text of an option `--data`.
inline constexpr const char* data_help =
    "digits (inside the library), cifar10:DIR, cifar100:DIR (official binary files), "
    "fashion-mnist:DIR, imagenet16:DIR (the public pickled batches, 120 classes), "
    "imagefolder:DIR[,SIZE] (DIR/train/CLASS/*.jpg; images of SIZE x SIZE, 224 if not given)";

/// Any data set, chosen when the program runs: a model of `DataSet` that asks the set it holds, so that
/// a search is compiled once and not once for each kind. (The library has no such type and no virtual
/// function: there the kind is known to the compiler.)
class AnyData {
 public:
  struct Set;
  explicit AnyData(Set set);

  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] std::int64_t classes() const;
  [[nodiscard]] cleave::data::ImageShape shape() const;
  [[nodiscard]] std::span<const std::int64_t> labels(cleave::data::Part part) const;
  [[nodiscard]] cleave::data::Batch batch(cleave::data::Part part,
                                          std::span<const std::int64_t> indices, bool augment,
                                          const cleave::Stream& stream) const;
  /// Passed on to a set that makes batches ahead, nothing for others.
  void prepare(cleave::data::Part part, std::span<const std::int64_t> indices, bool augment,
               const cleave::Stream& stream) const;
  /// How its numbers stand for bytes.
  [[nodiscard]] cleave::data::Normalisation normalisation() const;

  [[nodiscard]] AnyData to(at::Device device) const;
  [[nodiscard]] AnyData take(std::size_t train, std::size_t test) const;
  /// Square images of another size; 0 leaves them as they are.
  [[nodiscard]] AnyData at_size(std::int64_t size) const;
  /// The set's own augmentation with a cutout of this side; 0: none.
  [[nodiscard]] AnyData with_cutout(int side) const;
  /// Without the colour jitter of photographs, which RandAugment takes the place of.
  [[nodiscard]] AnyData without_jitter() const;

 private:
  std::shared_ptr<const Set> set_;
};

static_assert(cleave::data::PreparesBatches<AnyData>);

/// The data set that `--data` names, with only `take` train images, a stratified part, when that is not
/// 0. Throws `cleave::ValueError` for any other name, and what the readers throw.
[[nodiscard]] AnyData load(const std::string& text, std::size_t take = 0);

}  // namespace example
