#pragma once

#include <cleave/score/gradient_view.hpp>
#include <cleave/supernet/weight_arena.hpp>
#include <vector>

namespace cleave::score {

/// An [O, P] buffer whose rows autograd accumulates into directly: one row per child. Scoring a
/// decision is O backward passes and one Gram matrix, with no copy of any gradient.
class GradientRows {
 public:
  GradientRows(const WeightArena& arena, std::size_t options)
      : arena_(&arena),
        buffer_(at::zeros({static_cast<std::int64_t>(options), arena.size()},
                          arena.values().options())) {
    for (std::size_t o = 0; o < options; ++o)
      rows_.push_back(arena.make_row(buffer_[static_cast<std::int64_t>(o)]));
  }
  GradientRows(const GradientRows&) = delete;
  GradientRows& operator=(const GradientRows&) = delete;
  /// Gradients go back to the arena's own buffer, whatever happened.
  ~GradientRows() { arena_->bind_default(); }

  /// Zeroes row o and makes the next backward pass fill it.
  void record(std::size_t o) {
    buffer_[static_cast<std::int64_t>(o)].zero_();
    arena_->bind(rows_.at(o));
  }

  /// Row `to` becomes a copy of row `from`.
  void copy(std::size_t from, std::size_t to) {
    buffer_[static_cast<std::int64_t>(to)].copy_(buffer_[static_cast<std::int64_t>(from)]);
  }

  /// The first `options` rows as a similarity sees them.
  [[nodiscard]] GradientView view(std::size_t options, std::span<const WeightRange> shared,
                                  std::span<const WeightSlice> slices) const {
    return {buffer_.narrow(0, 0, static_cast<std::int64_t>(options)), shared, slices};
  }

 private:
  const WeightArena* arena_;
  at::Tensor buffer_;
  std::vector<WeightArena::Row> rows_;
};

}  // namespace cleave::score
