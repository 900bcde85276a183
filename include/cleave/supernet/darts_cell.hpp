#pragma once

#include <array>
#include <cleave/space/darts.hpp>
#include <cleave/supernet/darts_operations.hpp>
#include <cleave/supernet/mixture.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cleave::supernet {

/// One edge of one DARTS cell: the weights of its allowed options; `none` and what the restriction
/// left out are absent.
template <class Space>
struct DartsEdge {
  DecisionId decision;
  std::size_t target = 0;
  std::array<std::optional<DartsOperationWeights<BatchNorm>>, Space::operations> options{};
};

/// The mixed edges of a DARTS cell from plain tensor operations, on any device. Two things are
/// shared by all edges that leave a node: its ReLU, and its two poolings with their batch norm (no
/// affine part, so they are the same on every edge). The weight of an option that ends in a batch
/// norm is that batch norm's scale: no pass of its own over the image.
template <class DartsSpace>
struct ComposedDarts {
  static constexpr std::string_view name = "composed";
  using Space = DartsSpace;

  /// Adds to `sums[target]` what leaves a node. x: the node, [B, C, H, W].
  static void leave(const WeightArena& arena, const at::Tensor& x, std::int64_t stride,
                    std::span<const DartsEdge<Space>> edges, const Mixture<Space>& mixture,
                    const MixtureScalars<Space>& scalars, std::span<at::Tensor> sums) {
    LeavingNode node(x, stride);
    for (const auto& edge : edges) {
      for (const auto option : mixture[edge.decision]) {
        const auto& weights = edge.options[option.index()];
        if (!weights) continue;  // none
        const auto* share = scalars.find(edge.decision, option);
        at::Tensor y;
        if (weights->empty()) {
          const auto operation = Space::operation(option);
          y = operation == space::DartsOperation::skip_connect ? node.plain()
                                                               : node.pooled(operation, normalised);
          if (share != nullptr) y = y.mul(*share);
        } else {
          y = weights->forward(
              arena, node.rectified(),
              [](const BatchNorm&, const at::Tensor& z) { return normalised(z); },
              [&](const BatchNorm&, const at::Tensor& z) {
                return share == nullptr ? normalised(z) : scaled(z, *share);
              });
        }
        auto& sum = sums[edge.target];
        sum = sum.defined() ? sum.add(y) : y;
      }
    }
  }

  /// Batch norm by the batch's statistics, without affine part.
  static at::Tensor normalised(const at::Tensor& x) { return norm(x, {}); }

 private:
  /// The same times one number.
  static at::Tensor scaled(const at::Tensor& x, const at::Tensor& share) {
    return norm(x, share.expand({x.size(1)}).contiguous());
  }
  static at::Tensor norm(const at::Tensor& x, const std::optional<at::Tensor>& scale) {
    return at::batch_norm(x, scale, {}, {}, {}, /*training=*/true, 0.0, batch_norm_epsilon,
                          /*cudnn_enabled=*/true);
  }
};

/// A searched cell of the DARTS space: two inputs, four nodes that each sum what their edges
/// carry, the output all four side by side. In a reduction cell the edges from the inputs have
/// stride 2.
template <class Mixer>
struct DartsCell {
  using Space = typename Mixer::Space;
  static constexpr std::size_t nodes = space::darts_node_count;

  bool reduction = false;
  Preprocess<BatchNorm> older;   ///< of the output of the cell before the last
  Preprocess<BatchNorm> recent;  ///< of the last cell's output
  /// The edges that leave node k, for k = 0 to 4.
  std::array<std::vector<DartsEdge<Space>>, nodes - 1> leaving{};

  /// How a cell lies in its network: channels of its inputs, its own width.
  struct Place {
    bool reduction = false;
    bool after_reduction = false;  ///< the older input is twice as large
    std::int64_t older = 0;
    std::int64_t recent = 0;
    std::int64_t width = 0;
  };

  /// Weight names are those of the public code: `PREFIX.preprocess0...`, `PREFIX._ops.E._ops.O...`
  /// with the edge's number in its cell and the option's in the space.
  static DartsCell declare(WeightArena& arena, const std::string& prefix,
                           const Restriction<Space>& allowed, const Place& place) {
    const auto plain = [](const std::string&, WeightGroup, std::int64_t) { return BatchNorm{}; };
    DartsCell cell;
    cell.reduction = place.reduction;
    const auto unscored = WeightGroup::unscored();
    cell.older = Preprocess<BatchNorm>::declare(arena, prefix + ".preprocess0", unscored,
                                                place.older, place.width, place.after_reduction,
                                                plain);
    cell.recent = Preprocess<BatchNorm>::declare(arena, prefix + ".preprocess1", unscored,
                                                 place.recent, place.width, false, plain);
    for (std::size_t e = 0; e < Space::edges_per_cell; ++e) {
      const DecisionId decision(e + (place.reduction ? Space::edges_per_cell : 0));
      const auto where = Space::edge(decision);
      DartsEdge<Space> edge{.decision = decision, .target = where.to};
      for (const auto option : Space::keepable(allowed[decision]))
        edge.options[option.index()] = DartsOperationWeights<BatchNorm>::declare(
            arena, fmt::format("{}._ops.{}._ops.{}", prefix, e, option.index()),
            WeightGroup::of(decision, option), Space::operation(option), place.width,
            stride(place.reduction, where.from), plain);
      cell.leaving[where.from].push_back(std::move(edge));
    }
    return cell;
  }

  /// The last two cells' outputs -> [B, 4 width, H, W], halved by a reduction cell. A node no edge
  /// reaches is zero.
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& before_last,
                                   const at::Tensor& last, const Mixture<Space>& mixture,
                                   const MixtureScalars<Space>& scalars) const {
    const auto normalise = [](const BatchNorm&, const at::Tensor& y) {
      return Mixer::normalised(y);
    };
    std::array<at::Tensor, nodes> node{older.forward(arena, before_last.relu(), normalise),
                                       recent.forward(arena, last.relu(), normalise)};
    for (std::size_t k = 0; k + 1 < nodes; ++k)
      if (node[k].defined())
        Mixer::leave(arena, node[k], stride(reduction, k), leaving[k], mixture, scalars, node);
    std::vector<at::Tensor> joined(node.begin() + space::darts_input_nodes, node.end());
    for (auto& part : joined)
      if (!part.defined()) part = zeros(node[0]);
    return at::cat(joined, 1);
  }

 private:
  static constexpr std::int64_t stride(bool reduction, std::size_t from) {
    return reduction && from < space::darts_input_nodes ? 2 : 1;
  }
  [[nodiscard]] at::Tensor zeros(const at::Tensor& input) const {
    const std::int64_t shrink = reduction ? 2 : 1;
    return at::zeros({input.size(0), input.size(1), input.size(2) / shrink, input.size(3) / shrink},
                     input.options());
  }
};

}  // namespace cleave::supernet
