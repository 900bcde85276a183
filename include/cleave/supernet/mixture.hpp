#pragma once

#include <array>
#include <cleave/space/restriction.hpp>
#include <cleave/supernet/concept.hpp>
#include <cleave/torch.hpp>
#include <cstdint>
#include <utility>
#include <vector>

namespace cleave {

/// How the options of every decision are weighed in one forward pass; the context of all
/// supernets whose options do not share tensors. A softmax over the allowed options, a Gumbel
/// sample, one path and two gated paths are all mixtures.
template <SearchSpace S>
struct Mixture {
  /// [decision_count, max_options]; undefined means "weight 1 for every active option". Entries
  /// of inactive options are ignored.
  at::Tensor weights{};
  /// The options that are computed, per decision; an empty set leaves the edge out (DARTS paths).
  std::array<OptionSet, S::decision_count> active{};

  [[nodiscard]] OptionSet operator[](DecisionId decision) const {
    return active[decision.index()];
  }

  /// The same options and the same weights, whose numbers are not looked at: equal tables that are
  /// two tensors are not the same.
  friend bool operator==(const Mixture& a, const Mixture& b) {
    return a.active == b.active && a.weights.is_same(b.weights);
  }

  /// All allowed options, weighed by the table.
  [[nodiscard]] static Mixture weighted(const Restriction<S>& allowed, at::Tensor weights) {
    Mixture mixture;
    mixture.weights = std::move(weights);
    for (std::size_t d = 0; d < S::decision_count; ++d)
      mixture.active[d] = allowed[DecisionId(d)];
    return mixture;
  }

  /// One option per decision, each with weight 1.
  [[nodiscard]] static Mixture path(const Architecture<S>& architecture) {
    Mixture mixture;
    for (std::size_t d = 0; d < S::decision_count; ++d)
      mixture.active[d] = OptionSet{architecture[DecisionId(d)]};
    return mixture;
  }

  /// Throws `ValueError` naming the first active option that the restriction leaves out; costs no
  /// tensor operation. Options without weights are no exception: a leaf is its restriction.
  void check_within(const Restriction<S>& allowed) const {
    for (std::size_t d = 0; d < S::decision_count; ++d) {
      const DecisionId decision(d);
      const auto outside = active[d] - allowed[decision];
      if (!outside.empty())
        throw ValueError(fmt::format("{} supernet: {} has no {}, its restriction left it out",
                                     S::name, decision_name<S>(decision),
                                     S::option_name(decision, outside.nth(0))));
    }
  }

  /// The same context with one decision reduced to one option: hard gives it weight 1, soft
  /// keeps the weight it has (method: GM-NAS, section 3; DARTS space soft, others hard). Detached
  /// from the graph: a probe asks for weight gradients only.
  [[nodiscard]] Mixture probe(DecisionId decision, OptionId option, Probe kind) const {
    Mixture probed = *this;
    probed.active[decision.index()] = OptionSet{option};
    if (!weights.defined()) return probed;
    probed.weights = weights.detach();
    if (kind == Probe::Hard) {
      probed.weights = probed.weights.clone();
      probed.weights.select(0, static_cast<std::int64_t>(decision.index())).fill_(1.0);
    }
    return probed;
  }
};

/// Weights per (decision, option) as separate scalars, or nothing for an unweighted mixture: one
/// unbind for the whole pass, when the first is asked for, instead of an indexing operation per option.
template <SearchSpace S>
class MixtureScalars {
 public:
  explicit MixtureScalars(const Mixture<S>& mixture) : weights_(mixture.weights) {}

  [[nodiscard]] const at::Tensor* find(DecisionId decision, OptionId option) const {
    if (!weights_.defined()) return nullptr;
    if (scalars_.empty()) scalars_ = weights_.flatten().unbind();
    return &scalars_[decision.index() * max_options<S> + option.index()];
  }

 private:
  at::Tensor weights_;
  mutable std::vector<at::Tensor> scalars_;
};

}  // namespace cleave
