#pragma once

#include <algorithm>
#include <array>
#include <cleave/network/concept.hpp>
#include <cleave/supernet/darts.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cleave::network {

/// Sizes and regularisation of a stand-alone DARTS network; the defaults are the papers' retraining
/// on CIFAR-10.
struct DartsConfig {
  supernet::DartsConfig sizes{.channels = 36, .cells = 20};
  double drop_path = 0.2;         ///< probability at the end of training; grows from 0 linearly
  double auxiliary_weight = 0.4;  ///< of the auxiliary head's loss; 0: no head

  template <class F>
  void fields(F&& field) const {
    field("sizes", sizes);
    field("drop_path", drop_path);
    field("auxiliary_weight", auxiliary_weight);
  }

  /// Throws `ValueError` naming the first number that makes no network.
  void check() const {
    sizes.check();
    if (!(drop_path >= 0 && drop_path < 1))
      throw ValueError(
          fmt::format("darts network: drop-path {}, allowed 0 up to but not 1", drop_path));
    if (!(auxiliary_weight >= 0 && auxiliary_weight < 100))
      throw ValueError(fmt::format("darts network: auxiliary weight {}, allowed 0 to 100",
                                   auxiliary_weight));
  }
};

/// The stand-alone network of a DARTS genotype (Liu, Simonyan, Yang, ICLR 2019, section 3.2): the
/// supernet's skeleton with two operations per node, affine batch norm with running statistics, no
/// batch norm after pooling. Parameters and MACs equal space/darts_cost.hpp and the public code's.
///
/// A training pass adds two things. *Drop-path* (Larsson et al., ICLR 2017): what an edge carries is
/// left out for an image with probability p = drop_path * progress and divided by 1 - p otherwise; a
/// skip of stride 1 is never left out. p grows step by step, in the public code epoch by epoch.
/// *Auxiliary head*: a second classifier on the output of the cell at 2/3.
class Darts {
 public:
  using Space = space::Darts;
  using Config = DartsConfig;

  Darts(const space::DartsGenotype& genotype, const Config& config, const Stream& stream)
      : genotype_(genotype), config_(config) {
    config.check();
    const auto& sizes = config.sizes;
    constexpr std::int64_t stem_multiplier = 3;
    std::int64_t width = sizes.channels;
    std::int64_t before_last = stem_multiplier * width;
    std::int64_t last = before_last;
    stem_ = supernet::Convolution::declare(
        arena_, "stem.0.weight", WeightGroup::shared(),
        {.in = sizes.image_channels, .out = last, .kernel = 3});
    stem_norm_ = declare_norm("stem.1", last);
    bool after_reduction = false;
    for (std::int64_t i = 0; i < sizes.cells; ++i) {
      const bool reduction = sizes.is_reduction(i);
      if (reduction) width *= 2;
      cells_.push_back(declare_cell(fmt::format("cells.{}", i), reduction, after_reduction,
                                    {before_last, last}, width));
      before_last = last;
      last = width * static_cast<std::int64_t>(joined(reduction).size());
      after_reduction = reduction;
      if (i == head_cell() && config.auxiliary_weight > 0) head_ = declare_head(last);
    }
    classifier_ = supernet::Linear::declare(arena_, "classifier", WeightGroup::shared(), last,
                                            sizes.classes);
    const auto options = at::TensorOptions(sizes.device).dtype(sizes.scalar);
    arena_.build(options, stream);
    statistics_.build(options);
  }

