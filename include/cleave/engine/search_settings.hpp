#pragma once

#include <cleave/data/holdout.hpp>
#include <cleave/engine/schedule.hpp>
#include <cleave/network/training.hpp>
#include <cleave/space/restriction.hpp>
#include <cleave/strategy/trouble.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace cleave {

/// What a search is told besides its policies, which bring their own settings.
template <SearchSpace Space, class SupernetConfig, class NetworkConfig>
struct SearchSettings {
  Schedule schedule{};
  SupernetConfig supernet{};
  NetworkConfig network{};  ///< of selection trials
  network::Recipe trial{};                ///< its `epochs` come from the selection
  network::Recipe retraining{};           ///< of the chosen network
  /// The network that is retrained, if its sizes are not those of the trials.
  std::optional<NetworkConfig> final_network{};
  data::HoldoutOptions holdout{};
  std::size_t batch = 48;
  std::uint64_t seed = 0;
  Restriction<Space> root{};
  strategy::NonFinite trouble = strategy::NonFinite::Stop;  ///< of supernets
  /// Images of the validation part for every leaf's `AlphaHealth::sharpness`; 0: not asked for.
  std::size_t sharpness_images = 0;
  bool last_child_first = false;  ///< visits children backwards; the result is the same

  /// Everything the result depends on.
  template <class F>
  void fields(F&& field) const {
    field("schedule", schedule);
    field("supernet", supernet);
    field("network", network);
    field("trial", trial);
    field("retraining", retraining);
    field("final_network", final_network.value_or(network));
    field("holdout", holdout);
    field("batch", batch);
    field("seed", seed);
    field("trouble", trouble);
    field("sharpness_images", sharpness_images);
    std::vector<OptionSet> allowed;
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      allowed.push_back(root[DecisionId(d)]);
    field("root", allowed);
  }
};

}  // namespace cleave
