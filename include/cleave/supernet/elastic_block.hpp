#pragma once

#include <algorithm>
#include <cleave/supernet/mobile_block.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cleave::supernet {

/// The kernel x kernel filters, 3, 5 or 7, in depthwise 7x7 filters [C, 1, 7, 7] (Cai et al.,
/// ICLR 2020, section 3.2): the centre of the next larger filter, its k*k numbers transformed by a
/// matrix that all channels share, to_five [25, 25] and to_three [9, 9]. A matrix that is not needed
/// may be undefined.
[[nodiscard]] inline at::Tensor elastic_filter(const at::Tensor& weight, const at::Tensor& to_five,
                                               const at::Tensor& to_three, std::int64_t kernel) {
  auto filter = weight;
  for (const auto* matrix : {&to_five, &to_three}) {
    const auto size = filter.size(2) - 2;
    if (size < kernel) break;
    const auto centre = filter.narrow(2, 1, size).narrow(3, 1, size);
    filter = at::linear(centre.reshape({-1, size * size}), *matrix).view({-1, 1, size, size});
  }
  return filter;
}

/// The weights of a layer whose kernel and width are elastic: an expansion to 1, ... `widest`
/// channels of which a subnet uses the first, depthwise 7x7 filters that hold the smaller ones.
struct ElasticBlock {
  ConvNorm<BatchNorm> expand;
  ConvNorm<BatchNorm> depthwise;
  std::optional<WeightId> to_five;
  std::optional<WeightId> to_three;
  std::optional<SqueezeExcite> squeeze;
  ConvNorm<BatchNorm> project;
  space::Activation activation = space::Activation::relu;
  bool shortcut = false;

  static constexpr std::int64_t largest_kernel = 7;

  /// `widest`: the block at its largest allowed width; its kernel is the smallest that is allowed.
  static ElasticBlock declare(WeightArena& arena, const std::string& prefix, WeightGroup group,
                              const space::MobileBlock& widest) {
    const auto norm = [&arena](const std::string& name, WeightGroup of, std::int64_t channels) {
      return BatchNorm::declare_affine(arena, name, of, channels);
    };
    auto whole = widest;
    whole.kernel = static_cast<std::size_t>(largest_kernel);
    const auto layers =
        MobileBlockLayers<BatchNorm>::declare(arena, prefix, group, whole, norm);
    const auto matrix = [&](const char* name, std::int64_t size) {
      return arena.declare(prefix + name, group, {size, size}, Initialiser::identity_matrix());
    };
    ElasticBlock block{.expand = *layers.expand,
                       .depthwise = layers.depthwise,
                       .to_five = {},
                       .to_three = {},
                       .squeeze = layers.squeeze,
                       .project = layers.project,
                       .activation = layers.activation,
                       .shortcut = layers.shortcut};
    if (widest.kernel <= 5) block.to_five = matrix(".depthwise.7to5", 25);
    if (widest.kernel <= 3) block.to_three = matrix(".depthwise.5to3", 9);
    return block;
  }

  /// How a subnet uses the block.
  struct Size {
    std::int64_t kernel = largest_kernel;
    std::int64_t mid = 0;
  };

