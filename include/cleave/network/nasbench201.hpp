#pragma once

#include <array>
#include <cleave/network/concept.hpp>
#include <cleave/supernet/average_pool.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
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
        layers_.emplace_back(Reduction::declare(
            arena_, prefix(), channels, 2 * channels,
            [&](const std::string& name, WeightGroup, std::int64_t out) {
              return declare_norm(name, out);
            }));
        channels *= 2;
      }
      for (std::int64_t i = 0; i < config.cells; ++i) layers_.emplace_back(declare_cell(channels));
    }
    last_norm_ = declare_norm("lastact.0", channels);
    classifier_ = supernet::Linear::declare(arena_, "classifier", WeightGroup::shared(), channels,
                                            config.classes);
    const auto options = at::TensorOptions(config.device).dtype(config.scalar);
    arena_.build(options, stream);
    statistics_.build(options);
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& images, bool training) const {
    auto x = norm(stem_norm_, stem_.forward(arena_, images), training);
    for (const auto& layer : layers_)
      if (const auto* edges = std::get_if<Cell>(&layer))
        x = cell(*edges, x, training);
      else
        x = std::get<Reduction>(layer).forward(
            arena_, x, [&](const RunningBatchNorm& by, const at::Tensor& y) {
              return norm(by, y, training);
            });
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
  /// The convolutions of a cell, by edge.
  using Cell = std::array<std::optional<ConvNorm>, edge_count>;
  using Reduction = supernet::ResidualReduction<RunningBatchNorm>;

  supernet::Convolution declare_conv(std::string name, const supernet::Convolution::Shape& shape) {
    return supernet::Convolution::declare(arena_, std::move(name), WeightGroup::shared(), shape);
  }
  RunningBatchNorm declare_norm(const std::string& name, std::int64_t channels) {
    return RunningBatchNorm::declare(arena_, statistics_, name, channels);
  }
  [[nodiscard]] std::string prefix() const { return fmt::format("cells.{}", layers_.size()); }

  Cell declare_cell(std::int64_t channels) {
    Cell cell;
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto option = architecture_[DecisionId(e)];
      if (option != Space::nor_conv_1x1 && option != Space::nor_conv_3x3) continue;
      const auto name = fmt::format("{}.edges.{}", prefix(), Space::decision_name(DecisionId(e)));
      cell[e] = ConvNorm{
          declare_conv(name + ".op.1.weight",
                       {.in = channels,
                        .out = channels,
                        .kernel = option == Space::nor_conv_3x3 ? 3 : 1}),
          declare_norm(name + ".op.2", channels)};
    }
    return cell;
  }

  [[nodiscard]] at::Tensor norm(const RunningBatchNorm& by, const at::Tensor& x,
                                bool training) const {
    return by.forward(arena_, statistics_, x, training);
  }
  [[nodiscard]] at::Tensor cell(const Cell& edges, const at::Tensor& x, bool training) const {
    std::array<at::Tensor, Space::node_count> nodes{x};
    std::array<at::Tensor, Space::node_count> rectified{};
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto [to, from] = Space::edges[e];
      const auto option = architecture_[DecisionId(e)];
      if (option == Space::none || !nodes[from].defined()) continue;
      at::Tensor y;
      if (edges[e]) {
        if (!rectified[from].defined()) rectified[from] = nodes[from].relu();
        y = norm(edges[e]->norm, edges[e]->conv.forward(arena_, rectified[from]), training);
      } else {
        y = option == Space::skip_connect ? nodes[from] : supernet::average_pool_3x3(nodes[from]);
      }
      nodes[to] = nodes[to].defined() ? nodes[to].add(y) : y;
    }
    return nodes.back().defined() ? nodes.back() : at::zeros_like(x);
  }

  Architecture<Space> architecture_;
  WeightArena arena_;
  RunningStatistics statistics_;
  supernet::Convolution stem_;
  RunningBatchNorm stem_norm_;
  std::vector<std::variant<Cell, Reduction>> layers_;
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
