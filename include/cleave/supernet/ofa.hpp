#pragma once

#include <array>
#include <cleave/space/ofa.hpp>
#include <cleave/supernet/concept.hpp>
#include <cleave/supernet/elastic_block.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cleave::supernet {

/// The Once-for-All supernet over MobileNetV3 (Cai et al., ICLR 2020): one network whose subnets
/// use smaller kernels (learned transforms of the 7x7 filters), the first channels of every layer,
/// the first layers of every stage and smaller images. Its context is an architecture.
///
/// A block's tensors are as large as the widest allowed expansion, its kernels always 7x7 (smaller
/// ones are made from them); layers beyond every allowed depth do not exist. They belong to kernel
/// and expansion of the block together, so that both are scored on everything but the block
/// (method.md section 2); a depth and the image own nothing. Images of any size; batch statistics
/// only.
class Ofa {
 public:
  using Space = space::Ofa;
  using Context = Architecture<Space>;
  using Config = MobileConfig<space::OfaShape>;

  /// Throws `ValueError` as `space::network`.
  Ofa(const Restriction<Space>& allowed, const Config& config, const Stream& stream)
      : allowed_(allowed), config_(config) {
    const auto whole = space::network(largest_of(Restriction<Space>()), config.shape);
    space::validate(whole);
    const auto group = WeightGroup::shared();
    const auto norm = [this](const std::string& name, WeightGroup of, std::int64_t channels) {
      return BatchNorm::declare_affine(arena_, name, of, channels);
    };
    stem_ = Stem::declare(arena_, group, whole, norm);
    first_ = Fixed::declare(arena_, "blocks.0", group, whole.blocks.front(), norm);
    for (std::size_t place = 0; place < Space::layer_count; ++place) {
      inputs_[place] = whole.blocks[place + 1].in;
      if (!space::Ofa::uses(allowed, Space::kernel(place))) continue;
      auto block = whole.blocks[place + 1];
      block.mid = static_cast<std::size_t>(mid(place, last(allowed[Space::expand(place)])));
      block.kernel = Space::kernels[allowed[Space::kernel(place)].nth(0).index()];
      arena_.own_jointly(Space::expand(place), Space::kernel(place));
      layers_[place] = ElasticBlock::declare(arena_, name_of(place + 1),
                                             WeightGroup::of(Space::kernel(place)), block);
    }
    head_ = Head::declare(arena_, group, whole, norm);
    arena_.build(config.options(), stream);
  }

