#pragma once

#include <cleave/space/genotype.hpp>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

namespace cleave {

/// What a leaf has to offer.
template <class Space>
struct LeafCandidate {
  std::size_t node = 0;          ///< its number in the split tree
  Genotype<Space> genotype{};
  double supernet_accuracy = 0;  ///< on held-out validation images, in its own supernet
};

/// Trains candidates alone. Every candidate sees the same images in the same number; results do
/// not depend on the order of calls.
struct Trials {
  /// Validation accuracy of candidate i's own network after `epochs` epochs in all, of a schedule
  /// that ends after `total`; continues where the candidate's last trial stopped.
  std::function<double(std::size_t candidate, std::size_t epochs, std::size_t total)>
      validation_after;
};

namespace select {

template <class L>
concept HasName = requires {
  { L::name } -> std::convertible_to<std::string_view>;
};

template <class L, class Space>
concept Chooses = requires(const L& selection, std::span<const LeafCandidate<Space>> candidates,
                           const Trials& trials) {
  { selection(candidates, trials) } -> std::same_as<std::size_t>;
};

/// Which leaf's architecture is kept.
///
/// Requirements on a const object: `L::name`, and `selection(candidates, trials)` giving the
/// index of one of at least one candidates. It sees validation data only, through the numbers it
/// is given and through `trials`; test data is out of its reach. Optional: `selection.check()`, which
/// throws `ValueError` for settings that cannot work; the host calls it before anything is trained.
/// Models: SuccessiveHalving (default), BestValidation, Oracle.
template <class L, class Space>
concept LeafSelection = HasName<L> && Chooses<L, Space>;

}  // namespace select
}  // namespace cleave