  /// x: [B, in, H, W] -> [B, out, H / stride, W / stride].
  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const at::Tensor& x,
                                   const Size& size) const {
    const auto part = [&](WeightId id) { return arena.weight(id).narrow(0, 0, size.mid); };
    const auto normalised = [&](const at::Tensor& y, const BatchNorm& norm) {
      return at::batch_norm(y, part(*norm.scale), part(*norm.shift), {}, {}, true, 0.0,
                            batch_norm_epsilon, true);
    };
    auto y = at::conv2d(x, part(expand.conv.weight));
    y = activate(activation, normalised(y, expand.norm));
    y = at::conv2d(y, filter(arena, size), {}, depthwise.conv.stride, size.kernel / 2, 1, size.mid);
    y = activate(activation, normalised(y, depthwise.norm));
    if (squeeze)
      y = squeeze->forward(y, [&](WeightId id) { return squeeze_part(arena, id, size.mid); });
    y = project.norm.forward(arena,
                             at::conv2d(y, arena.weight(project.conv.weight).narrow(1, 0, size.mid)));
    return shortcut ? x.add(y) : y;
  }

  /// Calls `visit(name, tensor)` for every weight of the stand-alone block of this size, with the
  /// names of `MobileBlockLayers`.
  template <class Visit>
  void visit(const WeightArena& arena, const std::string& prefix, const Size& size,
             Visit visit) const {
    const auto part = [&](WeightId id) { return arena.weight(id).narrow(0, 0, size.mid); };
    visit(prefix + ".expand.conv.weight", part(expand.conv.weight));
    visit(prefix + ".expand.bn.weight", part(*expand.norm.scale));
    visit(prefix + ".expand.bn.bias", part(*expand.norm.shift));
    visit(prefix + ".depthwise.conv.weight", filter(arena, size));
    visit(prefix + ".depthwise.bn.weight", part(*depthwise.norm.scale));
    visit(prefix + ".depthwise.bn.bias", part(*depthwise.norm.shift));
    if (squeeze)
      for (const auto& [name, id] : {std::pair{".squeeze.reduce.weight", squeeze->reduce.weight},
                                     std::pair{".squeeze.reduce.bias", squeeze->reduce.bias},
                                     std::pair{".squeeze.restore.weight", squeeze->restore.weight},
                                     std::pair{".squeeze.restore.bias", squeeze->restore.bias}})
        visit(prefix + name, squeeze_part(arena, id, size.mid));
    visit(prefix + ".project.conv.weight", arena.weight(project.conv.weight).narrow(1, 0, size.mid));
    visit(prefix + ".project.bn.weight", arena.weight(*project.norm.scale));
    visit(prefix + ".project.bn.bias", arena.weight(*project.norm.shift));
  }

  /// Reorders the channels in the middle by the L1 norm of what the projection makes of them, the
  /// most important first, inside each of the segments that end at `ends` (rising; the last is the
  /// whole width); squeeze-and-excitation's own channels in the same way. Whoever uses a width of
  /// `ends` computes what it did before.
  void sort_channels(const WeightArena& arena, std::span<const std::int64_t> ends,
                     std::span<const WeightArena::Row> rows) const {
    const auto reorder = [&](WeightId id, std::int64_t dimension, const at::Tensor& order) {
      for (const auto& row : rows) {
        const auto& tensor = row[id.index];
        tensor.copy_(tensor.index_select(dimension, order));
      }
    };
    const auto order = order_of(arena.weight(project.conv.weight).abs().sum({0, 2, 3}), ends);
    reorder(project.conv.weight, 1, order);
    for (const auto* part : {&expand, &depthwise}) {
      reorder(part->conv.weight, 0, order);
      reorder(*part->norm.scale, 0, order);
      reorder(*part->norm.shift, 0, order);
    }
    if (!squeeze) return;
    reorder(squeeze->reduce.weight, 1, order);
    reorder(squeeze->restore.weight, 0, order);
    reorder(squeeze->restore.bias, 0, order);
    std::vector<std::int64_t> hidden;
    for (const auto end : ends) hidden.push_back(squeezed(end));
    hidden.erase(std::unique(hidden.begin(), hidden.end()), hidden.end());
    const auto inner = order_of(arena.weight(squeeze->restore.weight).abs().sum(0), hidden);
    reorder(squeeze->restore.weight, 1, inner);
    reorder(squeeze->reduce.weight, 0, inner);
    reorder(squeeze->reduce.bias, 0, inner);
  }

 private:
  static std::int64_t squeezed(std::int64_t mid) {
    return static_cast<std::int64_t>(space::squeezed_channels(static_cast<std::size_t>(mid)));
  }

  [[nodiscard]] at::Tensor filter(const WeightArena& arena, const Size& size) const {
    const auto matrix = [&](const std::optional<WeightId>& id) {
      return id ? arena.weight(*id) : at::Tensor();
    };
    return elastic_filter(arena.weight(depthwise.conv.weight).narrow(0, 0, size.mid),
                          matrix(to_five), matrix(to_three), size.kernel);
  }

  /// The part of a squeeze-and-excitation weight that a width uses.
  [[nodiscard]] at::Tensor squeeze_part(const WeightArena& arena, WeightId id,
                                        std::int64_t mid) const {
    const auto& weight = arena.weight(id);
    const bool first = id.index == squeeze->reduce.weight.index ||
                       id.index == squeeze->reduce.bias.index;
    const auto rows = weight.narrow(0, 0, first ? squeezed(mid) : mid);
    return weight.dim() == 1 ? rows : rows.narrow(1, 0, first ? mid : squeezed(mid));
  }

  /// The permutation that sorts `importance` downwards inside each segment.
  static at::Tensor order_of(const at::Tensor& importance, std::span<const std::int64_t> ends) {
    std::vector<at::Tensor> parts;
    std::int64_t begin = 0;
    for (const auto end : ends) {
      parts.push_back(at::argsort(importance.detach().narrow(0, begin, end - begin),
                                  /*stable=*/true, 0, /*descending=*/true)
                          .add(begin));
      begin = end;
    }
    return at::cat(parts);
  }
};

}  // namespace cleave::supernet
