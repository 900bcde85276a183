#pragma once

#include <cleave/data/digits_reader.hpp>
#include <cleave/data/in_memory.hpp>
#include <utility>

namespace cleave::data {

/// Mean and standard deviation of the train part, of pixel / 16.
inline constexpr double digits_mean = 0.3053;
inline constexpr double digits_std = 0.3755;

/// The UCI digits that ship inside the library: 1,797 real 8 x 8 images of 10 classes, 1,438 to
/// train and 359 to test (see `read_digits_parts`). Augmentation: pad 1 and crop, never a flip: a
/// mirrored digit is another sign. Throws `DeviceError` when the device is not there.
///
/// Attribution and licence (CC BY 4.0): data/digits_bytes.hpp and docs/data.md.
[[nodiscard]] inline InMemory digits(at::Device device = at::kCPU) {
  auto [train, test] = read_digits_parts();
  return InMemory({.name = "digits",
                   .classes = 10,
                   .normalisation = {.scale = 16.0, .mean = {digits_mean}, .std = {digits_std}},
                   .augmentation = {.pad = 1}},
                  std::move(train), std::move(test))
      .to(device);
}

}  // namespace cleave::data
