#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace cleave {

/// A half-open range of positions in a flat weight buffer.
struct WeightRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] constexpr std::int64_t size() const noexcept { return end - begin; }
};

/// One weight tensor inside the buffer: its place and how many filters (leading slices) it has.
struct WeightSlice {
  WeightRange range;
  std::int64_t filters = 1;
};

namespace score {

/// The gradients of a decision's children: what a similarity is computed from.
struct GradientView {
  /// [O, P]: row o is the gradient of the loss with the probed decision at its o-th allowed
  /// option, over all weights of the arena.
  at::Tensor rows;
  /// The columns that all children share and that are scored.
  std::span<const WeightRange> shared;
  /// The weight tensors that make up those columns, for scores that treat filters one by one.
  std::span<const WeightSlice> slices;
};

}  // namespace score
}  // namespace cleave
