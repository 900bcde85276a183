#pragma once

#include <array>
#include <cleave/testing/toy_network.hpp>
#include <cleave/testing/toy_spaces.hpp>
#include <optional>

namespace cleave::testing {

/// Residual layers x <- x + project(relu(expand(relu(x)))) of elastic width. The options of a
/// width share one tensor: option k uses the first (k + 1) parts of the expansion's filters and of
/// the projection's inputs. The tensors are as large as the largest allowed option, and belong to
/// the width as a whole (docs/design.md, Options that share a tensor). A layer that no allowed
/// depth reaches has no weights.
class ToyElasticNet {
 public:
  using Space = ToyElastic;
  using Context = Architecture<Space>;
  using Config = ToyConfig;

  static constexpr std::int64_t part = 2;  ///< channels an option has more than the one before

  ToyElasticNet(const Restriction<Space>& allowed, const Config& config, const Stream& stream)
      : allowed_(allowed), stem_(config.stem(arena_, "stem")) {
    const auto layers = layers_of(largest(allowed[Space::depth()]));
    for (std::size_t i = 0; i < layers; ++i) {
      const auto width = width_of(largest(allowed[Space::width(i)]));
      const auto group = WeightGroup::of(Space::width(i));
      layers_[i] =
          Layer{supernet::Convolution::declare(arena_, fmt::format("layer{}.expand", i), group,
                                               {.in = config.channels, .out = width, .kernel = 3}),
                supernet::Convolution::declare(arena_, fmt::format("layer{}.project", i), group,
                                               {.in = width, .out = config.channels, .kernel = 1})};
    }
    classifier_ = config.classifier(arena_, config.channels);
    arena_.build(config.options(), stream);
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& subnet) const {
    if (!allowed_.contains(subnet))
      throw ValueError(fmt::format("toy elastic supernet: {} lies outside its restriction",
                                   plain_text<Space>(subnet)));
    auto x = stem_.forward(arena_, images);
    for (std::size_t i = 0; i < layers_of(subnet[Space::depth()]); ++i) {
      const auto width = width_of(subnet[Space::width(i)]);
      const auto expand = arena_.weight(layers_[i]->expand.weight).narrow(0, 0, width);
      const auto project = arena_.weight(layers_[i]->project.weight).narrow(1, 0, width);
      const auto hidden = at::conv2d(x.relu(), expand, {}, 1, layers_[i]->expand.padding).relu();
      x = x.add(at::conv2d(hidden, project));
    }
    return classifier_.forward(arena_, x.relu().flatten(1));
  }

  /// Subnets have no weights to keep: hard and soft probes are the same.
  [[nodiscard]] Context probe(const Context& context, DecisionId decision, OptionId option,
                              Probe) const {
    return Context(context).set(decision, option);
  }
  [[nodiscard]] Context context_of(const Architecture<Space>& subnet) const { return subnet; }
  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] const WeightArena& arena() const noexcept { return arena_; }
  [[nodiscard]] const Restriction<Space>& restriction() const noexcept { return allowed_; }

 private:
  struct Layer {
    supernet::Convolution expand;
    supernet::Convolution project;
  };
  static OptionId largest(OptionSet options) { return options.nth(options.size() - 1); }
  static std::size_t layers_of(OptionId depth) { return depth.index() + 1; }
  static std::int64_t width_of(OptionId width) {
    return part * (static_cast<std::int64_t>(width.index()) + 1);
  }

  Restriction<Space> allowed_;
  WeightArena arena_;
  supernet::Convolution stem_;
  std::array<std::optional<Layer>, Space::layer_count> layers_{};
  supernet::Linear classifier_{};
};

static_assert(Supernet<ToyElasticNet> && !MixtureSupernet<ToyElasticNet>);
static_assert(Network<ToyNetwork<ToyElasticNet>>);

}  // namespace cleave::testing

namespace cleave {
template <>
struct SupernetFor<testing::ToyElastic> {
  using type = testing::ToyElasticNet;
};
template <>
struct NetworkFor<testing::ToyElastic> {
  using type = testing::ToyNetwork<testing::ToyElasticNet>;
};
}  // namespace cleave
