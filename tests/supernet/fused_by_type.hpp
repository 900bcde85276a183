#pragma once

#include <cleave/supernet/nasbench201.hpp>
#include <span>
#include <string_view>

namespace cleave::testing {

/// Fused edges in whatever type the images have: `Fused`, and `FusedDouble` for what is demanded in
/// float64.
struct FusedByType {
  using Space = space::NasBench201;
  static constexpr std::string_view name = "fused";
  static constexpr auto memory_format = supernet::Fused::memory_format;

  void leave(const WeightArena& arena, const at::Tensor& x,
             std::span<const supernet::CellEdge> edges, const Mixture<Space>& mixture,
             const MixtureScalars<Space>& scalars, std::span<at::Tensor> sums) const {
    if (x.scalar_type() == at::kDouble)
      in_double.leave(arena, x, edges, mixture, scalars, sums);
    else
      in_float.leave(arena, x, edges, mixture, scalars, sums);
  }

  supernet::Fused in_float;
  supernet::FusedDouble in_double;
};

}  // namespace cleave::testing
