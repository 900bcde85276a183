#pragma once

#include <cleave/select/concept.hpp>

namespace cleave::select {

/// The leaf whose architecture scores best inside its own supernet, on validation images. Costs
/// nothing, but supernets of different leaves are not calibrated against each other: in a trial
/// splitting raised the accuracy inside leaves and worsened the order across them (docs/method.md).
struct BestValidation {
  static constexpr std::string_view name = "best supernet validation";

  template <class Space>
  [[nodiscard]] std::size_t operator()(std::span<const LeafCandidate<Space>> candidates,
                                       const Trials&) const {
    std::size_t best = 0;
    for (std::size_t i = 1; i < candidates.size(); ++i)
      if (candidates[i].supernet_accuracy > candidates[best].supernet_accuracy) best = i;
    return best;
  }
};

}  // namespace cleave::select
