#pragma once

#include <cleave/supernet/check_positive.hpp>
#include <cleave/supernet/darts_cell.hpp>
#include <vector>

namespace cleave::supernet {

/// Sizes of a DARTS supernet; the defaults are the papers' search on CIFAR-10.
struct DartsConfig {
  std::int64_t channels = 16;  ///< of the first cells; doubled by each reduction cell
  std::int64_t cells = 8;      ///< the ones at 1/3 and 2/3 are reduction cells
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
    check_positive("darts", "channels", channels);
    check_positive("darts", "cells", cells);
    check_positive("darts", "image channels", image_channels);
    check_positive("darts", "classes", classes);
  }
  [[nodiscard]] bool is_reduction(std::int64_t cell) const {
    return cell == cells / 3 || cell == 2 * cells / 3;
  }
  /// Throws `ValueError` for images that the reductions cannot halve twice.
  static void check_images(const at::Tensor& images) {
    if (images.size(2) % 4 != 0 || images.size(3) % 4 != 0)
      throw ValueError(fmt::format("darts network: images of {} x {} pixels, both must be multiples "
                                   "of 4", images.size(2), images.size(3)));
  }
};

/// The DARTS supernet over a restriction (Liu, Simonyan, Yang, ICLR 2019, section 2): stem to 3C
/// channels, normal and reduction cells that take the outputs of the two cells before them, global
/// average pool, classifier. The operations of an edge in all cells of its type belong to that
/// decision's options; stem, preprocessing and classifier are shared but not scored (method.md
/// section 2). Batch norm inside cells has no affine part, and both poolings are followed by one.
/// An edge whose active set is empty is left out. Weight names are those of the public code.
template <class DartsSpace = space::Darts, class Mixer = ComposedDarts<DartsSpace>>
class Darts {
 public:
  using Space = DartsSpace;
  using Context = Mixture<Space>;
  using Config = DartsConfig;

  Darts(const Restriction<Space>& allowed, const Config& config, const Stream& stream)
      : allowed_(allowed) {
    config.check();
    const auto unscored = WeightGroup::unscored();
    constexpr std::int64_t stem_multiplier = 3;
    std::int64_t width = config.channels;
    std::int64_t before_last = stem_multiplier * width;
    std::int64_t last = before_last;
    stem_ = Convolution::declare(arena_, "stem.0.weight", unscored,
                                 {.in = config.image_channels, .out = last, .kernel = 3});
    stem_norm_ = BatchNorm::declare_affine(arena_, "stem.1", unscored, last);
    bool after_reduction = false;
    for (std::int64_t i = 0; i < config.cells; ++i) {
      const bool reduction = config.is_reduction(i);
      if (reduction) width *= 2;
      cells_.push_back(DartsCell<Mixer>::declare(arena_, fmt::format("cells.{}", i), allowed,
                                                 {.reduction = reduction,
                                                  .after_reduction = after_reduction,
                                                  .older = before_last,
                                                  .recent = last,
                                                  .width = width}));
      before_last = last;
      last = static_cast<std::int64_t>(space::darts_intermediate_nodes) * width;
      after_reduction = reduction;
    }
    classifier_ = Linear::declare(arena_, "classifier", unscored, last, config.classes);
    arena_.build(at::TensorOptions(config.device).dtype(config.scalar), stream);
  }

  /// Throws `ValueError` for a mixture with an active option that the restriction left out, and for
  /// images whose sides are not multiples of 4.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& mixture) const {
    mixture.check_within(allowed_);
    Config::check_images(images);
    const MixtureScalars<Space> scalars(mixture);
    auto before_last = stem_norm_.forward(arena_, stem_.forward(arena_, images));
    auto last = before_last;
    for (const auto& cell : cells_) {
      auto next = cell.forward(arena_, before_last, last, mixture, scalars);
      before_last = std::exchange(last, std::move(next));
    }
    return classifier_.forward(arena_, last.mean({2, 3}));
  }

  [[nodiscard]] Context probe(const Context& context, DecisionId decision, OptionId option,
                              Probe kind) const {
    return context.probe(decision, option, kind);
  }

  /// The kept edges, each with weight 1; the other edges are left out. Throws `ValueError` for a
  /// genotype that does not join all four nodes: the supernet's cells do.
  [[nodiscard]] Context context_of(const space::DartsGenotype& genotype) const {
    Context context;
    for (const bool reduction : {false, true}) {
      const auto& joined = reduction ? genotype.reduce_concat : genotype.normal_concat;
      if (joined.size() != space::darts_intermediate_nodes)
        throw ValueError(fmt::format("{} supernet: a genotype that joins {} nodes, its cells join "
                                     "all {}", Space::name, joined.size(),
                                     space::darts_intermediate_nodes));
      const auto& cell = reduction ? genotype.reduce : genotype.normal;
      for (std::size_t e = 0; e < cell.size(); ++e) {
        const auto decision =
            Space::decision(reduction, space::darts_input_nodes + e / 2, cell[e].predecessor);
        context.active[decision.index()].insert(Space::option(cell[e].operation));
      }
    }
    return context;
  }

  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] const WeightArena& arena() const noexcept { return arena_; }
  [[nodiscard]] const Restriction<Space>& restriction() const noexcept { return allowed_; }

 private:
  Restriction<Space> allowed_;
  WeightArena arena_;
  Convolution stem_;
  BatchNorm stem_norm_;
  std::vector<DartsCell<Mixer>> cells_;
  Linear classifier_;
};

static_assert(MixtureSupernet<Darts<space::Darts>>);
static_assert(MixtureSupernet<Darts<space::DartsWithNone>>);

}  // namespace cleave::supernet

namespace cleave {
template <bool WithNone>
struct SupernetFor<space::DartsSpace<WithNone>> {
  using type = supernet::Darts<space::DartsSpace<WithNone>>;
};
}  // namespace cleave
