#pragma once

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cleave/core/ids.hpp>
#include <cleave/core/random.hpp>
#include <cleave/score/gradient_view.hpp>
#include <cleave/torch.hpp>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cleave {

/// Where a weight belongs. The arena is ordered by this, so that "the shared weights of a
/// decision" are two contiguous ranges and "the weights of one option" is one.
struct WeightGroup {
  enum class Kind : std::uint8_t {
    Unscored,  ///< shared by all children but left out of gradient matching (stem, classifier)
    Shared,    ///< shared by all children and scored (residual blocks)
    Option,    ///< belongs to one option of one decision
  };
  Kind kind = Kind::Unscored;
  DecisionId decision{};
  OptionId option{};

  static constexpr WeightGroup unscored() { return {}; }
  static constexpr WeightGroup shared() { return {Kind::Shared, {}, {}}; }
  static constexpr WeightGroup of(DecisionId d, OptionId o = {}) { return {Kind::Option, d, o}; }

  friend auto operator<=>(const WeightGroup&, const WeightGroup&) = default;
};

/// A weight of an arena, by number.
struct WeightId {
  std::size_t index = 0;
};

/// How fresh weights are drawn; the defaults of the framework the reference code uses.
struct Initialiser {
  double bound = 0;  ///< uniform in [-bound, bound] when positive
  double constant = 0;
  bool identity = false;  ///< a square matrix: the identity

  /// 1/sqrt(fan_in): what Kaiming-uniform with a = sqrt(5) comes to, for weights and biases alike.
  static Initialiser fan_in(std::int64_t fan_in) {
    return {1.0 / std::sqrt(static_cast<double>(fan_in)), 0};
  }
  static constexpr Initialiser value(double constant) { return {0, constant}; }
  static constexpr Initialiser identity_matrix() { return {0, 0, true}; }
};

/// All weights of a network as views into one flat buffer [P], their gradients as views into
/// another. SGD, clipping, weight decay, the unrolled step, restart, checkpoint and the gradient
/// row of a child are then each one operation on one tensor.
///
/// Use: `declare` every weight, `build` once, then `weight(id)`. Weights are leaves that require
/// gradients and share the flat buffer's storage; 4-d weights lie in channels-last order. Writing
/// to `values()` moves them. Not copyable: views and buffer belong together.
class WeightArena {
 public:
  WeightArena() = default;
  WeightArena(WeightArena&&) = default;
  WeightArena& operator=(WeightArena&&) = default;
  WeightArena(const WeightArena&) = delete;
  WeightArena& operator=(const WeightArena&) = delete;

  /// Announces a weight of `shape`. Names are unique: they are how a child finds what to inherit.
  WeightId declare(std::string name, WeightGroup group, std::vector<std::int64_t> shape,
                   Initialiser initialiser) {
    if (flat_.defined()) throw ValueError("weight arena: declare after build");
    std::int64_t count = 1;
    for (const auto extent : shape) count *= extent;
    specs_.push_back({std::move(name), group, std::move(shape), count, initialiser, 0});
    return {specs_.size() - 1};
  }

  /// Says that `decision` chooses among slices of the weights of `owner`: both decisions' options
  /// live in the same tensors, so neither's children share them (an OFA block has a kernel and an
  /// expansion).
  void own_jointly(DecisionId decision, DecisionId owner) { owners_[decision.index()] = owner; }

