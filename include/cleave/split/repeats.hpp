#pragma once

#include <cleave/core/error.hpp>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string_view>

namespace cleave::split {

/// Fraction of bootstrap resamples of the repeats so far that choose the same decision and
/// groups as all repeats together; the argument is the number of resamples.
using Agreement = std::function<double(std::size_t resamples)>;

/// How many batches and contexts a score is averaged over.
///
/// Requirements on a const object: `R::name`; `most()`, an upper bound of at least 1;
/// `enough(done, agreement)`, asked after every repeat; `drop_below()`, the share of resamples a
/// decision must win to be scored on (0 keeps all), applied whenever agreement was asked for.
/// Laws: `enough(done, ...)` is true once `done >= most()`.
/// Models: FixedRepeats, UntilCertain.
template <class R>
concept Repeats = requires(const R& repeats, std::size_t done, const Agreement& agreement) {
  { R::name } -> std::convertible_to<std::string_view>;
  { repeats.most() } -> std::convertible_to<std::size_t>;
  { repeats.enough(done, agreement) } -> std::same_as<bool>;
  { repeats.drop_below() } -> std::convertible_to<double>;
};

/// The public code's rule: always `count`.
struct FixedRepeats {
  static constexpr std::string_view name = "fixed repeats";
  std::size_t count = 100;
  template <class F>
  void fields(F&& field) const {
    field("count", count);
  }

  [[nodiscard]] std::size_t most() const noexcept { return count; }
  [[nodiscard]] bool enough(std::size_t done, const Agreement&) const { return done >= count; }
  [[nodiscard]] double drop_below() const noexcept { return 0; }
};

/// Stops when resampling the repeats so far leaves decision and groups unchanged with the asked
/// confidence, and stops scoring decisions that (almost) no resample would split; looked at every
/// `stride` repeats. Two decisions that are nearly tied then cost repeats of those two alone, up to
/// `limit`. The bootstrap knows only the spread it has seen, hence the floor.
struct UntilCertain {
  static constexpr std::string_view name = "until certain";
  double confidence = 0.95;
  std::size_t least = 8;
  std::size_t limit = 100;
  std::size_t stride = 2;
  std::size_t resamples = 200;
  double drop = 0.01;  ///< a decision that wins a smaller share of the resamples is dropped
  template <class F>
  void fields(F&& field) const {
    field("confidence", confidence);
    field("least", least);
    field("limit", limit);
    field("stride", stride);
    field("resamples", resamples);
    field("drop", drop);
  }

  [[nodiscard]] std::size_t most() const noexcept { return limit; }
  [[nodiscard]] bool enough(std::size_t done, const Agreement& agreement) const {
    if (done >= limit) return true;
    if (done < least || (done - least) % stride != 0) return false;
    return agreement(resamples) >= confidence;
  }
  [[nodiscard]] double drop_below() const noexcept { return drop; }
};

static_assert(Repeats<FixedRepeats> && Repeats<UntilCertain>);

}  // namespace cleave::split
