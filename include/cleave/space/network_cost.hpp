#pragma once

#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cleave::space {

/// What a stand-alone network costs.
struct NetworkCost {
  std::uint64_t params = 0;  ///< trainable numbers: weights, biases, batch-norm scale and shift
  std::uint64_t macs = 0;    ///< multiply-adds of one forward pass of one image

  friend bool operator==(const NetworkCost&, const NetworkCost&) = default;

  constexpr NetworkCost& operator+=(NetworkCost other) noexcept {
    params += other.params;
    macs += other.macs;
    return *this;
  }
};

/// A convolution without bias: `in` to `out` channels in `groups` groups, `kernel` x `kernel`,
/// with an `area` of output pixels. Its batch norm is counted apart.
[[nodiscard]] constexpr NetworkCost convolution_cost(std::uint64_t in, std::uint64_t out,
                                                     std::uint64_t kernel, std::uint64_t area,
                                                     std::uint64_t groups = 1) noexcept {
  const std::uint64_t weights = in / groups * out * kernel * kernel;
  return {weights, weights * area};
}

/// Scale and shift; public counts of multiply-adds leave batch norm out, and so do we.
[[nodiscard]] constexpr NetworkCost batch_norm_cost(std::uint64_t channels) noexcept {
  return {2 * channels, 0};
}

/// A linear layer with bias. The bias counts among the parameters, not the multiply-adds.
[[nodiscard]] constexpr NetworkCost linear_cost(std::uint64_t in, std::uint64_t out) noexcept {
  return {in * out + out, in * out};
}

/// Depthwise `kernel` x `kernel`, then 1x1 to `out` channels, then batch norm, no bias.
[[nodiscard]] constexpr NetworkCost separable_cost(std::uint64_t channels, std::uint64_t kernel,
                                                   std::uint64_t area) noexcept {
  NetworkCost cost = convolution_cost(channels, channels, kernel, area, channels);
  cost += convolution_cost(channels, channels, 1, area);
  return cost += batch_norm_cost(channels);
}

/// Throws `ValueError` unless `low <= value <= high`. The bounds keep every cost below 2^64.
inline void require_dimension(std::string_view what, std::size_t value, std::size_t low,
                              std::size_t high) {
  if (value < low || value > high)
    throw ValueError(fmt::format("{}: {}, allowed {} to {}", what, value, low, high));
}

}  // namespace cleave::space
