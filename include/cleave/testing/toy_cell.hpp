#pragma once

#include <array>
#include <cleave/supernet/mixture.hpp>
#include <cleave/testing/toy_network.hpp>
#include <cleave/testing/toy_spaces.hpp>
#include <optional>

namespace cleave::testing {

/// One `ToyCell` between two stems and a classifier on nodes 2 and 3 side by side.
class ToyCellNet {
 public:
  using Space = ToyCell;
  using Context = Mixture<Space>;
  using Config = ToyConfig;

  ToyCellNet(const Restriction<Space>& allowed, const Config& config, const Stream& stream)
      : allowed_(allowed), stems_{config.stem(arena_, "stem0"), config.stem(arena_, "stem1")} {
    for (std::size_t e = 0; e < Space::decision_count; ++e)
      for (const auto option : allowed[DecisionId(e)]) {
        if (option == Space::skip) continue;
        edges_[e][option.index()] = supernet::Convolution::declare(
            arena_,
            fmt::format("{}.{}", Space::decision_name(DecisionId(e)),
                        Space::option_name(DecisionId(e), option)),
            WeightGroup::of(DecisionId(e), option),
            {.in = config.channels,
             .out = config.channels,
             .kernel = 2 * static_cast<std::int64_t>(option.index()) + 1});
      }
    classifier_ = config.classifier(arena_, 2 * config.channels);
    arena_.build(config.options(), stream);
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& mixture) const {
    mixture.check_within(allowed_);
    const MixtureScalars<Space> scalars(mixture);
    std::array<at::Tensor, Space::node_count> nodes{stems_[0].forward(arena_, images),
                                                    stems_[1].forward(arena_, images)};
    for (std::size_t n = Space::input_count; n < nodes.size(); ++n)
      nodes[n] = at::zeros_like(nodes[0]);
    for (std::size_t e = 0; e < Space::decision_count; ++e)
      for (const auto option : mixture[DecisionId(e)]) {
        const auto [from, to] = Space::edges[e];
        auto y = apply(e, option, nodes[from]);
        if (const auto* w = scalars.find(DecisionId(e), option)) y = y.mul(*w);
        nodes[to] = nodes[to].add(y);
      }
    return classifier_.forward(arena_, at::cat({nodes[2], nodes[3]}, 1).relu().flatten(1));
  }

  [[nodiscard]] Context probe(const Context& context, DecisionId decision, OptionId option,
                              Probe kind) const {
    return context.probe(decision, option, kind);
  }
  /// Edges that the genotype does not keep have no active option.
  [[nodiscard]] Context context_of(const ToyCell::Genotype& genotype) const {
    Context context;
    for (const auto& [edge, option] : genotype.kept)
      context.active[edge.index()] = OptionSet{option};
    return context;
  }
  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] const WeightArena& arena() const noexcept { return arena_; }
  [[nodiscard]] const Restriction<Space>& restriction() const noexcept { return allowed_; }

 private:
  [[nodiscard]] at::Tensor apply(std::size_t e, OptionId option, const at::Tensor& x) const {
    if (option == Space::skip) return x;
    return edges_[e][option.index()].value().forward(arena_, x.relu());
  }

  Restriction<Space> allowed_;
  WeightArena arena_;
  std::array<supernet::Convolution, Space::input_count> stems_;
  std::array<std::array<std::optional<supernet::Convolution>, 2>, Space::decision_count> edges_{};
  supernet::Linear classifier_{};
};

static_assert(MixtureSupernet<ToyCellNet>);
static_assert(Network<ToyNetwork<ToyCellNet>>);

}  // namespace cleave::testing

namespace cleave {
template <>
struct SupernetFor<testing::ToyCell> {
  using type = testing::ToyCellNet;
};
template <>
struct NetworkFor<testing::ToyCell> {
  using type = testing::ToyNetwork<testing::ToyCellNet>;
};
}  // namespace cleave
