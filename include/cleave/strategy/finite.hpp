#pragma once

#include <cleave/supernet/weight_arena.hpp>
#include <cstddef>
#include <string>

namespace cleave::strategy {

/// Notices a loss or gradient that is not finite. On the host every step is looked at; on other
/// devices every `stride` steps, so that nothing inside a step waits for the device.
class FiniteGuard {
 public:
  static constexpr std::size_t stride = 32;

  /// `where()` names stage, leaf and step; it is asked only on failure. Throws `NumericalError`
  /// naming the first weight that is not finite.
  template <class Where>
  void check(const WeightArena& arena, const at::Tensor& loss, const at::Tensor& gradient_norm,
             Where where) {
    const auto sum = loss + gradient_norm;  // finite exactly when both are, overflow aside
    seen_ = seen_.defined() ? seen_ + sum.mul(0) : sum.mul(0);
    if (!arena.values().is_cpu() && ++unchecked_ < stride) return;
    const bool finite = seen_.item<double>() == 0.0;
    seen_.reset();
    unchecked_ = 0;
    if (finite) return;
    std::string offender = "the loss";
    for (const auto& entry : arena.entries()) {
      const auto& range = entry.slice.range;
      if (!arena.values().narrow(0, range.begin, range.size()).isfinite().all().item<bool>()) {
        offender = fmt::format("weight {}", entry.name);
        break;
      }
    }
    throw NumericalError(fmt::format("{}: {} is not finite (loss {}, gradient norm {})", where(),
                                     offender, loss.item<double>(), gradient_norm.item<double>()));
  }

 private:
  at::Tensor seen_;
  std::size_t unchecked_ = 0;
};

}  // namespace cleave::strategy
