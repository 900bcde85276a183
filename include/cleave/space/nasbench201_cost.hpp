#pragma once

#include <cleave/space/nasbench201.hpp>
#include <cleave/space/network_cost.hpp>

namespace cleave::space {

/// The network around a NAS-Bench-201 cell; the defaults are the benchmark's for CIFAR-10.
/// CIFAR-100: classes 100. ImageNet16-120: classes 120, image 16.
struct NasBench201Shape {
  std::size_t channels = 16;  ///< of the first stage; doubled by each of the two reductions
  std::size_t cells = 5;      ///< per stage, three stages
  std::size_t image = 32;     ///< side in pixels, a multiple of 4
  std::size_t classes = 10;

  friend bool operator==(const NasBench201Shape&, const NasBench201Shape&) = default;
};

/// Parameters and multiply-adds of the stand-alone network: stem 3x3 + BN, three stages of cells
/// with a residual reduction block between them, BN, global pooling, linear layer.
/// Equal to the benchmark's params and FLOPs for all 15,625 architectures and three data sets
/// (section 4 of its paper); its FLOPs are multiply-adds in which the linear layer's bias counts
/// as one more input, and this counts it the same way. Throws `ValueError` for an empty or absurd
/// shape, and for an image that the reductions cannot halve twice.
[[nodiscard]] inline NetworkCost cost(const Architecture<NasBench201>& architecture,
                                      const NasBench201Shape& shape = {}) {
  require_dimension("nasbench201 channels", shape.channels, 1, 4096);
  require_dimension("nasbench201 cells per stage", shape.cells, 0, 128);
  require_dimension("nasbench201 image size", shape.image, 4, 4096);
  require_dimension("nasbench201 classes", shape.classes, 1, 1U << 24);
  if (shape.image % 4 != 0)
    throw ValueError(fmt::format("nasbench201 image size: {}, must be a multiple of 4",
                                 shape.image));
  constexpr std::size_t stages = 3;
  constexpr std::uint64_t image_channels = 3;
  std::uint64_t width = shape.channels;
  std::uint64_t area = shape.image * shape.image;
  NetworkCost total = convolution_cost(image_channels, width, 3, area);
  total += batch_norm_cost(width);
  for (std::size_t stage = 0; stage < stages; ++stage) {
    if (stage != 0) {  // residual block of stride 2; the shortcut is a 1x1 after average pooling
      area /= 4;
      total += convolution_cost(width, 2 * width, 3, area);
      total += convolution_cost(2 * width, 2 * width, 3, area);
      total += convolution_cost(width, 2 * width, 1, area);
      total += batch_norm_cost(2 * width);
      total += batch_norm_cost(2 * width);
      width *= 2;
    }
    for (const auto option : architecture.options()) {
      if (option != NasBench201::nor_conv_1x1 && option != NasBench201::nor_conv_3x3) continue;
      NetworkCost edge =
          convolution_cost(width, width, option == NasBench201::nor_conv_1x1 ? 1 : 3, area);
      edge += batch_norm_cost(width);
      total += {shape.cells * edge.params, shape.cells * edge.macs};
    }
  }
  total += batch_norm_cost(width);
  total += linear_cost(width, shape.classes);
  total.macs += shape.classes;
  return total;
}

}  // namespace cleave::space
