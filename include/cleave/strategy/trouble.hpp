#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cleave::strategy {

/// What to do about a loss or gradient that is not finite. Weights and moments never take part in
/// such a step (`Sgd::step`), whatever is chosen here.
enum class NonFinite : std::uint8_t {
  Stop,      ///< end the run with a `NumericalError` that names the place and the tensor
  SkipStep,  ///< go on with the next batch
  RollBack,  ///< go back to the beginning of the epoch, with half the learning rate
};
constexpr std::size_t count_of(NonFinite) noexcept { return 3; }

/// What was done about it, for the report.
struct Trouble {
  std::string last{};  ///< the message of the last one
  std::size_t skipped = 0;
  std::size_t rolled_back = 0;

  template <class F>
  void fields(F&& field) {
    field("last", last);
    field("skipped", skipped);
    field("rolled_back", rolled_back);
  }
};

}  // namespace cleave::strategy
