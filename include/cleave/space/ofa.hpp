#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cleave/space/genotype.hpp>
#include <cleave/space/mobile_network.hpp>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::space {

/// The Once-for-All space over MobileNetV3 (Cai et al., ICLR 2020): five stages of up to four
/// layers. Decisions 0-19 are the kernels, 20-39 the expansions, 40-44 the depths; the numbers in
/// their names are places in the lists that once-for-all users exchange. Decision 45 is the size of
/// the images. Layers beyond a stage's depth still have a kernel and an expansion: they are
/// written, and mean nothing. 4 * 3^45 architectures.
struct Ofa {
  static constexpr std::string_view name = "ofa";
  static constexpr std::size_t stage_count = 5;
  static constexpr std::size_t layers_per_stage = 4;
  static constexpr std::size_t layer_count = stage_count * layers_per_stage;
  static constexpr std::size_t decision_count = 2 * layer_count + stage_count + 1;

  static constexpr std::array<std::size_t, 3> kernels{3, 5, 7};
  static constexpr std::array<std::size_t, 3> expansions{3, 4, 6};
  static constexpr std::array<std::size_t, 3> depths{2, 3, 4};
  /// Heights and widths of images where the whole one has `full_image`; other images are scaled
  /// alike.
  static constexpr std::array<std::size_t, 4> images{128, 160, 192, 224};
  static constexpr std::size_t full_image = 224;

  enum class Kind : std::uint8_t { kernel, expand, depth, image };

  static constexpr Kind kind(DecisionId decision) {
    return decision.index() < layer_count          ? Kind::kernel
           : decision.index() < 2 * layer_count    ? Kind::expand
           : decision.index() < decision_count - 1 ? Kind::depth
                                                   : Kind::image;
  }
  static constexpr DecisionId kernel(std::size_t layer) { return DecisionId(layer); }
  static constexpr DecisionId expand(std::size_t layer) { return DecisionId(layer_count + layer); }
  static constexpr DecisionId depth(std::size_t stage) {
    return DecisionId(2 * layer_count + stage);
  }
  static constexpr DecisionId image() { return DecisionId(decision_count - 1); }
  /// All decisions of a kind, for criteria that are to look at some only.
  static std::vector<DecisionId> decisions(Kind of) {
    std::vector<DecisionId> result;
    for (std::size_t d = 0; d < decision_count; ++d)
      if (kind(DecisionId(d)) == of) result.emplace_back(d);
    return result;
  }
  /// The layer (kernel, expand) or stage (depth) a decision is about, from 0.
  static constexpr std::size_t place(DecisionId decision) {
    return kind(decision) == Kind::depth   ? decision.index() - 2 * layer_count
           : kind(decision) == Kind::image ? 0
                                           : decision.index() % layer_count;
  }
  /// The values a decision chooses from, rising: kernel sizes, expansions, depths or image sizes.
  static constexpr std::span<const std::size_t> values(DecisionId decision) {
    switch (kind(decision)) {
      case Kind::kernel:
        return kernels;
      case Kind::expand:
        return expansions;
      case Kind::depth:
        return depths;
      case Kind::image:
        break;
    }
    return images;
  }

  static constexpr std::size_t option_count(DecisionId decision) { return values(decision).size(); }
  /// "k3", "e6", "d4", "r224".
  static constexpr std::string_view option_name(DecisionId decision, OptionId option) {
    constexpr std::array<std::array<std::string_view, 4>, 4> names{
        {{"k3", "k5", "k7"},
         {"e3", "e4", "e6"},
         {"d2", "d3", "d4"},
         {"r128", "r160", "r192", "r224"}}};
    return names.at(static_cast<std::size_t>(kind(decision))).at(option.index());
  }
  /// "kernel 0" to "kernel 19", "expand 0" to "expand 19", "depth 0" to "depth 4", "image".
  static std::string decision_name(DecisionId decision) {
    constexpr std::array<std::string_view, 3> names{"kernel", "expand", "depth"};
    if (kind(decision) == Kind::image) return "image";
    return fmt::format("{} {}", names.at(static_cast<std::size_t>(kind(decision))),
                       place(decision));
  }
  /// Which share of an image's height and width a network looks at, (0, 1].
  static constexpr double image_share(const Architecture<Ofa>& architecture) {
    return static_cast<double>(images.at(architecture[image()].index())) /
           static_cast<double>(full_image);
  }