  /// Logits [B, classes] with batch statistics (training) or running ones; nothing is dropped.
  /// Throws `ValueError` for images whose sides are not multiples of 4.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, bool training) const {
    return pass(images, training, {}, nullptr);
  }

  /// The same for a step of training, with drop-path and the auxiliary head's logits.
  [[nodiscard]] TrainingPass training_pass(const at::Tensor& images,
                                           const TrainingMoment& moment) const {
    TrainingPass result{.logits = {}, .auxiliary_weight = config_.auxiliary_weight};
    const auto shares = path_shares(images, config_.drop_path * moment.progress, moment.stream);
    result.logits = pass(images, true, shares, head_ ? &result.auxiliary : nullptr);
    return result;
  }

  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] RunningStatistics& statistics() noexcept { return statistics_; }
  [[nodiscard]] const space::DartsGenotype& genotype() const noexcept { return genotype_; }
  /// The auxiliary head's.
  [[nodiscard]] std::size_t training_parameters() const {
    std::int64_t count = 0;
    for (const auto& entry : arena_.entries())
      if (entry.name.starts_with("auxiliary_head.")) count += entry.slice.range.size();
    return static_cast<std::size_t>(count);
  }

 private:
  static constexpr std::size_t edge_count = 2 * space::darts_intermediate_nodes;

  struct Cell {
    bool reduction = false;
    supernet::Preprocess<RunningBatchNorm> older;
    supernet::Preprocess<RunningBatchNorm> recent;
    std::array<supernet::DartsOperationWeights<RunningBatchNorm>, edge_count> edges{};
  };
  struct Head {
    supernet::Convolution narrow;
    RunningBatchNorm narrow_norm;
    supernet::Convolution wide;
    RunningBatchNorm wide_norm;
    supernet::Linear classifier;
  };

  [[nodiscard]] std::int64_t head_cell() const { return 2 * config_.sizes.cells / 3; }
  [[nodiscard]] const std::vector<std::size_t>& joined(bool reduction) const {
    return reduction ? genotype_.reduce_concat : genotype_.normal_concat;
  }
  [[nodiscard]] const space::DartsGenotype::Cell& edges_of(bool reduction) const {
    return reduction ? genotype_.reduce : genotype_.normal;
  }
  static constexpr std::int64_t stride(bool reduction, std::size_t from) {
    return reduction && from < space::darts_input_nodes ? 2 : 1;
  }

  RunningBatchNorm declare_norm(const std::string& name, std::int64_t channels) {
    return RunningBatchNorm::declare(arena_, statistics_, name, channels);
  }

  Cell declare_cell(const std::string& prefix, bool reduction, bool after_reduction,
                    std::pair<std::int64_t, std::int64_t> inputs, std::int64_t width) {
    const auto group = WeightGroup::shared();
    const auto norm = [this](const std::string& name, WeightGroup, std::int64_t channels) {
      return declare_norm(name, channels);
    };
    using Input = supernet::Preprocess<RunningBatchNorm>;
    Cell cell;
    cell.reduction = reduction;
    cell.older = Input::declare(arena_, prefix + ".preprocess0", group, inputs.first, width,
                                after_reduction, norm);
    cell.recent =
        Input::declare(arena_, prefix + ".preprocess1", group, inputs.second, width, false, norm);
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto& edge = edges_of(reduction)[e];
      cell.edges[e] = supernet::DartsOperationWeights<RunningBatchNorm>::declare(
          arena_, fmt::format("{}._ops.{}", prefix, e), group, edge.operation, width,
          stride(reduction, edge.predecessor), norm);
    }
    return cell;
  }

  Head declare_head(std::int64_t in) {
    const auto group = WeightGroup::shared();
    constexpr std::int64_t hidden = 128;
    constexpr std::int64_t features = 768;
    const std::string prefix = "auxiliary_head.";
    Head head;
    head.narrow = supernet::Convolution::declare(arena_, prefix + "features.2.weight", group,
                                                 {.in = in, .out = hidden, .kernel = 1});
    head.narrow_norm = declare_norm(prefix + "features.3", hidden);
    head.wide = supernet::Convolution::declare(arena_, prefix + "features.5.weight", group,
                                               {.in = hidden, .out = features, .kernel = 2});
    head.wide.padding = 0;
    head.wide_norm = declare_norm(prefix + "features.6", features);
    head.classifier = supernet::Linear::declare(arena_, prefix + "classifier", group, features,
                                                config_.sizes.classes);
    return head;
  }

  [[nodiscard]] at::Tensor norm(const RunningBatchNorm& by, const at::Tensor& x,
                                bool training) const {
    return by.forward(arena_, statistics_, x, training);
  }

  /// For every edge of every cell, what its value is multiplied by: 0 or 1 / (1 - p) per image,
  /// [B, 1, 1, 1]; empty when nothing can be dropped. Drawn on the host, so that a run drops the
  /// same on every device, and copied once.
  [[nodiscard]] std::vector<at::Tensor> path_shares(const at::Tensor& images, double p,
                                                    Stream stream) const {
    if (p <= 0) return {};
    auto generator = at::make_generator<at::CPUGeneratorImpl>(stream.seed());
    const auto edges = static_cast<std::int64_t>(cells_.size() * edge_count);
    return at::rand({edges, images.size(0), 1, 1, 1}, generator, at::TensorOptions(at::kFloat))
        .ge(p)
        .to(images.options())
        .div_(1 - p)
        .unbind();
  }

  /// `head`, where given, receives the auxiliary head's logits.
  [[nodiscard]] at::Tensor pass(const at::Tensor& images, bool training,
                                const std::vector<at::Tensor>& shares, at::Tensor* head) const {
    supernet::DartsConfig::check_images(images);
    auto before_last = norm(stem_norm_, stem_.forward(arena_, images), training);
    auto last = before_last;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const auto first = shares.empty() ? nullptr : &shares[i * edge_count];
      auto next = cell(cells_[i], before_last, last, training, first);
      before_last = std::exchange(last, std::move(next));
      if (head != nullptr && static_cast<std::int64_t>(i) == head_cell())
        *head = second_opinion(last, training);
    }
    return classifier_.forward(arena_, last.mean({2, 3}));
  }

  /// `shares`: of the cell's first edge; null when nothing is dropped.
  [[nodiscard]] at::Tensor cell(const Cell& by, const at::Tensor& before_last,
                                const at::Tensor& last, bool training,
                                const at::Tensor* shares) const {
    const auto normalise = [&](const RunningBatchNorm& with, const at::Tensor& y) {
      return norm(with, y, training);
    };
    const auto plain = [](const at::Tensor& y) { return y; };
    std::vector<supernet::LeavingNode> nodes;
    nodes.reserve(space::darts_node_count);
    nodes.emplace_back(by.older.forward(arena_, before_last.relu(), normalise),
                       stride(by.reduction, 0));
    nodes.emplace_back(by.recent.forward(arena_, last.relu(), normalise), stride(by.reduction, 1));
    at::Tensor sum;
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto& [operation, from] = edges_of(by.reduction)[e];
      auto& node = nodes[from];
      const bool skip = operation == space::DartsOperation::skip_connect && by.edges[e].empty();
      at::Tensor y = skip                   ? node.plain()
                     : by.edges[e].empty() ? node.pooled(operation, plain)
                                           : by.edges[e].forward(arena_, node.rectified(),
                                                                 normalise, normalise);
      if (shares != nullptr && !skip) y = y.mul(shares[e]);
      sum = e % 2 == 0 ? y : sum.add(y);
      if (e % 2 == 1) nodes.emplace_back(sum, 1);
    }
    std::vector<at::Tensor> parts;
    for (const auto node : joined(by.reduction)) parts.push_back(nodes[node].plain());
    return at::cat(parts, 1);
  }

  /// ReLU, average over two windows of 5/8 of the side in each direction (5 of 8 pixels, stride 3, on
  /// CIFAR), 1x1 to 128, 2x2 to 768, linear layer.
  [[nodiscard]] at::Tensor second_opinion(const at::Tensor& x, bool training) const {
    const auto window = [](std::int64_t side) {
      if (side < 2)
        throw ValueError("darts network: the auxiliary head needs images of at least 8 x 8 pixels; "
                         "auxiliary_weight = 0 leaves it out");
      return std::max<std::int64_t>(1, (5 * side + 4) / 8);
    };
    const auto height = window(x.size(2));
    const auto width = window(x.size(3));
    auto y = at::avg_pool2d(x.relu(), {height, width}, {x.size(2) - height, x.size(3) - width});
    y = norm(head_->narrow_norm, head_->narrow.forward(arena_, y), training).relu_();
    y = norm(head_->wide_norm, head_->wide.forward(arena_, y), training).relu_();
    return head_->classifier.forward(arena_, y.flatten(1));
  }

  space::DartsGenotype genotype_;
  Config config_;
  WeightArena arena_;
  RunningStatistics statistics_;
  supernet::Convolution stem_;
  RunningBatchNorm stem_norm_;
  std::vector<Cell> cells_;
  std::optional<Head> head_;
  supernet::Linear classifier_;
};

static_assert(NetworkWithTrainingPass<Darts>);

}  // namespace cleave::network

namespace cleave {
template <bool WithNone>
struct NetworkFor<space::DartsSpace<WithNone>> {
  using type = network::Darts;
};
}  // namespace cleave
