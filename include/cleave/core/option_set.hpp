#pragma once

#include <bit>
#include <cleave/core/error.hpp>
#include <cleave/core/ids.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace cleave {

/// A set of options of one decision, as a bit mask. Value type, iterated in increasing order.
class OptionSet {
 public:
  static constexpr std::size_t capacity = 32;

  class iterator {
   public:
    using value_type = OptionId;
    using difference_type = std::ptrdiff_t;

    constexpr iterator() = default;
    constexpr explicit iterator(std::uint32_t rest) noexcept : rest_(rest) {}
    constexpr OptionId operator*() const noexcept {
      return OptionId(static_cast<std::size_t>(std::countr_zero(rest_)));
    }
    constexpr iterator& operator++() noexcept {
      rest_ &= rest_ - 1;
      return *this;
    }
    constexpr iterator operator++(int) noexcept {
      auto before = *this;
      ++*this;
      return before;
    }
    friend constexpr bool operator==(iterator, iterator) = default;

   private:
    std::uint32_t rest_ = 0;
  };

  constexpr OptionSet() = default;
  constexpr OptionSet(std::initializer_list<OptionId> options) {
    for (auto option : options) insert(option);
  }

  /// The set {0, ..., count-1}. Throws `ValueError` above `capacity`.
  [[nodiscard]] static constexpr OptionSet first(std::size_t count) {
    if (count > capacity)
      throw ValueError(fmt::format("option set: {} options, at most {} allowed", count, capacity));
    return from_mask(count == capacity ? ~0U : (1U << count) - 1U);
  }
  [[nodiscard]] static constexpr OptionSet from_mask(std::uint32_t mask) noexcept {
    OptionSet set;
    set.mask_ = mask;
    return set;
  }

  [[nodiscard]] constexpr std::uint32_t mask() const noexcept { return mask_; }
  [[nodiscard]] constexpr std::size_t size() const noexcept {
    return static_cast<std::size_t>(std::popcount(mask_));
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return mask_ == 0; }
  [[nodiscard]] constexpr bool contains(OptionId option) const noexcept {
    return option.index() < capacity && ((mask_ >> option.index()) & 1U) != 0;
  }
  [[nodiscard]] constexpr bool contains(OptionSet other) const noexcept {
    return (other.mask_ & ~mask_) == 0;
  }

  /// The k-th smallest member. Throws `ValueError` when k >= size().
  [[nodiscard]] constexpr OptionId nth(std::size_t k) const {
    if (k >= size())
      throw ValueError(fmt::format("option set: member {} asked for, it has {}", k, size()));
    auto it = begin();
    while (k-- > 0) ++it;
    return *it;
  }

  constexpr OptionSet& insert(OptionId option) {
    if (option.index() >= capacity)
      throw ValueError(
          fmt::format("option set: option {}, at most {} allowed", option.index(), capacity - 1));
    mask_ |= 1U << option.index();
    return *this;
  }

  [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(mask_); }
  [[nodiscard]] constexpr iterator end() const noexcept { return iterator(0); }

  friend constexpr OptionSet operator&(OptionSet a, OptionSet b) noexcept {
    return from_mask(a.mask_ & b.mask_);
  }
  friend constexpr OptionSet operator|(OptionSet a, OptionSet b) noexcept {
    return from_mask(a.mask_ | b.mask_);
  }
  friend constexpr OptionSet operator-(OptionSet a, OptionSet b) noexcept {
    return from_mask(a.mask_ & ~b.mask_);
  }
  friend constexpr auto operator<=>(OptionSet, OptionSet) = default;

 private:
  std::uint32_t mask_ = 0;
};

}  // namespace cleave
