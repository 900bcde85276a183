#pragma once

#include <ATen/core/Tensor.h>

#include <cleave/space/genotype.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cleave {

class WeightArena;
template <SearchSpace S>
struct Mixture;

/// How a probed option stands in its context: with weight 1, or with the weight it has there.
enum class Probe : std::uint8_t { Hard, Soft };

/// The supernet names its space and the kind of context it is run under.
template <class N>
concept HasContext = requires {
  typename N::Space;
  typename N::Context;
  requires SearchSpace<typename N::Space>;
  requires std::copyable<typename N::Context>;
};

/// Logits of a batch under a context.
template <class N>
concept RunsUnderContext = requires(const N& net, const at::Tensor& images,
                                    const typename N::Context& context) {
  { net.forward(images, context) } -> std::same_as<at::Tensor>;
};

/// One decision of a context can be reduced to one option.
template <class N>
concept Probes = requires(const N& net, const typename N::Context& context, DecisionId decision,
                          OptionId option, Probe kind) {
  { net.probe(context, decision, option, kind) } -> std::same_as<typename N::Context>;
};

/// A genotype can be run as part of the supernet.
template <class N>
concept RunsGenotypes = requires(const N& net, const Genotype<typename N::Space>& genotype) {
  { net.context_of(genotype) } -> std::same_as<typename N::Context>;
};

/// All weights in one arena, only those of the allowed options.
template <class N>
concept HoldsArena = requires(N& net, const N& fixed) {
  { net.arena() } -> std::same_as<WeightArena&>;
  { fixed.restriction() } -> std::same_as<const Restriction<typename N::Space>&>;
};

/// A weight-sharing network over a restriction of a space.
///
/// Requirements:
///   1. `Space`, `Context`, `Config` (sizes) and a constructor `(Restriction, Config, Stream)`.
///   2. `forward(images [B, C, H, W], context)` gives logits [B, classes].
///   3. `probe(context, decision, option, kind)` gives the context in which the decision takes
///      that option and nothing else changes.
///   4. `context_of(genotype)` gives the context in which only that genotype is computed.
///   5. `arena()` holds all weights, grouped by decision and option, and of allowed options only;
///      `restriction()` is what it was built over.
/// Laws: forward depends on images, context and the arena alone (no running statistics, no
/// hidden generator); an option that a context does not activate gets a zero gradient.
/// Models: supernet::NasBench201, supernet::Darts, the four toy supernets in testing/.
template <class N>
concept Supernet =
    HasContext<N> && RunsUnderContext<N> && Probes<N> && RunsGenotypes<N> && HoldsArena<N>;

/// A supernet whose context weighs options: what DARTS, SNAS, RSPS and ProxylessNAS need.
template <class N>
concept MixtureSupernet =
    Supernet<N> && std::same_as<typename N::Context, Mixture<typename N::Space>>;

/// A supernet whose context is a subnet and whose options are parts of the same tensors: what
/// Once-for-all needs. `largest()` and `smallest()` are subnets; `forward_full(images, like)` runs
/// the teacher on images of the size that the subnet `like` looks at; `sort_channels(trained,
/// companions)` puts the channels that matter most first. Models: supernet::Ofa.
template <class N>
concept ElasticSupernet = Supernet<N> &&
    std::same_as<typename N::Context, Architecture<typename N::Space>> &&
    requires(N& net, const N& fixed, const at::Tensor& images, OptionSet trained,
             std::span<const at::Tensor> companions, const typename N::Context& like) {
  { fixed.largest() } -> std::same_as<typename N::Context>;
  { fixed.smallest() } -> std::same_as<typename N::Context>;
  { fixed.forward_full(images, like) } -> std::same_as<at::Tensor>;
  net.sort_channels(trained, companions);
};

/// A supernet that is a chain of places: a child computes what its context did up to the first place
/// that the probed decision changes, so gradient matching begins there (split::ChildGradients).
///
/// Requirements:
///   1. `place_of(decision)`, below `place_count`: the first place whose work depends on it.
///   2. `forward_from(place, x, context, entered)`: the logits of a pass that begins at a place with
///      x, place 0 with the images; `entered`, of `place_count` tensors or none, becomes what every
///      place from there on began with.
/// Law: `forward_from(p, entered[p], child)` is `forward(images, child)`, gradients included, when
/// context and child differ in decisions with `place_of(decision) >= p` only.
/// Models: supernet::Proxyless, supernet::Ofa.
template <class N>
concept BeginsAnywhere = Supernet<N> &&
    requires(const N& net, const at::Tensor& x, const typename N::Context& context,
             DecisionId decision, std::span<at::Tensor> entered) {
  { N::place_count } -> std::convertible_to<std::size_t>;
  { N::place_of(decision) } -> std::same_as<std::size_t>;
  { net.forward_from(std::size_t(), x, context, entered) } -> std::same_as<at::Tensor>;
};

/// The supernet a space is searched with unless another is named; specialised beside each
/// supernet. A user's own space specialises it too, or passes the supernet to the host.
template <class Space>
struct SupernetFor;

}  // namespace cleave