  /// images: [B, C, H, W] -> [B, classes]. Throws `ValueError` for a subnet outside the
  /// restriction.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& subnet) const {
    return forward_from(0, images, subnet);
  }

  /// Place 0 is what comes before the layers, place 1 + i is layer i, there or not. A depth changes
  /// what comes after the layers that all depths have.
  static constexpr std::size_t place_count = Space::layer_count + 1;
  static constexpr std::size_t place_of(DecisionId decision) {
    const auto place = Space::place(decision);
    switch (Space::kind(decision)) {
      case Space::Kind::image:
        return 0;
      case Space::Kind::depth:
        return 1 + Space::layers_per_stage * place + Space::depths.front();
      default:
        return 1 + place;
    }
  }

  /// See `BeginsAnywhere`. Throws as `forward`.
  [[nodiscard]] at::Tensor forward_from(std::size_t place, const at::Tensor& x,
                                        const Context& subnet,
                                        std::span<at::Tensor> entered = {}) const {
    if (!allowed_.contains(subnet))
      throw ValueError(
          fmt::format("ofa supernet: {} lies outside its restriction", Space::to_text(subnet)));
    return run(place, x, subnet, entered);
  }

  /// The largest network that the weights hold, with kernels of 7 whether they are allowed or not:
  /// the teacher, which looks at images as large as `like` does. [B, classes]
  [[nodiscard]] at::Tensor forward_full(const at::Tensor& images, const Context& like) const {
    auto full = largest();
    full.set(Space::image(), like[Space::image()]);
    for (std::size_t place = 0; place < Space::layer_count; ++place)
      full.set(Space::kernel(place), OptionId(Space::kernels.size() - 1));
    return run(0, images, full, {});
  }

  /// Subnets have no weights to keep: hard and soft probes are the same.
  [[nodiscard]] Context probe(const Context& context, DecisionId decision, OptionId option,
                              Probe) const {
    return Context(context).set(decision, option);
  }
  [[nodiscard]] Context context_of(const Architecture<Space>& subnet) const { return subnet; }

  /// The largest and the smallest allowed option of every decision.
  [[nodiscard]] Architecture<Space> largest() const { return largest_of(allowed_); }
  [[nodiscard]] Architecture<Space> smallest() const {
    Architecture<Space> result;
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      result.set(DecisionId(d), allowed_[DecisionId(d)].nth(0));
    return result;
  }

  /// Sorts the channels of every layer by importance (`ElasticBlock::sort_channels`), so that
  /// smaller widths begin with the channels that matter most. Subnets whose expansions are the
  /// largest allowed one or in `trained` stay the same functions. `companions`, such as momentum,
  /// are [P] buffers that are reordered in the same way.
  void sort_channels(OptionSet trained, std::span<const at::Tensor> companions = {}) {
    const at::NoGradGuard no_grad;
    std::vector<WeightArena::Row> rows{arena_.make_row(arena_.values())};
    for (const auto& flat : companions) rows.push_back(arena_.make_row(flat));
    for (std::size_t place = 0; place < Space::layer_count; ++place) {
      if (!layers_[place]) continue;
      const auto allowed = allowed_[Space::expand(place)];
      std::vector<std::int64_t> ends;
      for (const auto option : allowed)
        if (trained.contains(option) || option == last(allowed))
          if (const auto end = mid(place, option); ends.empty() || ends.back() != end)
            ends.push_back(end);
      layers_[place]->sort_channels(arena_, ends, rows);
    }
  }

  /// Calls `visit(name, tensor)` for every weight of a subnet as the subnet uses it, under the
  /// names of the stand-alone network. Throws `ValueError` for a subnet outside the restriction.
  template <class Visit>
  void visit_subnet(const Context& subnet, Visit visit) const {
    if (!allowed_.contains(subnet))
      throw ValueError(
          fmt::format("ofa supernet: {} lies outside its restriction", Space::to_text(subnet)));
    for (const auto& entry : arena_.entries())
      if (entry.group == WeightGroup::shared())
        visit(std::string(entry.name), arena_.named(entry.name));
    std::size_t block = 1;
    for (std::size_t place = 0; place < Space::layer_count; ++place)
      if (has_layer(subnet, place))
        layers_[place]->visit(arena_, name_of(block++), size(place, subnet), visit);
  }

  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] const WeightArena& arena() const noexcept { return arena_; }
  [[nodiscard]] const Restriction<Space>& restriction() const noexcept { return allowed_; }
  [[nodiscard]] const Config& config() const noexcept { return config_; }

 private:
  using Stem = MobileStem<BatchNorm>;
  using Fixed = MobileBlockLayers<BatchNorm>;
  using Head = MobileHead<BatchNorm>;

  static OptionId last(OptionSet options) { return options.nth(options.size() - 1); }
  static std::string name_of(std::size_t block) { return fmt::format("blocks.{}", block); }
  static Architecture<Space> largest_of(const Restriction<Space>& allowed) {
    Architecture<Space> result;
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      result.set(DecisionId(d), last(allowed[DecisionId(d)]));
    return result;
  }

  /// Channels in the middle of a layer at an expansion.
  [[nodiscard]] std::int64_t mid(std::size_t place, OptionId expansion) const {
    return static_cast<std::int64_t>(space::make_divisible(
        static_cast<double>(inputs_[place] * Space::expansions[expansion.index()])));
  }
  [[nodiscard]] ElasticBlock::Size size(std::size_t place, const Context& subnet) const {
    return {static_cast<std::int64_t>(Space::kernels[subnet[Space::kernel(place)].index()]),
            mid(place, subnet[Space::expand(place)])};
  }

  static bool has_layer(const Context& subnet, std::size_t layer) {
    const auto depth = subnet[Space::depth(layer / Space::layers_per_stage)];
    return layer % Space::layers_per_stage < Space::depths[depth.index()];
  }

  [[nodiscard]] at::Tensor run(std::size_t place, at::Tensor x, const Context& subnet,
                               std::span<at::Tensor> entered) const {
    const auto normalise = [this](const BatchNorm& norm, const at::Tensor& y) {
      return norm.forward(arena_, y);
    };
    for (; place < place_count; ++place) {
      if (!entered.empty()) entered[place] = x;
      if (place == 0) {
        x = stem_.forward(arena_, scaled_images(x, Space::image_share(subnet)), normalise);
        x = first_.forward(arena_, x, normalise);
      } else if (has_layer(subnet, place - 1)) {
        x = layers_[place - 1]->forward(arena_, x, size(place - 1, subnet));
      }
    }
    return head_.classifier.forward(arena_, head_.features(arena_, x, normalise));
  }

  Restriction<Space> allowed_;
  Config config_;
  WeightArena arena_;
  Stem stem_;
  Fixed first_;
  std::array<std::size_t, Space::layer_count> inputs_{};  ///< channels before each layer
  std::array<std::optional<ElasticBlock>, Space::layer_count> layers_{};
  Head head_;
};

static_assert(ElasticSupernet<Ofa> && !MixtureSupernet<Ofa> && BeginsAnywhere<Ofa>);

}  // namespace cleave::supernet

namespace cleave {
template <>
struct SupernetFor<space::Ofa> {
  using type = supernet::Ofa;
};
}  // namespace cleave
