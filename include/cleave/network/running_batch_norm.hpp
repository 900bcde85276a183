#pragma once

#include <cleave/supernet/operations.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cleave::network {

/// Running statistics of all batch norms of a network in one buffer, so that they are saved and
/// restored as one tensor.
class RunningStatistics {
 public:
  /// Reserves mean and variance of `channels`; returns their place.
  std::int64_t declare(std::int64_t channels) {
    const auto place = size_;
    size_ += 2 * channels;
    channels_.push_back({place, channels});
    return place;
  }
  void build(at::TensorOptions options) {
    flat_ = at::zeros({size_}, options);
    for (const auto& [place, channels] : channels_)
      flat_.narrow(0, place + channels, channels).fill_(1.0);
  }
  [[nodiscard]] at::Tensor mean(std::int64_t place, std::int64_t channels) const {
    return flat_.narrow(0, place, channels);
  }
  [[nodiscard]] at::Tensor variance(std::int64_t place, std::int64_t channels) const {
    return flat_.narrow(0, place + channels, channels);
  }
  /// [2 * channels of all norms]: means and variances, norm by norm; [0] in a network without any.
  [[nodiscard]] const at::Tensor& values() const noexcept { return flat_; }

 private:
  std::int64_t size_ = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> channels_;
  at::Tensor flat_ = at::empty({0});
};

/// Batch normalisation of a stand-alone network: affine, batch statistics while training (which
/// update the running ones with `momentum`), running statistics otherwise.
struct RunningBatchNorm {
  WeightId scale;
  WeightId shift;
  std::int64_t place = 0;
  std::int64_t channels = 0;

  static constexpr double momentum = 0.1;

  static RunningBatchNorm declare(WeightArena& arena, RunningStatistics& statistics,
                                  const std::string& name, std::int64_t channels) {
    const auto group = WeightGroup::shared();
    return {arena.declare(name + ".weight", group, {channels}, Initialiser::value(1)),
            arena.declare(name + ".bias", group, {channels}, Initialiser::value(0)),
            statistics.declare(channels), channels};
  }

  [[nodiscard]] at::Tensor forward(const WeightArena& arena, const RunningStatistics& statistics,
                                   const at::Tensor& x, bool training) const {
    return at::batch_norm(x, arena.weight(scale), arena.weight(shift),
                          statistics.mean(place, channels), statistics.variance(place, channels),
                          training, momentum, supernet::batch_norm_epsilon, true);
  }
};

}  // namespace cleave::network
