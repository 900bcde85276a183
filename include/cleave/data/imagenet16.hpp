#pragma once

#include <cleave/data/imagenet16_reader.hpp>
#include <cleave/data/in_memory.hpp>
#include <filesystem>
#include <utility>

namespace cleave::data {

/// Per channel mean and standard deviation, as NAS-Bench-201 rounds them.
[[nodiscard]] inline Normalisation imagenet16_normalisation() {
  return {.scale = 255.0,
          .mean = {122.68 / 255, 116.66 / 255, 104.01 / 255},
          .std = {63.22 / 255, 61.26 / 255, 65.09 / 255}};
}

/// ImageNet16-120 (Chrabaszcz, Loshchilov and Hutter 2017, arXiv 1707.08819; cut to 120 classes by
/// NAS-Bench-201): 151,700 train images of 3 x 16 x 16 and the 6,000 of the public validation part
/// as test part, from the public pickled files; nothing in them is executed. Augmentation: pad 2
/// and crop, flip (method.md section 3). Errors as `read_imagenet16`. (NAS-Bench-201 cuts the 6,000
/// into halves and calls them validation and test; here validation comes out of the train part.)
[[nodiscard]] inline InMemory imagenet16(const std::filesystem::path& directory,
                                         at::Device device = at::kCPU,
                                         const ImageNet16Options& options = {}) {
  auto [train, test] = read_imagenet16(directory, options);
  return InMemory({.name = options.classes == 120 ? "imagenet16-120" : "imagenet16",
                   .classes = options.classes,
                   .normalisation = imagenet16_normalisation(),
                   .augmentation = {.pad = 2, .flip = true}},
                  std::move(train), std::move(test))
      .to(device);
}

}  // namespace cleave::data
