#pragma once

#include <cleave/core/random.hpp>
#include <cleave/network/running_batch_norm.hpp>
#include <cleave/space/genotype.hpp>
#include <concepts>
#include <cstddef>

namespace cleave {

/// A stand-alone network of one genotype: what is retrained and tested.
///
/// Requirements: `Space`, `Config`, a constructor `(Genotype, Config, Stream)`;
/// `forward(images, training)` giving logits [B, classes]; `arena()`; `statistics()`.
/// Laws: with `training` false, the logits of an image do not depend on the rest of its batch.
/// Models: network::NasBench201, network::Darts.
template <class N>
concept Network = requires(N& net, const N& fixed, const at::Tensor& images, bool training,
                           const Genotype<typename N::Space>& genotype,
                           const typename N::Config& config, Stream stream) {
  N(genotype, config, stream);
  { fixed.forward(images, training) } -> std::same_as<at::Tensor>;
  { net.arena() } -> std::same_as<WeightArena&>;
  { net.statistics() } -> std::same_as<network::RunningStatistics&>;
};

namespace network {

/// Where in its training a network is, for those that want to know.
struct TrainingMoment {
  double progress = 0;  ///< share of the training that has passed, [0, 1)
  Stream stream{};      ///< of this step alone
};

/// What a training pass gives. The loss is L(logits) + auxiliary_weight L(auxiliary).
struct TrainingPass {
  at::Tensor logits;
  at::Tensor auxiliary{};  ///< logits of a second classifier inside the network; may be undefined
  double auxiliary_weight = 0;
};

}  // namespace network

/// A network whose training pass is more than its evaluation with batch statistics: it drops paths
/// by a probability that grows with the progress, or has a second classifier for training.
///
/// Requirements besides `Network`: `training_pass(images, moment)` giving a `TrainingPass`, and
/// `training_parameters()`, how many numbers of the arena serve training alone.
/// Laws: everything random comes from `moment.stream`; `forward` needs none of it.
/// Models: network::Darts.
template <class N>
concept NetworkWithTrainingPass =
    Network<N> && requires(const N& fixed, const at::Tensor& images,
                           const network::TrainingMoment& moment) {
      { fixed.training_pass(images, moment) } -> std::same_as<network::TrainingPass>;
      { fixed.training_parameters() } -> std::convertible_to<std::size_t>;
    };

namespace network {

/// How many numbers the network keeps when training is over: weights, biases, scales and shifts.
template <Network N>
[[nodiscard]] std::size_t parameters(N& net) {
  auto count = static_cast<std::size_t>(net.arena().size());
  if constexpr (NetworkWithTrainingPass<N>) count -= net.training_parameters();
  return count;
}

}  // namespace network

/// The stand-alone network of a space; specialised beside each network.
template <class Space>
struct NetworkFor;

}  // namespace cleave
