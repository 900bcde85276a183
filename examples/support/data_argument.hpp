#pragma once

#include <cleave/data/cifar.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/data/fashion_mnist.hpp>
#include <cleave/data/imagenet16.hpp>
#include <string>

#include "any_data.hpp"

namespace example {

/// What `load` understands, for the help text of an option `--data`.
inline constexpr const char* data_help =
    "digits (inside the library), cifar10:DIR, cifar100:DIR (official binary files), "
    "fashion-mnist:DIR, imagenet16:DIR (the public pickled batches, 120 classes)";
/// What `load_any` understands.
inline constexpr const char* any_data_help =
    "digits (inside the library), cifar10:DIR, cifar100:DIR (official binary files), "
    "fashion-mnist:DIR, imagenet16:DIR (the public pickled batches, 120 classes), "
    "imagefolder:DIR[,SIZE] (DIR/train/CLASS/*.jpg; images of SIZE x SIZE, 224 if not given)";

inline constexpr const char* in_memory_names =
    "digits, cifar10:DIR, cifar100:DIR, fashion-mnist:DIR, imagenet16:DIR";

/// The data set that `--data` names. Throws `cleave::ValueError` for any other name, which says what
/// is `allowed`, and what the reader throws.
[[nodiscard]] inline cleave::data::InMemory load(const std::string& text,
                                                 const std::string& allowed = in_memory_names) {
  const auto colon = text.find(':');
  const auto name = text.substr(0, colon);
  const auto place = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (name == "digits" && place.empty()) return cleave::data::digits();
  if (!place.empty()) {
    if (name == "cifar10") return cleave::data::cifar10(place);
    if (name == "cifar100") return cleave::data::cifar100(place);
    if (name == "fashion-mnist") return cleave::data::fashion_mnist(place);
    if (name == "imagenet16") return cleave::data::imagenet16(place);
  }
  throw cleave::ValueError(fmt::format("--data {}: allowed are {}", text, allowed));
}

/// The same, with only `take` train images, a stratified part, when that is not 0.
[[nodiscard]] inline cleave::data::InMemory load(const std::string& text, std::size_t take,
                                                 const std::string& allowed = in_memory_names) {
  auto data = load(text, allowed);
  if (take == 0) return data;
  return data.take(take, data.labels(cleave::data::Part::Test).size());
}

/// `load`, and image folders of any size as well.
[[nodiscard]] inline AnyData load_any(const std::string& text, std::size_t take) {
  const std::string prefix = "imagefolder:";
  if (text.rfind(prefix, 0) != 0)
    return load(text, take, std::string(in_memory_names) + ", imagefolder:DIR[,SIZE]");
#ifdef CLEAVE_EXAMPLE_IMAGE_FOLDER
  auto place = text.substr(prefix.size());
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
  const AnyData data = cleave::data::ImageFolder(place, options);
  if (take == 0) return data;
  return data.take(take, data.labels(cleave::data::Part::Test).size());
#else
  throw cleave::ValueError(fmt::format(
      "--data {}: this program was built without libjpeg-turbo and libpng; `scripts/setup` installs "
      "them", text));
#endif
}

}  // namespace example
