#pragma once

#include <array>
#include <cleave/network/concept.hpp>
#include <cleave/supernet/average_pool.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <optional>
#include <string>
#include <vector>

namespace cleave::network {

/// The stand-alone NAS-Bench-201 network of one architecture (Dong and Yang, ICLR 2020): the
/// supernet's skeleton with one operation per edge and affine batch norm with running statistics.
/// Parameters and MACs equal the benchmark's (space/nasbench201_cost.hpp).
class NasBench201 {
 public:
  using Space = space::NasBench201;
  using Config = supernet::NasBench201Config;

  NasBench201(const Architecture<Space>& architecture, const Config& config, const Stream& stream)
      : architecture_(architecture) {
    config.check();
    std::int64_t channels = config.channels;
    stem_ = declare_conv("stem.0.weight", {.in = config.image_channels, .out = channels, .kernel = 3});
    stem_norm_ = declare_norm("stem.1", channels);
    for (int stage = 0; stage < stages; ++stage) {
      if (stage > 0) {
        layers_.push_back(declare_reduction(channels));
        channels *= 2;
      }
      for (std::int64_t i = 0; i < config.cells; ++i) layers_.push_back(declare_cell(channels));
    }
    last_norm_ = declare_norm("lastact.0", channels);
    classifier_ = supernet::Linear::declare(arena_, "classifier", WeightGroup::shared(), channels,
                                            config.classes);
    const auto options = torch::TensorOptions(config.device).dtype(config.scalar);
    arena_.build(options, stream);
    statistics_.build(options);
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& images, bool training) const {
    auto x = norm(stem_norm_, stem_.forward(arena_, images), training);
    for (const auto& layer : layers_)
      x = layer.reduction ? reduce(layer, x, training) : cell(layer, x, training);
    x = norm(last_norm_, x, training).relu();
    return classifier_.forward(arena_, x.mean({2, 3}));
  }

  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] RunningStatistics& statistics() noexcept { return statistics_; }
  [[nodiscard]] const Architecture<Space>& genotype() const noexcept { return architecture_; }

 private:
  static constexpr int stages = 3;
  static constexpr std::size_t edge_count = Space::decision_count;

  struct ConvNorm {
    supernet::Convolution conv;
    RunningBatchNorm norm;
  };
  struct Layer {
    bool reduction = false;
    std::array<std::optional<ConvNorm>, edge_count> edges{};  ///< of a cell
    std::array<ConvNorm, 2> branch{};                         ///< of a reduction
    supernet::Convolution downsample{};
  };

  supernet::Convolution declare_conv(std::string name, const supernet::Convolution::Shape& shape) {
    return supernet::Convolution::declare(arena_, std::move(name), WeightGroup::shared(), shape);
  }
  RunningBatchNorm declare_norm(const std::string& name, std::int64_t channels) {
    return RunningBatchNorm::declare(arena_, statistics_, name, channels);
  }
  [[nodiscard]] std::string prefix() const { return fmt::format("cells.{}", layers_.size()); }

  Layer declare_cell(std::int64_t channels) {
    Layer layer;
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto option = architecture_[DecisionId(e)];
      if (option != Space::nor_conv_1x1 && option != Space::nor_conv_3x3) continue;
      const auto name = fmt::format("{}.edges.{}", prefix(), Space::decision_name(DecisionId(e)));
      layer.edges[e] = ConvNorm{
          declare_conv(name + ".op.1.weight",
                       {.in = channels,
                        .out = channels,
                        .kernel = option == Space::nor_conv_3x3 ? 3 : 1}),
          declare_norm(name + ".op.2", channels)};
    }
    return layer;
  }

  Layer declare_reduction(std::int64_t channels) {
    Layer layer;
    layer.reduction = true;
    const auto out = 2 * channels;
    layer.branch[0] = {declare_conv(prefix() + ".conv_a.op.1.weight",
                                    {.in = channels, .out = out, .kernel = 3, .stride = 2}),
                       declare_norm(prefix() + ".conv_a.op.2", out)};
    layer.branch[1] = {declare_conv(prefix() + ".conv_b.op.1.weight",
                                    {.in = out, .out = out, .kernel = 3}),
                       declare_norm(prefix() + ".conv_b.op.2", out)};
    layer.downsample = declare_conv(prefix() + ".downsample.1.weight",
                                    {.in = channels, .out = out, .kernel = 1});
    return layer;
  }

  [[nodiscard]] at::Tensor norm(const RunningBatchNorm& by, const at::Tensor& x,
                                bool training) const {
    return by.forward(arena_, statistics_, x, training);
  }
  [[nodiscard]] at::Tensor conv_norm(const ConvNorm& part, const at::Tensor& rectified,
                                     bool training) const {
    return norm(part.norm, part.conv.forward(arena_, rectified), training);
  }

  [[nodiscard]] at::Tensor cell(const Layer& layer, const at::Tensor& x, bool training) const {
    std::array<at::Tensor, Space::node_count> nodes{x};
    std::array<at::Tensor, Space::node_count> rectified{};
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto [to, from] = Space::edges[e];
      const auto option = architecture_[DecisionId(e)];
      if (option == Space::none || !nodes[from].defined()) continue;
      at::Tensor y;
      if (layer.edges[e]) {
        if (!rectified[from].defined()) rectified[from] = nodes[from].relu();
        y = conv_norm(*layer.edges[e], rectified[from], training);
      } else {
        y = option == Space::skip_connect ? nodes[from] : supernet::average_pool_3x3(nodes[from]);
      }
      nodes[to] = nodes[to].defined() ? nodes[to].add(y) : y;
    }
    return nodes.back().defined() ? nodes.back() : at::zeros_like(x);
  }

  [[nodiscard]] at::Tensor reduce(const Layer& layer, const at::Tensor& x, bool training) const {
    const auto a = conv_norm(layer.branch[0], x.relu(), training);
    const auto b = conv_norm(layer.branch[1], a.relu(), training);
    return layer.downsample.forward(arena_, at::avg_pool2d(x, 2, 2)).add(b);
  }

  Architecture<Space> architecture_;
  WeightArena arena_;
  RunningStatistics statistics_;
  supernet::Convolution stem_;
  RunningBatchNorm stem_norm_;
  std::vector<Layer> layers_;
  RunningBatchNorm last_norm_;
  supernet::Linear classifier_;
};

static_assert(Network<NasBench201>);

}  // namespace cleave::network

namespace cleave {
template <>
struct NetworkFor<space::NasBench201> {
  using type = network::NasBench201;
};
}  // namespace cleave
