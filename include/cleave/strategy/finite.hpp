#pragma once

#include <cleave/strategy/optimisers.hpp>
#include <cleave/strategy/trouble.hpp>
#include <cleave/supernet/weight_arena.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cleave::strategy {

/// Halves the learning rate in a state: a visitor of `fields` that looks for optimisers' states.
struct HalveRates {
  template <class T>
  void operator()(std::string_view, T& value) const {
    if constexpr (requires { value.rate_scale *= 0.5; })
      value.rate_scale *= 0.5;
    else if constexpr (requires { value.fields(*this); })
      value.fields(*this);
  }
};

/// Notices a loss or gradient that is not finite, and says where it came from. On the host every
/// step is looked at; on other devices every `stride` steps, so that nothing inside a step waits
/// for the device.
class FiniteGuard {
 public:
  static constexpr std::size_t stride = 32;
  /// Steps skipped in a row, and rollbacks of one epoch, that are still worth another try.
  static constexpr std::size_t most_skips = 100;
  static constexpr std::size_t most_rollbacks = 10;

  enum class Verdict : std::uint8_t { Fine, Skipped, RollBack };

  explicit FiniteGuard(NonFinite policy = NonFinite::Stop) : policy_(policy) {}

  /// Looks at a step that was taken. `where()` names stage, leaf and step; it is asked only on
  /// failure. Throws `NumericalError` naming the images, the weight, the loss or the gradient at
  /// fault: when the policy is to stop, and when skipping or going back does not help.
  template <class Where>
  [[nodiscard]] Verdict check(const WeightArena& arena, const at::Tensor& images,
                              const at::Tensor& loss, const at::Tensor& gradient_norm,
                              Where where) {
    const auto sum = loss + gradient_norm;  // finite exactly when both are, overflow aside
    seen_ = seen_.defined() ? seen_ + sum.mul(0) : sum.mul(0);
    if (!arena.values().is_cpu() && ++unchecked_ < stride) return Verdict::Fine;
    const bool finite = seen_.item<double>() == 0.0;
    seen_.reset();
    unchecked_ = 0;
    if (finite) {
      if (policy_ != NonFinite::RollBack) in_a_row_ = 0;
      return Verdict::Fine;
    }
    message_ = fmt::format("{}: {} not finite (loss {}, gradient norm {})", where(),
                           culprit(arena, images, loss), loss.item<double>(),
                           gradient_norm.item<double>());
    ++in_a_row_;
    if (policy_ == NonFinite::SkipStep && in_a_row_ <= most_skips) return Verdict::Skipped;
    if (policy_ == NonFinite::RollBack && in_a_row_ <= most_rollbacks) return Verdict::RollBack;
    throw NumericalError(in_a_row_ == 1 ? message_
                                        : fmt::format("{}; {} times in a row", message_, in_a_row_));
  }

  /// An epoch went by: rollbacks are counted anew.
  void epoch_done() noexcept {
    if (policy_ == NonFinite::RollBack) in_a_row_ = 0;
  }

  /// What was last found.
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

 private:
  /// The first in the order of cause and effect: images, weights, loss, gradients.
  static std::string culprit(const WeightArena& arena, const at::Tensor& images,
                             const at::Tensor& loss) {
    const auto finite = [](const at::Tensor& tensor) {
      return tensor.isfinite().all().item<bool>();
    };
    if (!finite(images)) return "the images are";
    const auto first = [&](const at::Tensor& flat, std::string_view what) -> std::string {
      std::size_t others = 0;
      std::string name;
      for (const auto& entry : arena.entries()) {
        const auto& range = entry.slice.range;
        if (finite(flat.narrow(0, range.begin, range.size()))) continue;
        if (name.empty())
          name = entry.name;
        else
          ++others;
      }
      if (name.empty()) return name;
      return others == 0 ? fmt::format("{} {} is", what, name)
                         : fmt::format("{} {} and {} others are", what, name, others);
    };
    if (auto name = first(arena.values(), "weight"); !name.empty()) return name;
    if (!finite(loss)) return "the loss is";
    if (auto name = first(arena.gradients(), "the gradient of"); !name.empty()) return name;
    return "the norm of the gradient is";  // every entry finite, their squares not
  }

  NonFinite policy_;
  at::Tensor seen_;
  std::size_t unchecked_ = 0;
  std::size_t in_a_row_ = 0;
  std::string message_;
};

}  // namespace cleave::strategy
