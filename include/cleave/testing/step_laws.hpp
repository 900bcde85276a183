#pragma once

#include <ATen/record_function.h>

#include <cleave/strategy/concept.hpp>
#include <cleave/torch.hpp>
#include <concepts>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace cleave::testing {

/// Notes operations that make the host wait for a device, while it lives, in its thread; one at a
/// time.
class HostWaits {
 public:
  HostWaits()
      : handle_(at::addThreadLocalCallback(
            at::RecordFunctionCallback(look).scopes({at::RecordScope::FUNCTION}))) {
    seen().clear();
  }
  HostWaits(const HostWaits&) = delete;
  HostWaits& operator=(const HostWaits&) = delete;
  ~HostWaits() { at::removeCallback(handle_); }

  /// Their names.
  [[nodiscard]] const std::set<std::string>& noted() const { return seen(); }

 private:
  static std::set<std::string>& seen() {
    static thread_local std::set<std::string> names;
    return names;
  }
  static std::unique_ptr<at::ObserverContext> look(const at::RecordFunction& function) {
    const std::string_view name = function.name();
    for (const std::string_view waits : {"aten::_local_scalar_dense", "aten::item", "aten::nonzero",
                                         "aten::is_nonzero", "aten::equal"})
      if (name == waits) seen().emplace(name);
    return nullptr;
  }
  at::CallbackHandle handle_;
};

/// Hands everything that a state names with `fields`, and what those name in turn, to `visit`.
template <class T, class F>
void for_each_leaf(T& value, const F& visit) {
  if constexpr (requires { value.fields([](std::string_view, auto&) {}); })
    value.fields([&](std::string_view, auto& field) { for_each_leaf(field, visit); });
  else
    visit(value);
}

/// The laws of `strategy::PreparesSteps` that a CPU can tell; the broken ones as sentences.
/// `make()` gives the same supernet each time, `step` is material for it.
template <class Strategy, class Make>
[[nodiscard]] std::vector<std::string> check_prepared_steps(const Strategy& strategy, Make make,
                                                            TrainingStep step) {
  using Net = std::invoke_result_t<Make>;
  static_assert(
      strategy::PreparesSteps<Strategy, Net>,
      "check_prepared_steps: the strategy needs void prepare(state, training_step, stream) "
      "const and StepReport apply(net, state, training_step) const");
  std::set<std::string> broken;
  const auto want = [&](bool kept, const std::string& law) {
    if (!kept) broken.insert(fmt::format("{}: {}", Strategy::name, law));
  };
  const auto tensors_of = [](Net& net, auto& state) {
    std::vector<at::Tensor> all{net.arena().values()};
    for_each_leaf(state, [&]<class T>(T& value) {
      if constexpr (std::same_as<T, at::Tensor>) all.push_back(value);
    });
    return all;
  };
  // Numbers of the state and of the step, at which `apply` must not look
  const auto spoil = [](auto& state, TrainingStep& spoilt) {
    for_each_leaf(state, []<class T>(T& value) {
      if constexpr (std::floating_point<T>)
        value = std::numeric_limits<T>::quiet_NaN();
      else if constexpr (std::integral<T>)
        value = std::numeric_limits<T>::max();
    });
    spoilt.progress = std::numeric_limits<double>::quiet_NaN();
  };

  Net whole = make(), parts = make();
  auto whole_state = strategy.start(whole, Stream(1));
  auto parts_state = strategy.start(parts, Stream(1));
  constexpr std::size_t steps = 3;
  for (std::size_t k = 0; k < steps; ++k) {
    step.progress = static_cast<double>(k) / steps;
    const auto random = Stream(2).fork(k);
    const auto expected = strategy.step(whole, whole_state, step, random);
    auto material = step;
    strategy.prepare(parts_state, material, random);
    if (k + 1 == steps) spoil(parts_state, material);
    const auto before = tensors_of(parts, parts_state);
    std::set<std::string> waits;
    const auto got = [&] {
      const HostWaits watch;
      auto report = strategy.apply(parts, parts_state, material);
      waits = watch.noted();
      return report;
    }();
    for (const auto& name : waits)
      want(false, fmt::format("apply waits for the device in {}", name));
    const auto after = tensors_of(parts, parts_state);
    want(at::equal(expected.loss, got.loss), "the loss of prepare and apply is not that of step");
    const auto wanted = tensors_of(whole, whole_state);
    for (std::size_t i = 0; i < after.size(); ++i) {
      want(at::equal(after[i], wanted[i]),
           "prepare and apply do not do what step does, or apply "
           "reads numbers of the host that change");
      want(after[i].data_ptr() == before[i].data_ptr(), "apply puts a new tensor where one was");
    }
  }
  return {broken.begin(), broken.end()};
}

}  // namespace cleave::testing
