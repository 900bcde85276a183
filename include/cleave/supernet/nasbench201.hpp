#pragma once

#include <cleave/supernet/check_positive.hpp>
#include <cleave/supernet/fused.hpp>
#include <cleave/supernet/nasbench201_cell.hpp>
#include <cleave/supernet/residual_block.hpp>
#include <variant>
#include <vector>

namespace cleave::supernet {

/// Sizes of a NAS-Bench-201 network; the defaults are the benchmark's.
struct NasBench201Config {
  std::int64_t channels = 16;       ///< of the first stage; doubled after each reduction
  std::int64_t cells = 5;           ///< searched cells per stage; there are three stages
  std::int64_t image_channels = 3;
  std::int64_t classes = 10;
  at::ScalarType scalar = at::kFloat;
  at::Device device = at::kCPU;
  template <class F>
  void fields(F&& field) const {
    field("channels", channels);
    field("cells", cells);
    field("image_channels", image_channels);
    field("classes", classes);
    field("scalar", scalar);
    field("device", device.str());
  }

  /// Throws `ValueError` naming the first size that is not positive.
  void check() const {
    check_positive("nasbench201", "channels", channels);
    check_positive("nasbench201", "cells per stage", cells);
    check_positive("nasbench201", "image channels", image_channels);
    check_positive("nasbench201", "classes", classes);
  }
};

/// The NAS-Bench-201 supernet over a restriction: stem, N cells, reduction, N cells, reduction, N
/// cells, BN-ReLU, global average pool, classifier (Dong and Yang, ICLR 2020, section 2.1). Batch
/// norm inside searched cells has no affine part. Only allowed options have weights. Weight names
/// are those of the public code, so its checkpoints' numbers can be compared one by one. `Mixer` says
/// how mixed edges are computed: `Fused`, `FusedBFloat16`, or `Composed` from plain tensor operations.
template <class Mixer = Fused>
class NasBench201 {
 public:
  using Space = space::NasBench201;
  using Context = Mixture<Space>;
  using Config = NasBench201Config;
  using MixerType = Mixer;

  NasBench201(const Restriction<Space>& allowed, const Config& config, const Stream& stream)
      : allowed_(allowed) {
    config.check();
    const auto unscored = WeightGroup::unscored();
    std::int64_t channels = config.channels;
    stem_ = Convolution::declare(
        arena_, "stem.0.weight", unscored,
        {.in = config.image_channels, .out = channels, .kernel = 3});
    stem_norm_ = BatchNorm::declare_affine(arena_, "stem.1", unscored, channels);
    for (int stage = 0; stage < stages; ++stage) {
      if (stage > 0) {
        layers_.emplace_back(
            Reduction::declare(arena_, next_cell(), channels, 2 * channels,
                               [&](const std::string& name, WeightGroup group, std::int64_t out) {
                                 return BatchNorm::declare_affine(arena_, name, group, out);
                               }));
        channels *= 2;
      }
      for (std::int64_t i = 0; i < config.cells; ++i)
        layers_.emplace_back(Cell::declare(arena_, next_cell(), allowed, channels));
    }
    last_norm_ = BatchNorm::declare_affine(arena_, "lastact.0", unscored, channels);
    classifier_ =
        Linear::declare(arena_, "classifier", unscored, channels, config.classes);
    arena_.build(at::TensorOptions(config.device).dtype(config.scalar), stream);
  }

  /// Throws `ValueError` for a mixture with an active option that the restriction left out.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& mixture) const {
    mixture.check_within(allowed_);
    const MixtureScalars<Space> scalars(mixture);
    auto x = images;
    if constexpr (requires { Mixer::memory_format; })
      x = x.contiguous(Mixer::memory_format);  // what follows keeps it
    x = stem_norm_.forward(arena_, stem_.forward(arena_, x));
    for (const auto& layer : layers_)
      x = std::visit(
          [&](const auto& part) {
            if constexpr (requires { part.leaving; })
              return part.forward(mixer_, arena_, x, mixture, scalars);
            else
              return part.forward(arena_, x, [&](const BatchNorm& norm, const at::Tensor& y) {
                return norm.forward(arena_, y);
              });
          },
          layer);
    x = last_norm_.forward(arena_, x).relu();
    return classifier_.forward(arena_, x.mean({2, 3}));
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
  using Cell = NasBench201Cell<Mixer>;
  using Reduction = ResidualReduction<BatchNorm>;
  static constexpr int stages = 3;

  [[nodiscard]] std::string next_cell() const { return fmt::format("cells.{}", layers_.size()); }

  Mixer mixer_;
  Restriction<Space> allowed_;
  WeightArena arena_;
  Convolution stem_;
  BatchNorm stem_norm_;
  std::vector<std::variant<Cell, Reduction>> layers_;
  BatchNorm last_norm_;
  Linear classifier_;
};

static_assert(MixtureSupernet<NasBench201<>>);
static_assert(MixtureSupernet<NasBench201<FusedDouble>>);
static_assert(MixtureSupernet<NasBench201<FusedBFloat16>>);

}  // namespace cleave::supernet

namespace cleave {
template <>
struct SupernetFor<space::NasBench201> {
  using type = supernet::NasBench201<>;
};
}  // namespace cleave
