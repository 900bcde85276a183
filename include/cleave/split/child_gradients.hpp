#pragma once

#include <algorithm>
#include <array>
#include <cleave/data/concept.hpp>
#include <cleave/score/gradient_rows.hpp>
#include <cleave/supernet/concept.hpp>
#include <concepts>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace cleave::split {

/// Gradients of the loss of one context's children on one batch, one row per child, each computed
/// from as little as it takes:
///   - the child that is the context itself is computed once, for all decisions it is an option of
///     (contexts that can be compared: paths and subnets);
///   - in a chain (`BeginsAnywhere`) a child begins at the place where it leaves the context. Its
///     backward pass goes all the way: every shared weight is asked.
/// The rows have the bits of whole passes. Cost: one forward and backward pass per child, less the
/// above; little more memory than one pass where decisions come in `deepest_first` order, up to two
/// otherwise; [options + 1, P] numbers for the rows.
template <class Net>
class ChildGradients {
 public:
  using Context = typename Net::Context;

  /// For decisions of at most `options` options.
  ChildGradients(const Net& net, std::size_t options)
      : net_(&net), rows_(net.arena(), options + 1), own_(options) {}

  /// From here on children are of this context, on this batch.
  void begin(data::Batch batch, Context context) {
    batch_ = std::move(batch);
    context_ = std::move(context);
    own_known_ = false;
    entered_.fill({});
  }

  /// Row `row` becomes the gradient of the child whose decision is held at the option.
  void record(std::size_t row, DecisionId decision, OptionId option, Probe probe) {
    const auto child = net_->probe(*context_, decision, option, probe);
    bool own = false;
    if constexpr (std::equality_comparable<Context>) own = child == *context_;
    if (own && own_known_) return rows_.copy(own_, row);
    rows_.record(row);
    at::cross_entropy_loss(logits(child, decision), batch_.labels)
        .backward({}, /*keep_graph=*/BeginsAnywhere<Net>);
    if (!own) return;
    rows_.copy(row, own_);
    own_known_ = true;
  }

  /// The first `options` rows as a similarity sees them.
  [[nodiscard]] score::GradientView view(std::size_t options, std::span<const WeightRange> shared,
                                         std::span<const WeightSlice> slices) const {
    return rows_.view(options, shared, slices);
  }

  /// Positions in `decisions`, those that come last in the network first.
  [[nodiscard]] static std::vector<std::size_t> deepest_first(
      const std::vector<DecisionId>& decisions) {
    std::vector<std::size_t> order(decisions.size());
    for (std::size_t d = 0; d < order.size(); ++d) order[d] = d;
    if constexpr (BeginsAnywhere<Net>)
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return Net::place_of(decisions[a]) > Net::place_of(decisions[b]);
      });
    return order;
  }

 private:
  [[nodiscard]] at::Tensor logits(const Context& child, DecisionId decision) {
    if constexpr (BeginsAnywhere<Net>) {
      // Up to its place the child is its context, so what it begins places with serves all children.
      // It is the child that runs, not the context, whose weights may hang on alphas. What deeper
      // decisions began with has had its turn; its part of the graph goes with it.
      const auto deepest = Net::place_of(decision);
      auto place = deepest;
      while (place > 0 && !entered_[place].defined()) --place;
      const at::Tensor x = place == 0 ? batch_.images : entered_[place];
      const auto result = net_->forward_from(place, x, child, entered_);
      std::fill(entered_.begin() + static_cast<std::ptrdiff_t>(deepest) + 1, entered_.end(),
                at::Tensor());
      return result;
    } else {
      return net_->forward(batch_.images, child);
    }
  }

  static consteval std::size_t places() {
    if constexpr (BeginsAnywhere<Net>)
      return Net::place_count;
    else
      return 0;
  }

  const Net* net_;
  score::GradientRows rows_;
  std::size_t own_;  ///< the row of the context's own gradient
  data::Batch batch_{};
  std::optional<Context> context_{};
  bool own_known_ = false;
  std::array<at::Tensor, places()> entered_{};
};

}  // namespace cleave::split
