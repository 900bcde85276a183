#pragma once

#include <array>
#include <cleave/space/nasbench201.hpp>
#include <cleave/supernet/mixture.hpp>
#include <cleave/supernet/operations.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cleave::supernet {

/// One edge of one cell: the convolutions of its allowed options.
struct CellEdge {
  DecisionId decision;
  std::size_t target = 0;
  std::array<std::optional<Convolution>, space::NasBench201::operations.size()> convolutions{};

  /// Of an allowed option; `Mixture::check_within` has refused the others with a sentence.
  [[nodiscard]] const Convolution& convolution(OptionId option) const {
    return convolutions.at(option.index()).value();
  }
};

/// A searched cell: four nodes, node j is the sum of what its incoming edges carry. `Mixer` says
/// how the edges leaving one node are computed (`Fused`, `Composed`).
template <class Mixer>
struct NasBench201Cell {
  using Space = space::NasBench201;

  /// The edges that leave node k, for k = 0, 1, 2.
  std::array<std::vector<CellEdge>, Space::node_count - 1> leaving{};

  /// Weight names are those of the public code: `PREFIX.edges.1<-0.3.op.1.weight`.
  static NasBench201Cell declare(WeightArena& arena, const std::string& prefix,
                                 const Restriction<Space>& allowed, std::int64_t channels) {
    NasBench201Cell cell;
    for (std::size_t e = 0; e < Space::decision_count; ++e) {
      const DecisionId decision(e);
      CellEdge edge{.decision = decision, .target = Space::edges[e].to};
      for (const auto option : allowed[decision]) {
        const std::int64_t kernel = option == Space::nor_conv_3x3 ? 3 : 1;
        if (option != Space::nor_conv_1x1 && option != Space::nor_conv_3x3) continue;
        edge.convolutions[option.index()] = Convolution::declare(
            arena,
            fmt::format("{}.edges.{}.{}.op.1.weight", prefix, Space::decision_name(decision),
                        option.index()),
            WeightGroup::of(decision, option), {.in = channels, .out = channels, .kernel = kernel});
      }
      cell.leaving[Space::edges[e].from].push_back(edge);
    }
    return cell;
  }

  /// x: [B, C, H, W] -> the same shape. A node no edge reaches is zero.
  [[nodiscard]] at::Tensor forward(const Mixer& mixer, const WeightArena& arena,
                                   const at::Tensor& x, const Mixture<Space>& mixture,
                                   const MixtureScalars<Space>& scalars) const {
    std::array<at::Tensor, Space::node_count> nodes{x};
    for (std::size_t node = 0; node + 1 < Space::node_count; ++node)
      if (nodes[node].defined())
        mixer.leave(arena, nodes[node], leaving[node], mixture, scalars, nodes);
    return nodes.back().defined() ? nodes.back() : at::zeros_like(x);
  }
};

}  // namespace cleave::supernet
