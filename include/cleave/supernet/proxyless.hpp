#pragma once

#include <array>
#include <cleave/space/proxyless.hpp>
#include <cleave/supernet/mixture.hpp>
#include <cleave/supernet/mobile_block.hpp>
#include <optional>
#include <span>
#include <vector>

namespace cleave::supernet {

/// The ProxylessNAS supernet over a restriction (Cai, Zhu, Han, ICLR 2019): a chain of 21 blocks
///
///     x <- shortcut(x) + sum over active options o of w_o block_o(x)
///
/// where blocks that keep the shape have a shortcut and the option `zero`, which adds nothing. Only
/// active options are computed: with one path the memory is that of one network, with two gated
/// paths of two. Every option has weights and batch norms of its own; first convolution, first
/// block, feature mix and classifier are shared and scored (method.md section 2). Batch statistics.
class Proxyless {
 public:
  using Space = space::Proxyless;
  using Context = Mixture<Space>;
  using Config = MobileConfig<space::ProxylessShape>;

  /// Throws `ValueError` as `space::network`.
  Proxyless(const Restriction<Space>& allowed, const Config& config, const Stream& stream)
      : allowed_(allowed), config_(config) {
    const auto group = WeightGroup::shared();
    const auto norm = [this](const std::string& name, WeightGroup of, std::int64_t channels) {
      return BatchNorm::declare_affine(arena_, name, of, channels);
    };
    // Every block at its first option, which is never `zero`: the shapes around the options.
    const auto skeleton = space::network(Architecture<Space>(), config.shape);
    space::validate(skeleton);
    stem_ = Stem::declare(arena_, group, skeleton, norm);
    first_ = Block::declare(arena_, "blocks.0", group, skeleton.blocks.front(), norm);
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      for (const auto option : allowed[DecisionId(d)]) {
        if (option == Space::zero) continue;
        const auto block = block_of(skeleton, d, option);
        options_[d][option.index()] = Block::declare(
            arena_,
            fmt::format("blocks.{}.{}", d + 1, Space::option_name(DecisionId(d), option)),
            WeightGroup::of(DecisionId(d), option), block, norm);
      }
    head_ = Head::declare(arena_, group, skeleton, norm);
    arena_.build(config.options(), stream);
  }

  /// images: [B, C, H, W] -> [B, classes]. Throws `ValueError` for a mixture with an active option
  /// that the restriction left out.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& mixture) const {
    return forward_from(0, images, mixture);
  }

  /// Place 0 is what comes before the blocks, place d + 1 is the block of decision d.
  static constexpr std::size_t place_count = Space::decision_count + 1;
  static constexpr std::size_t place_of(DecisionId decision) { return decision.index() + 1; }

  /// See `BeginsAnywhere`. Throws as `forward`.
  [[nodiscard]] at::Tensor forward_from(std::size_t place, at::Tensor x, const Context& mixture,
                                        std::span<at::Tensor> entered = {}) const {
    mixture.check_within(allowed_);
    const MixtureScalars<Space> scalars(mixture);
    const auto normalise = [this](const BatchNorm& norm, const at::Tensor& y) {
      return norm.forward(arena_, y);
    };
    for (; place < place_count; ++place) {
      if (!entered.empty()) entered[place] = x;
      x = place == 0 ? first_.forward(arena_, stem_.forward(arena_, x, normalise), normalise)
                     : block(DecisionId(place - 1), x, mixture, scalars, normalise);
    }
    return head_.classifier.forward(arena_, head_.features(arena_, x, normalise));
  }

  [[nodiscard]] Context probe(const Context& context, DecisionId decision, OptionId option,
                              Probe kind) const {
    return context.probe(decision, option, kind);
  }
  [[nodiscard]] Context context_of(const Architecture<Space>& architecture) const {
    return Context::path(architecture);
  }

  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] const WeightArena& arena() const noexcept { return arena_; }
  [[nodiscard]] const Restriction<Space>& restriction() const noexcept { return allowed_; }
  [[nodiscard]] const Config& config() const noexcept { return config_; }

 private:
  using Stem = MobileStem<BatchNorm>;
  using Block = MobileBlockLayers<BatchNorm>;
  using Head = MobileHead<BatchNorm>;

  /// The sum over a decision's active options, the shortcut included.
  template <class Normalise>
  [[nodiscard]] at::Tensor block(DecisionId decision, const at::Tensor& x, const Context& mixture,
                                 const MixtureScalars<Space>& scalars, Normalise normalise) const {
    at::Tensor sum;
    if (Space::keeps_shape(decision)) sum = x;
    for (const auto option : mixture[decision]) {
      const auto& layers = options_[decision.index()][option.index()];
      if (!layers) continue;  // zero
      auto y = layers->transform(arena_, x, normalise);
      if (const auto* w = scalars.find(decision, option)) y = y.mul(*w);
      sum = sum.defined() ? sum.add(y) : y;
    }
    if (!sum.defined())
      throw ValueError(fmt::format("proxyless supernet: {} changes the shape and has no active "
                                   "option", Space::decision_name(decision)));
    return sum;
  }

  static space::MobileBlock block_of(const space::MobileNetwork& skeleton, std::size_t decision,
                                     OptionId option) {
    auto block = skeleton.blocks[decision + 1];
    block.kernel = Space::kernel(option);
    block.expand = Space::expand(option);
    block.mid = block.in * block.expand;
    return block;
  }

  Restriction<Space> allowed_;
  Config config_;
  WeightArena arena_;
  Stem stem_;
  Block first_;
  std::array<std::array<std::optional<Block>, max_options<Space>>, Space::decision_count>
      options_{};
  Head head_;
};

static_assert(MixtureSupernet<Proxyless> && BeginsAnywhere<Proxyless>);

}  // namespace cleave::supernet

namespace cleave {
template <>
struct SupernetFor<space::Proxyless> {
  using type = supernet::Proxyless;
};
}  // namespace cleave
