#pragma once

#include <cleave/network/concept.hpp>
#include <cleave/supernet/concept.hpp>
#include <cleave/supernet/operations.hpp>
#include <cstdint>
#include <string_view>

namespace cleave::testing {

/// Sizes of all toy supernets and networks; the defaults fit the digits.
struct ToyConfig {
  std::int64_t channels = 6;
  std::int64_t image_channels = 1;
  std::int64_t image_size = 8;  ///< even; the stem halves it
  std::int64_t classes = 10;
  at::ScalarType scalar = at::kFloat;
  at::Device device = at::kCPU;

  [[nodiscard]] at::TensorOptions options() const {
    return at::TensorOptions(device).dtype(scalar);
  }
  /// 3x3, stride 2: [B, image_channels, S, S] -> [B, channels, S / 2, S / 2].
  [[nodiscard]] supernet::Convolution stem(WeightArena& arena, std::string name) const {
    return supernet::Convolution::declare(
        arena, std::move(name), WeightGroup::unscored(),
        {.in = image_channels, .out = channels, .kernel = 3, .stride = 2});
  }
  /// From `maps` flattened stem-sized maps to the classes.
  [[nodiscard]] supernet::Linear classifier(WeightArena& arena, std::int64_t maps) const {
    return supernet::Linear::declare(arena, "classifier", WeightGroup::unscored(),
                                     maps * (image_size / 2) * (image_size / 2), classes);
  }
};

/// The stand-alone network of a toy space. Toy supernets have no batch norm, so it is the supernet
/// over the one genotype: the same function with no other weights.
template <Supernet Net>
class ToyNetwork {
 public:
  using Space = typename Net::Space;
  using Config = typename Net::Config;

  ToyNetwork(const Genotype<Space>& genotype, const Config& config, const Stream& stream)
      : net_(only(genotype), config, stream), context_(net_.context_of(genotype)) {}

  [[nodiscard]] at::Tensor forward(const at::Tensor& images, bool) const {
    return net_.forward(images, context_);
  }
  [[nodiscard]] WeightArena& arena() noexcept { return net_.arena(); }
  [[nodiscard]] network::RunningStatistics& statistics() noexcept { return none_; }

 private:
  static Restriction<Space> only(const Genotype<Space>& genotype) {
    if constexpr (requires { Space::only(genotype); })
      return Space::only(genotype);
    else
      return Restriction<Space>(genotype);
  }

  Net net_;
  typename Net::Context context_;
  network::RunningStatistics none_{};
};

}  // namespace cleave::testing
