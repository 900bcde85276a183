#include "any_data.hpp"

#include <cleave/data/cifar.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/data/fashion_mnist.hpp>
#include <cleave/data/imagenet16.hpp>
#ifdef CLEAVE_EXAMPLE_IMAGE_FOLDER
#include <cleave/data/image_folder.hpp>
#endif
#include <utility>
#include <variant>

namespace example {

using cleave::data::InMemory;
using cleave::data::Part;

#ifdef CLEAVE_EXAMPLE_IMAGE_FOLDER
struct AnyData::Set : std::variant<InMemory, cleave::data::ImageFolder> {
#else
struct AnyData::Set : std::variant<InMemory> {
#endif
  using variant::variant;

  template <class Ask>
  auto ask(Ask question) const {
    return std::visit(std::move(question), static_cast<const variant&>(*this));
  }
};

AnyData::AnyData(Set set) : set_(std::make_shared<const Set>(std::move(set))) {}

std::string_view AnyData::name() const {
  return set_->ask([](const auto& set) -> std::string_view { return set.name(); });
}
std::int64_t AnyData::classes() const {
  return set_->ask([](const auto& set) { return set.classes(); });
}
cleave::data::ImageShape AnyData::shape() const {
  return set_->ask([](const auto& set) { return set.shape(); });
}
std::span<const std::int64_t> AnyData::labels(Part part) const {
  return set_->ask(
      [&](const auto& set) -> std::span<const std::int64_t> { return set.labels(part); });
}
cleave::data::Batch AnyData::batch(Part part, std::span<const std::int64_t> indices, bool augment,
                                   const cleave::Stream& stream) const {
  return set_->ask([&](const auto& set) { return set.batch(part, indices, augment, stream); });
}
void AnyData::prepare(Part part, std::span<const std::int64_t> indices, bool augment,
                      const cleave::Stream& stream) const {
  set_->ask([&](const auto& set) {
    if constexpr (requires { set.prepare(part, indices, augment, stream); })
      set.prepare(part, indices, augment, stream);
  });
}
cleave::data::Normalisation AnyData::normalisation() const {
  return set_->ask([](const auto& set) { return set.normalisation(); });
}

AnyData AnyData::to(at::Device device) const {
  return set_->ask([&](const auto& set) { return AnyData(set.to(device)); });
}
AnyData AnyData::take(std::size_t train, std::size_t test) const {
  return set_->ask([&](const auto& set) { return AnyData(set.take(train, test)); });
}
AnyData AnyData::at_size(std::int64_t size) const {
  if (size == 0) return *this;
  return set_->ask([&](const auto& set) {
    if constexpr (requires { set.at_size(size); })
      return AnyData(set.at_size(size));
    else
      return AnyData(set.at_size(size, size));
  });
}
AnyData AnyData::with_cutout(int side) const {
  return set_->ask([&](const auto& set) {
    auto augmentation = set.augmentation();
    augmentation.cutout = side;
    return AnyData(set.with_augmentation(augmentation));
  });
}
AnyData AnyData::without_jitter() const {
  return set_->ask([](const auto& set) {
    auto augmentation = set.augmentation();
    if constexpr (requires { augmentation.brightness; })
      augmentation.brightness = augmentation.contrast = augmentation.saturation = 0;
    return AnyData(set.with_augmentation(augmentation));
  });
}

namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw cleave::ValueError(fmt::format(
      "--data {}: allowed are digits, cifar10:DIR, cifar100:DIR, fashion-mnist:DIR, imagenet16:DIR, "
      "imagefolder:DIR[,SIZE]", text));
}

/// `place`: DIR[,SIZE]; `text` is the whole argument.
AnyData image_folder(const std::string& text, [[maybe_unused]] std::string place) {
#ifdef CLEAVE_EXAMPLE_IMAGE_FOLDER
  cleave::data::ImageFolderOptions options;
  if (const auto comma = place.rfind(','); comma != std::string::npos) {
    const auto size = place.substr(comma + 1);
    if (size.empty() || size.size() > 4 ||
        size.find_first_not_of("0123456789") != std::string::npos)
      throw cleave::ValueError(
          fmt::format("--data {}: size `{}`, allowed 1 to 4096", text, size));
    options.size = std::stoll(size);
    place.resize(comma);
  }
  return AnyData(cleave::data::ImageFolder(place, options));
#else
  throw cleave::ValueError(fmt::format(
      "--data {}: this program was built without libjpeg-turbo and libpng; `scripts/setup` installs "
      "them", text));
#endif
}

AnyData load_all(const std::string& text) {
  if (text == "digits") return AnyData(cleave::data::digits());
  const auto colon = text.find(':');
  if (colon == std::string::npos || colon + 1 == text.size()) refuse(text);
  const auto name = text.substr(0, colon);
  const auto place = text.substr(colon + 1);
  if (name == "cifar10") return AnyData(cleave::data::cifar10(place));
  if (name == "cifar100") return AnyData(cleave::data::cifar100(place));
  if (name == "fashion-mnist") return AnyData(cleave::data::fashion_mnist(place));
  if (name == "imagenet16") return AnyData(cleave::data::imagenet16(place));
  if (name == "imagefolder") return image_folder(text, place);
  refuse(text);
}

}  // namespace

AnyData load(const std::string& text, std::size_t take) {
  const auto data = load_all(text);
  return take == 0 ? data : data.take(take, data.labels(Part::Test).size());
}

}  // namespace example
