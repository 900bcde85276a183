#pragma once

#include <cleave/data/cifar_reader.hpp>
#include <cleave/data/in_memory.hpp>
#include <filesystem>
#include <utility>

namespace cleave::data {

/// Per channel mean and standard deviation of the train images, as NAS-Bench-201 rounds them.
[[nodiscard]] inline Normalisation cifar10_normalisation() {
  return {.scale = 255.0,
          .mean = {125.3 / 255, 123.0 / 255, 113.9 / 255},
          .std = {63.0 / 255, 62.1 / 255, 66.7 / 255}};
}
[[nodiscard]] inline Normalisation cifar100_normalisation() {
  return {.scale = 255.0,
          .mean = {129.3 / 255, 124.1 / 255, 112.4 / 255},
          .std = {68.2 / 255, 65.4 / 255, 70.4 / 255}};
}

/// Crop of the image padded by 4, and flip (method.md section 3). For retraining in the DARTS
/// space: `with_augmentation({.pad = 4, .flip = true, .cutout = 16})`.
inline constexpr Augmentation cifar_augmentation{.pad = 4, .flip = true};

/// CIFAR-10 from the official binary files in `directory`; errors as `read_cifar`.
[[nodiscard]] inline InMemory cifar10(const std::filesystem::path& directory,
                                      at::Device device = at::kCPU) {
  auto [train, test] = read_cifar(directory, cifar10_format());
  return InMemory({.name = "cifar10",
                   .classes = 10,
                   .normalisation = cifar10_normalisation(),
                   .augmentation = cifar_augmentation},
                  std::move(train), std::move(test))
      .to(device);
}

/// CIFAR-100, fine labels, from the official binary files in `directory`.
[[nodiscard]] inline InMemory cifar100(const std::filesystem::path& directory,
                                       at::Device device = at::kCPU) {
  auto [train, test] = read_cifar(directory, cifar100_format());
  return InMemory({.name = "cifar100",
                   .classes = 100,
                   .normalisation = cifar100_normalisation(),
                   .augmentation = cifar_augmentation},
                  std::move(train), std::move(test))
      .to(device);
}

}  // namespace cleave::data
