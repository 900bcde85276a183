#pragma once

#include <array>
#include <cleave/supernet/mixture.hpp>
#include <cleave/testing/toy_network.hpp>
#include <cleave/testing/toy_spaces.hpp>
#include <optional>

namespace cleave::testing {

/// A chain of residual blocks x <- x + sum_o w_o conv_o(relu(x)), one block per decision; option o
/// is a convolution of `Space::kernel(decision, o)`, kernel 0 adds nothing.
template <class S>
class ToyChain {
 public:
  using Space = S;
  using Context = Mixture<Space>;
  using Config = ToyConfig;

  ToyChain(const Restriction<Space>& allowed, const Config& config, const Stream& stream)
      : allowed_(allowed), stem_(config.stem(arena_, "stem")) {
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      for (const auto option : allowed[DecisionId(d)]) {
        const auto kernel = static_cast<std::int64_t>(Space::kernel(DecisionId(d), option));
        if (kernel == 0) continue;
        blocks_[d][option.index()] = supernet::Convolution::declare(
            arena_, fmt::format("block{}.conv{}", d, kernel),
            WeightGroup::of(DecisionId(d), option),
            {.in = config.channels, .out = config.channels, .kernel = kernel});
      }
    classifier_ = config.classifier(arena_, config.channels);
    arena_.build(config.options(), stream);
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& mixture) const {
    mixture.check_within(allowed_);
    const MixtureScalars<Space> scalars(mixture);
    auto x = stem_.forward(arena_, images);
    for (std::size_t d = 0; d < Space::decision_count; ++d) {
      const auto rectified = x.relu();
      for (const auto option : mixture[DecisionId(d)]) {
        if (!blocks_[d][option.index()]) continue;  // the zero option
        auto y = blocks_[d][option.index()]->forward(arena_, rectified);
        if (const auto* w = scalars.find(DecisionId(d), option)) y = y.mul(*w);
        x = x.add(y);
      }
    }
    return classifier_.forward(arena_, x.relu().flatten(1));
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

 private:
  Restriction<Space> allowed_;
  WeightArena arena_;
  supernet::Convolution stem_;
  std::array<std::array<std::optional<supernet::Convolution>, max_options<Space>>,
             Space::decision_count>
      blocks_{};
  supernet::Linear classifier_{};
};

static_assert(MixtureSupernet<ToyChain<ToyPath>> && MixtureSupernet<ToyChain<ToyRagged>>);
static_assert(Network<ToyNetwork<ToyChain<ToyPath>>> && Network<ToyNetwork<ToyChain<ToyRagged>>>);

}  // namespace cleave::testing

namespace cleave {
template <>
struct SupernetFor<testing::ToyPath> {
  using type = testing::ToyChain<testing::ToyPath>;
};
template <>
struct SupernetFor<testing::ToyRagged> {
  using type = testing::ToyChain<testing::ToyRagged>;
};
template <>
struct NetworkFor<testing::ToyPath> {
  using type = testing::ToyNetwork<testing::ToyChain<testing::ToyPath>>;
};
template <>
struct NetworkFor<testing::ToyRagged> {
  using type = testing::ToyNetwork<testing::ToyChain<testing::ToyRagged>>;
};
}  // namespace cleave