  /// Lays the weights out by group (declaration order inside a group), allocates, and draws fresh
  /// values. Weights get the same values for the same stream whatever else is declared.
  void build(at::TensorOptions options, const Stream& stream) {
    order_.resize(specs_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return specs_[a].group < specs_[b].group;
    });
    std::int64_t total = 0;
    for (const auto i : order_) {
      specs_[i].offset = total;
      total += specs_[i].count;
    }
    const auto plain = options.requires_grad(false);
    flat_ = at::zeros({total}, plain);
    grads_ = at::zeros({total}, plain);
    weights_.reserve(specs_.size());
    for (const auto& spec : specs_)
      weights_.push_back(view(flat_, spec).set_requires_grad(true));
    bound_ = make_row(grads_);
    bind(bound_);
    reset(stream);
  }

  /// Draws fresh values (a restart); gradients become zero.
  void reset(const Stream& stream) {
    at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      const auto& spec = specs_[i];
      auto target = flat_.narrow(0, spec.offset, spec.count);
      if (spec.initialiser.bound > 0) {
        // Drawn on the host, so that a run starts from the same weights on every device.
        auto generator = at::make_generator<at::CPUGeneratorImpl>(stream.fork(spec.name).seed());
        auto fresh = at::empty({spec.count}, at::kDouble);
        fresh.uniform_(-spec.initialiser.bound, spec.initialiser.bound, generator);
        target.copy_(fresh);
      } else if (spec.initialiser.identity) {
        target.zero_();
        view(flat_, spec).fill_diagonal_(1.0);
      } else {
        target.fill_(spec.initialiser.constant);
      }
    }
    grads_.zero_();
  }

  [[nodiscard]] const at::Tensor& weight(WeightId id) const { return weights_[id.index]; }

  /// All weights, in declaration order: what autograd is asked for.
  [[nodiscard]] const std::vector<at::Tensor>& weights() const noexcept { return weights_; }
  /// The flat buffer [P]; no gradient.
  [[nodiscard]] const at::Tensor& values() const noexcept { return flat_; }
  /// The flat gradient buffer [P] that `.grad` of every weight is bound to by default.
  [[nodiscard]] const at::Tensor& gradients() const noexcept { return grads_; }
  [[nodiscard]] std::int64_t size() const noexcept { return flat_.defined() ? flat_.numel() : 0; }

  /// Views of a flat [P] buffer, one per weight: somewhere gradients can be accumulated.
  using Row = std::vector<at::Tensor>;
  [[nodiscard]] Row make_row(const at::Tensor& flat) const {
    Row row;
    row.reserve(specs_.size());
    for (const auto& spec : specs_) row.push_back(view(flat, spec));
    return row;
  }

  /// Makes autograd accumulate into `row`. Cost: one pointer per weight.
  void bind(const Row& row) const {
    for (std::size_t i = 0; i < weights_.size(); ++i) weights_[i].mutable_grad() = row[i];
  }
  /// Back to `gradients()`.
  void bind_default() const { bind(bound_); }

  /// Positions of one option's weights; empty when it has none.
  [[nodiscard]] WeightRange range_of(DecisionId decision, OptionId option) const {
    return range([&](const WeightGroup& g) { return g == WeightGroup::of(decision, option); });
  }
  /// Positions of all options of a decision.
  [[nodiscard]] WeightRange range_of(DecisionId decision) const {
    const auto owner = owner_of(decision);
    return range([&](const WeightGroup& g) {
      return g.kind == WeightGroup::Kind::Option && g.decision == owner;
    });
  }

  /// The scored shared weights of a decision: everything but unscored weights and its own.
  [[nodiscard]] std::vector<WeightRange> shared_by(DecisionId decision) const {
    const auto unscored =
        range([](const WeightGroup& g) { return g.kind == WeightGroup::Kind::Unscored; });
    const auto own = range_of(decision);
    std::vector<WeightRange> ranges;
    if (own.size() == 0) {
      ranges.push_back({unscored.end, size()});
    } else {
      ranges.push_back({unscored.end, own.begin});
      ranges.push_back({own.end, size()});
    }
    std::erase_if(ranges, [](const WeightRange& r) { return r.size() == 0; });
    return ranges;
  }

  /// One weight as others see it.
  struct Entry {
    std::string_view name;
    WeightGroup group;
    WeightSlice slice;
  };
  /// The weights in arena order.
  [[nodiscard]] std::vector<Entry> entries() const {
    std::vector<Entry> result;
    result.reserve(order_.size());
    for (const auto i : order_) {
      const auto& spec = specs_[i];
      result.push_back({spec.name, spec.group,
                        {{spec.offset, spec.offset + spec.count},
                         spec.shape.empty() ? 1 : spec.shape.front()}});
    }
    return result;
  }

  /// The weight tensors inside `shared_by(decision)`.
  [[nodiscard]] std::vector<WeightSlice> slices_shared_by(DecisionId decision) const {
    std::vector<WeightSlice> result;
    const auto owner = owner_of(decision);
    for (const auto& entry : entries()) {
      const bool own = entry.group.kind == WeightGroup::Kind::Option &&
                       entry.group.decision == owner;
      if (entry.group.kind != WeightGroup::Kind::Unscored && !own) result.push_back(entry.slice);
    }
    return result;
  }

  /// 1 where a weight has two or more dimensions, 0 for biases and the scales and shifts of batch
  /// norms: what recipes mean by "no weight decay on BN and bias". [P]
  [[nodiscard]] at::Tensor matrix_mask() const {
    auto mask = at::ones_like(flat_);
    for (const auto& spec : specs_)
      if (spec.shape.size() < 2) mask.narrow(0, spec.offset, spec.count).zero_();
    return mask;
  }

  /// A weight's view by name. Throws `ValueError` naming it when there is none.
  [[nodiscard]] const at::Tensor& named(std::string_view name) const {
    for (std::size_t i = 0; i < specs_.size(); ++i)
      if (specs_[i].name == name) return weights_[i];
    throw ValueError(fmt::format("weight arena: no weight named '{}'", name));
  }

  /// Copies from another arena every weight of the same name; the values a child inherits from its
  /// parent. Where the child's tensor is smaller, as under a restriction of options that are slices
  /// of one tensor, it takes the first channels (dimensions 0 and 1) and the centre of a kernel (the
  /// rest). Weights that the parent lacks or holds smaller stay. Returns how many were copied.
  std::size_t inherit(const WeightArena& parent, const at::Tensor& from, const at::Tensor& to) const {
    at::NoGradGuard no_grad;
    std::unordered_map<std::string_view, const Spec*> known;
    for (const auto& spec : parent.specs_) known.emplace(spec.name, &spec);
    std::size_t copied = 0;
    for (const auto& spec : specs_) {
      const auto found = known.find(spec.name);
      if (found == known.end() || !holds(found->second->shape, spec.shape)) continue;
      auto source = view(from, *found->second);
      for (std::size_t d = 0; d < spec.shape.size(); ++d) {
        const auto spare = found->second->shape[d] - spec.shape[d];
        source = source.narrow(static_cast<std::int64_t>(d), d < 2 ? 0 : spare / 2, spec.shape[d]);
      }
      view(to, spec).copy_(source);
      ++copied;
    }
    return copied;
  }

 private:
  struct Spec {
    std::string name;
    WeightGroup group;
    std::vector<std::int64_t> shape;
    std::int64_t count;
    Initialiser initialiser;
    std::int64_t offset;
  };

  /// True when a tensor of shape `inner` is a block of one of shape `outer`.
  static bool holds(const std::vector<std::int64_t>& outer,
                    const std::vector<std::int64_t>& inner) {
    return std::equal(outer.begin(), outer.end(), inner.begin(), inner.end(), std::greater_equal{});
  }

  /// 4-d weights [O, I, H, W] are stored as [O, H, W, I]: channels-last without a copy.
  static at::Tensor view(const at::Tensor& flat, const Spec& spec) {
    const auto part = flat.narrow(0, spec.offset, spec.count);
    const auto& s = spec.shape;
    if (s.size() != 4) return part.view(s);
    return part.view({s[0], s[2], s[3], s[1]}).permute({0, 3, 1, 2});
  }

  [[nodiscard]] DecisionId owner_of(DecisionId decision) const {
    const auto found = owners_.find(decision.index());
    return found == owners_.end() ? decision : found->second;
  }

  template <class Predicate>
  [[nodiscard]] WeightRange range(Predicate in_range) const {
    WeightRange result;
    bool found = false;
    for (const auto i : order_) {
      const auto& spec = specs_[i];
      if (!in_range(spec.group)) continue;
      if (!found) result.begin = spec.offset;
      result.end = spec.offset + spec.count;
      found = true;
    }
    return result;
  }

  std::vector<Spec> specs_;
  std::vector<std::size_t> order_;  ///< spec numbers in arena order
  std::unordered_map<std::size_t, DecisionId> owners_;
  at::Tensor flat_;
  at::Tensor grads_;
  std::vector<at::Tensor> weights_;
  Row bound_;
};

}  // namespace cleave
