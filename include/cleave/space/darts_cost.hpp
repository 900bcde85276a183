#pragma once

#include <cleave/space/darts_genotype.hpp>
#include <cleave/space/network_cost.hpp>

namespace cleave::space {

/// The stand-alone CIFAR network of the DARTS papers; the defaults are their retraining recipe.
struct DartsShape {
  std::size_t channels = 36;  ///< C of the first cells; doubled by both reduction cells
  std::size_t cells = 20;     ///< reduction cells at 1/3 and 2/3
  std::size_t image = 32;     ///< side in pixels, a multiple of 4
  std::size_t classes = 10;
  std::size_t image_channels = 3;

  friend bool operator==(const DartsShape&, const DartsShape&) = default;
};

/// Costs with and without the auxiliary head, which exists in training only.
struct DartsCost {
  NetworkCost network;  ///< without the auxiliary head
  std::uint64_t params_with_auxiliary = 0;
};

namespace detail {

/// One operation on `width` channels; `area` is that of its output. Pooling is followed by no
/// batch norm here: that belongs to the supernet. A strided skip is a factorised reduction, two
/// 1x1 convolutions of half the width.
inline NetworkCost darts_operation_cost(DartsOperation operation, std::uint64_t width,
                                        std::uint64_t area, bool strided) {
  switch (operation) {
    case DartsOperation::max_pool_3x3:
    case DartsOperation::avg_pool_3x3: return {};
    case DartsOperation::skip_connect: {
      if (!strided) return {};
      NetworkCost reduction = convolution_cost(width, width, 1, area);
      return reduction += batch_norm_cost(width);
    }
    case DartsOperation::sep_conv_3x3:
    case DartsOperation::sep_conv_5x5: {  // two separable convolutions, the first one strided
      const bool small = operation == DartsOperation::sep_conv_3x3;
      NetworkCost twice = separable_cost(width, small ? 3 : 5, area);
      return twice += separable_cost(width, small ? 3 : 5, area);
    }
    case DartsOperation::dil_conv_3x3: return separable_cost(width, 3, area);
    case DartsOperation::dil_conv_5x5: return separable_cost(width, 5, area);
  }
  throw ValueError(
      fmt::format("DARTS operation {}, allowed 0 to 6", static_cast<int>(operation)));
}

}  // namespace detail

/// Parameters and multiply-adds (convolutions and the linear layer) of the stand-alone network:
/// stem 3x3 to 3C + BN, `cells` cells, global pooling, linear layer. Throws `ValueError` for an
/// absurd shape and an image the reductions cannot halve twice.
[[nodiscard]] inline DartsCost cost(const DartsGenotype& genotype, const DartsShape& shape = {}) {
  require_dimension("darts channels", shape.channels, 2, 4096);
  require_dimension("darts cells", shape.cells, 1, 128);
  require_dimension("darts image size", shape.image, 4, 4096);
  require_dimension("darts classes", shape.classes, 1, 1U << 24);
  if (shape.image % 4 != 0 || shape.channels % 2 != 0)
    throw ValueError(fmt::format("darts: image size {} and {} channels, must be multiples of 4 "
                                 "and 2",
                                 shape.image, shape.channels));
  require_dimension("darts image channels", shape.image_channels, 1, 4096);
  constexpr std::uint64_t stem_multiplier = 3;
  std::uint64_t area = shape.image * shape.image;
  std::uint64_t width = shape.channels;
  std::uint64_t before_last = stem_multiplier * width;  // channels of the last two outputs
  std::uint64_t last = before_last;
  std::uint64_t auxiliary_width = 0;

  NetworkCost total = convolution_cost(shape.image_channels, last, 3, area);
  total += batch_norm_cost(last);
  for (std::size_t i = 0; i < shape.cells; ++i) {
    const bool reduction = i == shape.cells / 3 || i == 2 * shape.cells / 3;
    if (reduction) width *= 2;
    // Both inputs are brought to `width` at the size of the last output, the older one by a
    // factorised reduction of the same cost where it is still twice as large.
    for (const auto input : {before_last, last}) {
      total += convolution_cost(input, width, 1, area);
      total += batch_norm_cost(width);
    }
    if (reduction) area /= 4;
    for (const auto& edge : reduction ? genotype.reduce : genotype.normal)
      total += detail::darts_operation_cost(edge.operation, width, area,
                                            reduction && edge.predecessor < darts_input_nodes);
    before_last = last;
    last = width * (reduction ? genotype.reduce_concat : genotype.normal_concat).size();
    if (i == 2 * shape.cells / 3) auxiliary_width = last;
  }
  total += linear_cost(last, shape.classes);

  constexpr std::uint64_t auxiliary_hidden = 128;
  constexpr std::uint64_t auxiliary_features = 768;
  NetworkCost auxiliary = convolution_cost(auxiliary_width, auxiliary_hidden, 1, 1);
  auxiliary += batch_norm_cost(auxiliary_hidden);
  auxiliary += convolution_cost(auxiliary_hidden, auxiliary_features, 2, 1);
  auxiliary += batch_norm_cost(auxiliary_features);
  auxiliary += linear_cost(auxiliary_features, shape.classes);
  return {total, total.params + auxiliary.params};
}

}  // namespace cleave::space
