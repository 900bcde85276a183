#pragma once

#include <cleave/space/ofa.hpp>
#include <cleave/strategy/optimisers.hpp>
#include <cleave/supernet/concept.hpp>
#include <concepts>
#include <string_view>
#include <vector>

namespace cleave::strategy {

/// A part of Once-for-all's training: which options are open, for how long, at which rate.
struct OfaStage {
  std::string_view called;
  OptionSet kernels;
  OptionSet depths;
  OptionSet expansions;
  double share = 1;         ///< of the phase, relative to the other stages
  CosineRate rate{};        ///< runs over the stage
  std::size_t subnets = 1;  ///< per step, with one update for all
  bool distil = true;       ///< from the network as it was before the first stage that does
  template <class F>
  void fields(F&& field) const {
    field("called", called);
    field("kernels", kernels.mask());
    field("depths", depths.mask());
    field("expansions", expansions.mask());
    field("share", share);
    field("rate", rate);
    field("subnets", subnets);
    field("distil", distil);
  }

  /// Images of all sizes are open from the beginning.
  [[nodiscard]] OptionSet open(space::Ofa::Kind kind) const {
    using Kind = space::Ofa::Kind;
    return kind == Kind::kernel   ? kernels
           : kind == Kind::expand ? expansions
           : kind == Kind::depth  ? depths
                                  : OptionSet::first(space::Ofa::images.size());
  }

  /// What of a restriction is open; where the stage opens nothing that is allowed, the largest
  /// allowed option alone.
  template <SearchSpace S>
  [[nodiscard]] Restriction<S> within(const Restriction<S>& allowed) const {
    auto result = allowed;
    for (std::size_t d = 0; d < S::decision_count; ++d) {
      const DecisionId decision(d);
      const auto options = allowed[decision];
      const auto both = options & open(S::kind(decision));
      result =
          result.with(decision, both.empty() ? OptionSet{options.nth(options.size() - 1)} : both);
    }
    return result;
  }
};

namespace detail {
inline constexpr OptionSet largest_option = OptionSet::from_mask(0b100);
inline constexpr OptionSet larger_options = OptionSet::from_mask(0b110);
inline constexpr OptionSet all_options = OptionSet::from_mask(0b111);
}  // namespace detail

/// Progressive shrinking (Cai et al., ICLR 2020, section 3.3): the full network first, then smaller
/// kernels, depths and widths join, each stage with subnets drawn uniformly from what is open and
/// distilled from the full network, all of a step on images of one size. Epochs and rates:
/// method.md section 3, for 180 + 120 + 140 + 140 epochs; the first stage's rate is that of one of
/// its devices.
struct Progressive {
  static constexpr std::string_view name = "progressive shrinking";
  static constexpr bool in_place = false;

  std::vector<OfaStage> stages = all();
  /// Of a node that restarts from its teacher: everything but the full stage.
  std::vector<OfaStage> after_restart = {all().begin() + 1, all().end()};
  template <class F>
  void fields(F&& field) const {
    field("stages", stages);
    field("after_restart", after_restart);
  }

  [[nodiscard]] static const std::vector<OfaStage>& all() {
    using namespace detail;
    static const std::vector<OfaStage> stages{
        {.called = "full",
         .kernels = largest_option,
         .depths = largest_option,
         .expansions = largest_option,
         .share = 180,
         .rate = {0.1625, 0.0},
         .distil = false},
        {.called = "kernel",
         .kernels = all_options,
         .depths = largest_option,
         .expansions = largest_option,
         .share = 120,
         .rate = {0.06, 0.0}},
        {.called = "depth 1",
         .kernels = all_options,
         .depths = larger_options,
         .expansions = largest_option,
         .share = 20,
         .rate = {0.005, 0.0},
         .subnets = 2},
        {.called = "depth 2",
         .kernels = all_options,
         .depths = all_options,
         .expansions = largest_option,
         .share = 120,
         .rate = {0.015, 0.0},
         .subnets = 2},
        {.called = "expand 1",
         .kernels = all_options,
         .depths = all_options,
         .expansions = larger_options,
         .share = 20,
         .rate = {0.005, 0.0},
         .subnets = 4},
        {.called = "expand 2",
         .kernels = all_options,
         .depths = all_options,
         .expansions = all_options,
         .share = 120,
         .rate = {0.015, 0.0},
         .subnets = 4},
    };
    return stages;
  }
  /// The full network, then kernels: what a search that splits trains before its last split.
  [[nodiscard]] static std::vector<OfaStage> until_kernel() {
    return {all().begin(), all().begin() + 2};
  }

  template <ElasticSupernet Net>
  [[nodiscard]] std::vector<typename Net::Context> subnets(const Net& net, const OfaStage& stage,
                                                           Stream stream) const {
    const auto open = stage.within(net.restriction());
    std::vector<typename Net::Context> drawn;
    for (std::size_t i = 0; i < stage.subnets; ++i) {
      auto from = stream.fork(i);
      drawn.push_back(open.sample(from));
      constexpr auto image = Net::Space::image();
      drawn.back().set(image, drawn.front()[image]);
    }
    return drawn;
  }
};

/// The sandwich rule with in-place distillation (Yu et al., BigNAS, ECCV 2020): every step trains
/// the largest subnet on the labels, and the smallest and a few drawn ones on what the largest
/// says.
struct Sandwich {
  static constexpr std::string_view name = "sandwich rule";
  static constexpr bool in_place = true;

  std::size_t drawn = 2;  ///< subnets besides the largest and the smallest
  std::vector<OfaStage> stages{{.called = "sandwich",
                                .kernels = detail::all_options,
                                .depths = detail::all_options,
                                .expansions = detail::all_options,
                                .rate = {0.06, 0.0},
                                .distil = false}};
  std::vector<OfaStage> after_restart = stages;
  template <class F>
  void fields(F&& field) const {
    field("drawn", drawn);
    field("stages", stages);
    field("after_restart", after_restart);
  }

  template <ElasticSupernet Net>
  [[nodiscard]] std::vector<typename Net::Context> subnets(const Net& net, const OfaStage& stage,
                                                           Stream stream) const {
    const auto open = stage.within(net.restriction());
    std::vector<typename Net::Context> all{net.largest(), net.smallest()};
    for (std::size_t i = 0; i < drawn; ++i) {
      auto from = stream.fork(i);
      all.push_back(open.sample(from));
    }
    return all;
  }
};

/// Which subnets a step of Once-for-all trains.
///
/// Requirements on a const object: `P::name`; `stages` and `after_restart`, lists of OfaStage, not
/// empty; `subnets(net, stage, stream)`, at least one; `P::in_place`, whether the first of them
/// teaches the others in the same step.
/// Law: subnets lie in the net's restriction. Models: Progressive (default), Sandwich.
template <class P, class Net>
concept SubnetSampler = requires(const P& sampler, const Net& net, const OfaStage& stage,
                                 Stream stream) {
  { P::name } -> std::convertible_to<std::string_view>;
  { P::in_place } -> std::convertible_to<bool>;
  { sampler.stages } -> std::convertible_to<const std::vector<OfaStage>&>;
  { sampler.after_restart } -> std::convertible_to<const std::vector<OfaStage>&>;
  { sampler.subnets(net, stage, stream) } -> std::same_as<std::vector<typename Net::Context>>;
};

}  // namespace cleave::strategy