  /// Kernels and expansions of layers beyond every allowed depth of their stage mean nothing.
  static constexpr bool uses(const Restriction<Ofa>& restriction, DecisionId decision) {
    if (kind(decision) == Kind::depth || kind(decision) == Kind::image) return true;
    const auto layer = place(decision);
    const auto allowed = restriction[depth(layer / layers_per_stage)];
    return layer % layers_per_stage < depths[allowed.nth(allowed.size() - 1).index()];
  }

  /// `{"ks": [7, ...], "e": [6, ...], "d": [4, ...], "r": [224]}` with 20, 20, 5 numbers and 1.
  static std::string to_text(const Architecture<Ofa>& architecture);
  /// Reads the above, as JSON or as Python prints it (single quotes, None). Keys in any order,
  /// each at most once; without `r`, or when it is null, images are whole; `wid`, which
  /// once-for-all adds for the width, is read over. White space may stand between tokens. Throws
  /// `ParseError`.
  static Architecture<Ofa> parse(std::string_view text);
};

static_assert(SearchSpace<Ofa>);

inline std::string Ofa::to_text(const Architecture<Ofa>& architecture) {
  std::array<std::string, 4> lists;
  for (std::size_t d = 0; d < decision_count; ++d) {
    const DecisionId decision(d);
    auto& list = lists.at(static_cast<std::size_t>(kind(decision)));
    if (!list.empty()) list += ", ";
    list += std::to_string(values(decision)[architecture[decision].index()]);
  }
  return fmt::format(R"({{"ks": [{}], "e": [{}], "d": [{}], "r": [{}]}})", lists[0], lists[1],
                     lists[2], lists[3]);
}

namespace detail {

/// One of the values a decision may take.
inline void read_ofa_value(Scanner& scan, Architecture<Ofa>& architecture, DecisionId decision) {
  const auto values = Ofa::values(decision);
  const auto start = scan.position();
  const auto expected = fmt::format("one of {}", fmt::join(values, ", "));
  const auto value = scan.integer(expected, values.back());
  std::size_t option = 0;
  while (option < values.size() && values[option] != value) ++option;
  if (option == values.size()) scan.fail_at(start, expected);
  architecture.set(decision, OptionId(option));
}

/// A list of exactly `count` of the values the decisions from `first` on may take.
inline void read_ofa_list(Scanner& scan, Architecture<Ofa>& architecture, DecisionId first,
                          std::size_t count) {
  scan.expect("[");
  for (std::size_t i = 0; i < count; ++i) {
    scan.skip_space();
    if (i != 0) {
      if (!scan.accept(",")) scan.fail(fmt::format("',' and {} numbers in all", count));
      scan.skip_space();
    }
    read_ofa_value(scan, architecture, DecisionId(first.index() + i));
  }
  scan.skip_space();
  if (!scan.accept("]")) scan.fail(fmt::format("']' after {} numbers", count));
}

/// The size of images: null, a number, or a list of one.
inline void read_ofa_image(Scanner& scan, Architecture<Ofa>& architecture) {
  if (scan.accept("null") || scan.accept("None")) return;
  if (scan.peek() == '[')
    read_ofa_list(scan, architecture, Ofa::image(), 1);
  else
    read_ofa_value(scan, architecture, Ofa::image());
}

/// The value of `wid`: null, a number, or a short list of numbers.
inline void skip_ofa_width(Scanner& scan) {
  constexpr std::size_t largest = 4096;  // a width index
  if (scan.accept("null") || scan.accept("None")) return;
  if (!scan.accept("[")) {
    scan.integer("null, an integer up to 4096 or a list of them", largest);
    return;
  }
  do {
    scan.skip_space();
    scan.integer("an integer up to 4096", largest);
    scan.skip_space();
  } while (scan.accept(","));
  scan.expect("]");
}

}  // namespace detail

