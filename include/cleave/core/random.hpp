#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave {

/// Finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection with full avalanche.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// A random stream named by a path, e.g. `Stream(seed).fork("batches").fork(leaf).fork(step)`.
///
/// Two streams with different paths are independent and a stream's numbers depend on its path
/// alone: neither on the order in which leaves run nor on how many workers there are. Its whole
/// state is two integers, so a resumed run continues it exactly. A UniformRandomBitGenerator;
/// the distributions below are our own because the standard's differ between libraries.
class Stream {
 public:
  using result_type = std::uint64_t;

  constexpr Stream() = default;
  constexpr explicit Stream(std::uint64_t seed) noexcept : key_(mix64(seed ^ golden)) {}

  /// A child stream; forking neither consumes numbers nor depends on how many were drawn.
  [[nodiscard]] constexpr Stream fork(std::uint64_t name) const noexcept {
    Stream child;
    child.key_ = mix64(key_ + golden * (mix64(name + golden) | 1U));
    return child;
  }
  [[nodiscard]] constexpr Stream fork(std::string_view name) const noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a, 64 bit
    for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return fork(hash);
  }

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }
  constexpr result_type operator()() noexcept { return mix64(key_ + golden * ++counter_); }

  /// A seed for another generator (LibTorch's); drawn like any number.
  constexpr std::uint64_t seed() noexcept { return (*this)(); }

  /// Uniform in {0, ..., bound-1}, unbiased (Lemire, TOMACS 2019). `bound` must be positive.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    __extension__ using Wide = unsigned __int128;
    auto product = static_cast<Wide>((*this)()) * bound;
    if (static_cast<std::uint64_t>(product) < bound) {
      const std::uint64_t threshold = -bound % bound;
      while (static_cast<std::uint64_t>(product) < threshold)
        product = static_cast<Wide>((*this)()) * bound;
    }
    return static_cast<std::uint64_t>(product >> 64);
  }

  /// Uniform in [0, 1) with 53 random bits.
  constexpr double uniform() noexcept { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

  /// Standard normal (Box-Muller, one of the pair).
  double normal() noexcept {
    const double u = 1.0 - uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
  }

  /// Standard Gumbel, -log(-log u): whoever is largest among log p_i + gumbel is i with
  /// probability p_i. Finite: u = 0 counts as 2^-54.
  double gumbel() noexcept { return -std::log(-std::log(std::max(uniform(), 0x1p-54))); }

  /// Uniformly random order (Fisher-Yates).
  template <class T>
  constexpr void shuffle(std::span<T> items) noexcept {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }
  template <class T>
  constexpr void shuffle(std::vector<T>& items) noexcept {
    shuffle(std::span<T>(items));
  }

  /// Key and position: everything a checkpoint needs.
  [[nodiscard]] constexpr std::array<std::uint64_t, 2> state() const noexcept {
    return {key_, counter_};
  }
  [[nodiscard]] static constexpr Stream from_state(std::array<std::uint64_t, 2> state) noexcept {
    Stream stream;
    stream.key_ = state[0];
    stream.counter_ = state[1];
    return stream;
  }

  friend constexpr bool operator==(const Stream&, const Stream&) = default;

 private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15ULL;
  std::uint64_t key_ = 0;
  std::uint64_t counter_ = 0;
};

}  // namespace cleave
