#pragma once

#include <cleave/supernet/average_pool.hpp>
#include <cleave/supernet/mixture.hpp>
#include <cleave/supernet/nasbench201_cell.hpp>
#include <span>
#include <string_view>

namespace cleave::supernet {

/// The mixed edges of a NAS-Bench-201 cell from plain tensor operations, on any device:
/// sum over targets' edges and options of w_{e,o} * op_o(x). The yardstick `Fused` is held to.
struct Composed {
  static constexpr std::string_view name = "composed";
  using Space = space::NasBench201;

  /// Adds to `sums[target]` what leaves a node. x: the node, [B, C, H, W].
  static void leave(const WeightArena& arena, const at::Tensor& x,
                    std::span<const CellEdge> edges, const Mixture<Space>& mixture,
                    const MixtureScalars<Space>& scalars,
                    std::span<at::Tensor> sums) {
    at::Tensor rectified;  // shared by all convolutions that leave the node
    at::Tensor pooled;     // shared by all its pooling edges
    for (const auto& edge : edges) {
      for (const auto option : mixture[edge.decision]) {
        if (option == Space::none) continue;
        at::Tensor y;
        if (option == Space::skip_connect) {
          y = x;
        } else if (option == Space::avg_pool_3x3) {
          if (!pooled.defined()) pooled = average_pool_3x3(x);
          y = pooled;
        } else {
          if (!rectified.defined()) rectified = x.relu();
          y = BatchNorm{}.forward(arena, edge.convolution(option).forward(arena, rectified));
        }
        if (const auto* w = scalars.find(edge.decision, option)) y = y.mul(*w);
        auto& sum = sums[edge.target];
        sum = sum.defined() ? sum.add(y) : y;
      }
    }
  }
};

}  // namespace cleave::supernet
