#pragma once

#include <cleave/data/cifar.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/data/fashion_mnist.hpp>
#include <string>

namespace example {

/// What `load` understands, for the help text of an option `--data`.
inline constexpr const char* data_help =
    "digits (inside the library), cifar10:DIR, cifar100:DIR (official binary files), "
    "fashion-mnist:DIR";

/// The data set that `--data` names. Throws `cleave::ValueError` for any other name, and what the
/// reader throws.
[[nodiscard]] inline cleave::data::InMemory load(const std::string& text) {
  const auto colon = text.find(':');
  const auto name = text.substr(0, colon);
  const auto place = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (name == "digits" && place.empty()) return cleave::data::digits();
  if (!place.empty()) {
    if (name == "cifar10") return cleave::data::cifar10(place);
    if (name == "cifar100") return cleave::data::cifar100(place);
    if (name == "fashion-mnist") return cleave::data::fashion_mnist(place);
  }
  throw cleave::ValueError(fmt::format(
      "--data {}: allowed are digits, cifar10:DIR, cifar100:DIR and fashion-mnist:DIR", text));
}

/// The same, with only `take` train images, a stratified part, when that is not 0.
[[nodiscard]] inline cleave::data::InMemory load(const std::string& text, std::size_t take) {
  auto data = load(text);
  if (take == 0) return data;
  return data.take(take, data.labels(cleave::data::Part::Test).size());
}

}  // namespace example