inline Architecture<Ofa> Ofa::parse(std::string_view text) {
  constexpr std::array<std::string_view, 5> keys{"ks", "e", "d", "r", "wid"};
  constexpr std::size_t needed = 3;
  Scanner scan("once-for-all architecture", text, 4096);
  auto architecture = Architecture<Ofa>().set(image(), OptionId(images.size() - 1));
  std::array<bool, keys.size()> seen{};
  scan.skip_space();
  scan.expect("{");
  do {
    scan.skip_space();
    const auto start = scan.position();
    const std::string_view quote = scan.peek() == '\'' ? "'" : "\"";
    scan.expect(quote);
    const auto key = scan.word("a key");
    scan.expect(quote);
    std::size_t k = 0;
    while (k < keys.size() && keys[k] != key) ++k;
    if (k == keys.size()) scan.fail_at(start, "one of the keys ks, e, d, r, wid");
    if (seen[k]) scan.fail_at(start, fmt::format("key '{}' once", key));
    seen[k] = true;
    scan.skip_space();
    scan.expect(":");
    scan.skip_space();
    if (k == 0)
      detail::read_ofa_list(scan, architecture, kernel(0), layer_count);
    else if (k == 1)
      detail::read_ofa_list(scan, architecture, expand(0), layer_count);
    else if (k == 2)
      detail::read_ofa_list(scan, architecture, depth(0), stage_count);
    else if (k == 3)
      detail::read_ofa_image(scan, architecture);
    else
      detail::skip_ofa_width(scan);
    scan.skip_space();
  } while (scan.accept(","));
  for (std::size_t k = 0; k < needed; ++k)
    if (!seen[k]) scan.fail(fmt::format("',' and the key \"{}\"", keys[k]));
  scan.expect("}");
  scan.skip_space();
  scan.expect_end();
  return architecture;
}

/// The network around the searched stages: MobileNetV3-Large scaled by a width.
struct OfaShape {
  double width = 1.2;       ///< once-for-all publishes 1.0 and 1.2; GM-NAS uses 1.2
  std::size_t image = 224;  ///< whole images; an architecture looks at a share of it
  std::size_t image_channels = 3;
  std::size_t classes = 1000;
  std::size_t first_stride = 2;  ///< of the first convolution; 1 suits small images
  std::array<std::size_t, Ofa::stage_count> strides{2, 2, 2, 1, 2};  ///< of the stages
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

/// The network an architecture stands for; layers beyond a stage's depth are missing, and its image
/// is the share of the shape's that the architecture chooses. Throws `ValueError` for a width
/// outside (0, 16].
[[nodiscard]] inline MobileNetwork network(const Architecture<Ofa>& architecture,
                                           const OfaShape& shape = {}) {
  constexpr std::array<std::size_t, Ofa::stage_count> widths{24, 40, 80, 112, 160};
  constexpr std::array<bool, Ofa::stage_count> squeezes{false, true, false, true, true};
  constexpr std::size_t first_width = 16;
  constexpr std::size_t final_expand_width = 960;
  constexpr std::size_t feature_mix_width = 1280;
  constexpr std::size_t first_h_swish_stage = 2;

  if (!(shape.width > 0.0 && shape.width <= 16.0))
    throw ValueError(fmt::format("ofa width: {}, allowed above 0 to 16", shape.width));
  const auto scaled = [&shape](std::size_t channels) {
    return make_divisible(static_cast<double>(channels) * shape.width);
  };
  std::size_t width = scaled(first_width);
  const double image =
      std::round(Ofa::image_share(architecture) * static_cast<double>(shape.image));
  MobileNetwork result{.image = std::max<std::size_t>(1, static_cast<std::size_t>(image)),
                       .image_channels = shape.image_channels,
                       .classes = shape.classes,
                       .first_conv_out = width,
                       .first_stride = shape.first_stride,
                       .first_activation = Activation::h_swish,
                       .blocks = {},
                       .final_expand = scaled(final_expand_width),
                       .feature_mix_out = scaled(feature_mix_width),
                       .mix_after_pooling = true,
                       .head_activation = Activation::h_swish};
  result.blocks.push_back({.in = width, .out = width, .mid = width, .shortcut = true});
  for (std::size_t stage = 0; stage < Ofa::stage_count; ++stage) {
    const std::size_t out = scaled(widths[stage]);
    const std::size_t depth = Ofa::depths[architecture[Ofa::depth(stage)].index()];
    for (std::size_t layer = 0; layer < depth; ++layer) {
      const std::size_t place = Ofa::layers_per_stage * stage + layer;
      const std::size_t expand = Ofa::expansions[architecture[Ofa::expand(place)].index()];
      result.blocks.push_back(
          {.in = width,
           .out = out,
           .kernel = Ofa::kernels[architecture[Ofa::kernel(place)].index()],
           .stride = layer == 0 ? shape.strides[stage] : 1,
           .expand = expand,
           .mid = make_divisible(static_cast<double>(width * expand)),
           .squeeze = squeezes[stage],
           .activation = stage < first_h_swish_stage ? Activation::relu : Activation::h_swish,
           .shortcut = layer != 0});
      width = out;
    }
  }
  return result;
}

[[nodiscard]] inline NetworkCost cost(const Architecture<Ofa>& architecture,
                                      const OfaShape& shape = {}) {
  return cost(network(architecture, shape));
}

}  // namespace cleave::space
