#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace cleave {

/// A number that means one thing only: ids of different tags neither convert nor compare.
template <class Tag, class Integer>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(std::size_t value) noexcept : value_(static_cast<Integer>(value)) {}

  /// The id as an array index.
  [[nodiscard]] constexpr std::size_t index() const noexcept { return value_; }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;

 private:
  Integer value_ = 0;
};

/// One choice a search space leaves open: the paper's edge (cell spaces) or layer (MobileNet).
using DecisionId = StrongId<struct DecisionTag, std::uint16_t>;

/// One way to settle a decision: the paper's operation. Numbered per decision, from 0.
using OptionId = StrongId<struct OptionTag, std::uint8_t>;

}  // namespace cleave
