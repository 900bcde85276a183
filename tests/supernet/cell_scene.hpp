#pragma once

// What the tests of fused edges have in common. LibTorch is precompiled.

#include <algorithm>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <cstdint>
#include <vector>

#include "fused_by_type.hpp"

namespace cleave::testing {

using Space = space::NasBench201;
using supernet::Composed;
using Fused = FusedByType;

inline at::Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn(shape, generator, at::TensorOptions(at::kDouble));
}

/// The edges of one cell, and the function that the cell is.
struct CellScene {
  WeightArena arena;
  supernet::NasBench201Cell<Fused> fused;
  supernet::NasBench201Cell<Composed> composed;

  CellScene(const Restriction<Space>& allowed, std::int64_t channels, at::ScalarType type)
      : fused(supernet::NasBench201Cell<Fused>::declare(arena, "cell", allowed, channels)) {
    composed.leaving = fused.leaving;
    arena.build(at::TensorOptions(type), Stream(1));
  }

  /// Output and gradients [y, x, weights, table] of sum(probe * cell(x)), in double.
  template <class Mixer, class Cell>
  std::vector<at::Tensor> run_as(const Cell& cell, const at::Tensor& given,
                                 Mixture<Space> mixture) {
    const auto x = given.detach().requires_grad_(true);
    if (mixture.weights.defined())
      mixture.weights = mixture.weights.detach().requires_grad_(true);
    const MixtureScalars<Space> scalars(mixture);
    arena.gradients().zero_();
    const supernet::NasBench201Cell<Mixer> same{cell.leaving};
    const auto y = same.forward(Mixer{}, arena, x, mixture, scalars);
    if (y.requires_grad())
      y.mul(random(y.sizes(), 99).to(y.scalar_type())).sum().backward();
    const auto or_zero = [](const at::Tensor& t, const at::Tensor& like) {
      return (t.defined() ? t : at::zeros_like(like)).to(at::kDouble);
    };
    std::vector<at::Tensor> all{y.detach().to(at::kDouble), or_zero(x.grad(), x),
                                arena.gradients().to(at::kDouble).clone()};
    if (mixture.weights.defined())
      all.push_back(or_zero(mixture.weights.grad(), mixture.weights));
    return all;
  }
  template <class Mixer>
  std::vector<at::Tensor> run(const supernet::NasBench201Cell<Mixer>& cell, const at::Tensor& x,
                              const Mixture<Space>& mixture) {
    return run_as<Mixer>(cell, x, mixture);
  }
};

/// Largest difference of each, relative to the largest magnitude (1 at least: where all is zero,
/// noise may not count).
inline double worst(const std::vector<at::Tensor>& ours, const std::vector<at::Tensor>& theirs) {
  REQUIRE(ours.size() == theirs.size());
  double result = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    REQUIRE(ours[i].sizes() == theirs[i].sizes());
    const auto scale = std::max(1.0, theirs[i].abs().max().item<double>());
    result = std::max(result, (ours[i] - theirs[i]).abs().max().item<double>() / scale);
  }
  return result;
}

inline Mixture<Space> weighted(const Restriction<Space>& allowed, std::uint64_t seed) {
  return Mixture<Space>::weighted(allowed, random({6, 5}, seed));
}

/// The options whose bit is set.
inline OptionSet options_of(unsigned bits) {
  OptionSet set;
  for (std::size_t o = 0; o < 5; ++o)
    if ((bits >> o & 1U) != 0) set.insert(OptionId(o));
  return set;
}

}  // namespace cleave::testing
