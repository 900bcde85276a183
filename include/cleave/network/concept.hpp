#pragma once

#include <cleave/network/running_batch_norm.hpp>
#include <cleave/space/genotype.hpp>
#include <concepts>

namespace cleave {

/// A stand-alone network of one genotype: what is retrained and tested.
///
/// Requirements: `Space`, `Config`, a constructor `(Genotype, Config, Stream)`;
/// `forward(images, training)` giving logits [B, classes]; `arena()`; `statistics()`.
/// Laws: with `training` false, the logits of an image do not depend on the rest of its batch.
/// Models: network::NasBench201.
template <class N>
concept Network = requires(N& net, const N& fixed, const at::Tensor& images, bool training,
                           const Genotype<typename N::Space>& genotype,
                           const typename N::Config& config, Stream stream) {
  N(genotype, config, stream);
  { fixed.forward(images, training) } -> std::same_as<at::Tensor>;
  { net.arena() } -> std::same_as<WeightArena&>;
  { net.statistics() } -> std::same_as<network::RunningStatistics&>;
};

/// The stand-alone network of a space; specialised beside each network.
template <class Space>
struct NetworkFor;

}  // namespace cleave
