#pragma once

#include <cleave/data/idx_reader.hpp>
#include <cleave/data/in_memory.hpp>
#include <filesystem>
#include <utility>

namespace cleave::data {

/// Where Debian's package `dataset-fashion-mnist` puts the files.
inline constexpr const char* fashion_mnist_directory = "/usr/share/datasets/fashion-mnist";

/// Mean and standard deviation of the train images, of pixel / 255.
inline constexpr double fashion_mnist_mean = 0.2860;
inline constexpr double fashion_mnist_std = 0.3530;

/// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017; MIT licence): 60,000 + 10,000 images of 28 x 28
/// in 10 classes, from its four IDX files, plain or gzip. Augmentation: pad 4 and crop, flip.
/// Errors as `read_idx_parts`.
[[nodiscard]] inline InMemory fashion_mnist(
    const std::filesystem::path& directory = fashion_mnist_directory,
    at::Device device = at::kCPU) {
  constexpr std::int64_t classes = 10;
  auto [train, test] = read_idx_parts(directory, classes);
  return InMemory({.name = "fashion_mnist",
                   .classes = classes,
                   .normalisation = {.scale = 255.0,
                                     .mean = {fashion_mnist_mean},
                                     .std = {fashion_mnist_std}},
                   .augmentation = {.pad = 4, .flip = true}},
                  std::move(train), std::move(test))
      .to(device);
}

}  // namespace cleave::data
