#pragma once

#include <array>
#include <cleave/space/genotype.hpp>
#include <cleave/space/mobile_network.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace cleave::space {

/// The ProxylessNAS space as GM-NAS searches it (Cai, Zhu, Han, ICLR 2019): 21 inverted-residual
/// blocks in six stages, each with kernel 3, 5 or 7 and expansion 3 or 6. A block that keeps the
/// shape (stride 1, equal channels) may also be left out (`zero`: its shortcut alone remains).
/// Ragged: 6 blocks with 6 options, 15 with 7.
struct Proxyless {
  static constexpr std::string_view name = "proxyless";
  static constexpr std::size_t decision_count = 21;
  static constexpr std::array<std::size_t, 6> stage_widths{24, 40, 80, 96, 192, 320};
  static constexpr std::array<std::size_t, 6> stage_blocks{4, 4, 4, 4, 4, 1};
  static constexpr std::array<std::size_t, 6> stage_strides{2, 2, 2, 1, 2, 1};
  static constexpr std::size_t first_conv_width = 32;
  static constexpr std::size_t first_block_width = 16;  ///< kernel 3, expansion 1, fixed
  static constexpr std::size_t feature_mix_width = 1280;

  static constexpr std::array<std::string_view, 7> operations{"k3_e3", "k5_e3", "k7_e3", "k3_e6",
                                                              "k5_e6", "k7_e6", "zero"};
  static constexpr OptionId zero{6};

  /// The stage of a block, and its place in the stage.
  struct Place {
    std::size_t stage;
    std::size_t layer;
  };
  static constexpr Place place(DecisionId decision) {
    std::size_t rest = decision.index();
    std::size_t stage = 0;
    while (rest >= stage_blocks.at(stage)) rest -= stage_blocks.at(stage++);
    return {stage, rest};
  }
  /// True when the block may be left out: every block but the first of a stage, which changes
  /// the width.
  static constexpr bool keeps_shape(DecisionId decision) { return place(decision).layer != 0; }

  static constexpr std::size_t option_count(DecisionId decision) {
    return keeps_shape(decision) ? operations.size() : operations.size() - 1;
  }
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    return operations.at(option.index());
  }
  /// "block 0" to "block 20"; the fixed first block has no number.
  static std::string decision_name(DecisionId decision) {
    return fmt::format("block {}", decision.index());
  }

  /// Kernel size and expansion of an option other than `zero`.
  static constexpr std::size_t kernel(OptionId option) { return 3 + 2 * (option.index() % 3); }
  static constexpr std::size_t expand(OptionId option) { return option.index() < 3 ? 3 : 6; }
};

static_assert(SearchSpace<Proxyless>);

/// How the network of a Proxyless architecture is scaled.
struct ProxylessShape {
  double width = 1.0;  ///< multiplier of every channel count, rounded by `make_divisible`
  std::size_t image = 224;
  std::size_t image_channels = 3;
  std::size_t classes = 1000;
  std::size_t first_stride = 2;  ///< of the first convolution; 1 suits small images
  std::array<std::size_t, 6> strides = Proxyless::stage_strides;  ///< of the stages
  template <class F>
  void fields(F&& field) const {
    field("width", width);
    field("image", image);
    field("image_channels", image_channels);
    field("classes", classes);
    field("first_stride", first_stride);
    field("strides", strides);
  }
};

/// The network an architecture stands for; blocks left out are missing from its list. The
/// feature mix is widened by a multiplier above 1, never narrowed. Throws `ValueError` for a
/// width outside (0, 16].
[[nodiscard]] inline MobileNetwork network(const Architecture<Proxyless>& architecture,
                                           const ProxylessShape& shape = {}) {
  if (!(shape.width > 0.0 && shape.width <= 16.0))
    throw ValueError(fmt::format("proxyless width: {}, allowed above 0 to 16", shape.width));
  const auto scaled = [&shape](std::size_t channels) {
    return make_divisible(static_cast<double>(channels) * shape.width);
  };
  MobileNetwork result{.image = shape.image,
                       .image_channels = shape.image_channels,
                       .classes = shape.classes,
                       .first_conv_out = scaled(Proxyless::first_conv_width),
                       .first_stride = shape.first_stride,
                       .blocks = {},
                       .feature_mix_out = shape.width > 1.0
                                              ? scaled(Proxyless::feature_mix_width)
                                              : Proxyless::feature_mix_width};
  std::size_t width = scaled(Proxyless::first_block_width);
  result.blocks.push_back({.in = result.first_conv_out,
                           .out = width,
                           .mid = result.first_conv_out,
                           .activation = Activation::relu6});
  for (std::size_t d = 0; d < Proxyless::decision_count; ++d) {
    const auto option = architecture[DecisionId(d)];
    if (option == Proxyless::zero) continue;
    const auto [stage, layer] = Proxyless::place(DecisionId(d));
    const std::size_t out = scaled(Proxyless::stage_widths[stage]);
    const std::size_t stride = layer == 0 ? shape.strides[stage] : 1;
    result.blocks.push_back({.in = width,
                             .out = out,
                             .kernel = Proxyless::kernel(option),
                             .stride = stride,
                             .expand = Proxyless::expand(option),
                             .mid = width * Proxyless::expand(option),
                             .activation = Activation::relu6,
                             .shortcut = layer != 0});
    width = out;
  }
  return result;
}

[[nodiscard]] inline NetworkCost cost(const Architecture<Proxyless>& architecture,
                                      const ProxylessShape& shape = {}) {
  return cost(network(architecture, shape));
}

}  // namespace cleave::space
