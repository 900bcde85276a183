#pragma once

#include <algorithm>
#include <cleave/data/accuracy.hpp>
#include <cleave/data/ahead.hpp>
#include <cleave/data/concept.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/network/concept.hpp>
#include <cleave/strategy/optimisers.hpp>
#include <cleave/strategy/recovery.hpp>
#include <cleave/strategy/rms_prop.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cleave::network {

/// The optimiser of a recipe that names none: NAS-Bench-201's SGD, any other one's own defaults.
template <class Optimiser>
[[nodiscard]] Optimiser default_optimiser() {
  if constexpr (std::same_as<Optimiser, strategy::Sgd>)
    return {.rate = {0.1, 0.0}, .clip = 0.0};
  else
    return {};
}

/// How a stand-alone network is trained. Defaults: NAS-Bench-201 (section 2.3 of its paper).
template <class Optimiser = strategy::Sgd>
struct RecipeWith {
  static_assert(
      strategy::WeightOptimiser<Optimiser>,
      "RecipeWith: an optimiser needs State with rate_scale, State start(const "
      "WeightArena&) const and at::Tensor step(WeightArena&, State&, double progress, const "
      "at::Tensor& decays) const (docs/policies.md, Optimisers of weights)");

  Optimiser optimiser = default_optimiser<Optimiser>();
  std::size_t epochs = 200;
  std::size_t batch = 256;
  bool augment = true;
  double label_smoothing = 0.0;
  /// Memory of the mean over steps that is tested instead of the weights themselves; 0: none. After
  /// step t the mean keeps min(averaging, (1 + t) / (10 + t)) of itself.
  double averaging = 0.0;
  strategy::NonFinite trouble = strategy::NonFinite::Stop;
  template <class F>
  void fields(F&& field) const {
    field("optimiser", optimiser);
    field("epochs", epochs);
    field("batch", batch);
    field("augment", augment);
    field("label_smoothing", label_smoothing);
    field("averaging", averaging);
    field("trouble", trouble);
  }

  /// The retraining of the DARTS papers on CIFAR-10, which goes with cutout 16, drop-path and an
  /// auxiliary head (network/darts.hpp).
  [[nodiscard]] static RecipeWith darts() requires std::same_as<Optimiser, strategy::Sgd> {
    return {
        .optimiser = {.rate = {0.025, 0.0}, .weight_decay = 3e-4, .nesterov = false, .clip = 5.0},
        .epochs = 600,
        .batch = 96};
  }
  /// The retraining of MobileNets on ImageNet (method.md section 3), which goes with dropout and
  /// drop-connect of 0.2 (network/mobile_network.hpp), RandAugment and random erasing
  /// (data/rand_augment.hpp, data/random_erasing.hpp). The batch is not stated there.
  [[nodiscard]] static RecipeWith mobile() requires std::same_as<Optimiser, strategy::RmsProp> {
    return {.epochs = 450, .label_smoothing = 0.1, .averaging = 0.9999};
  }
};
using Recipe = RecipeWith<>;

/// All image numbers of a part.
template <data::DataSet D>
[[nodiscard]] std::vector<std::int64_t> all_images(const D& data, data::Part part) {
  std::vector<std::int64_t> indices(data.labels(part).size());
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return indices;
}

/// A stand-alone network in training: can be stopped after any step and continued, and judged
/// after any epoch.
template <Network N, class Optimiser = strategy::Sgd>
class Training {
 public:
  using Recipe = RecipeWith<Optimiser>;
  /// Called after every step with the number of images it used.
  using Tick = std::function<void(std::size_t images)>;

  /// The learning rate ends after `recipe.epochs`. `where` names the network in error messages.
  Training(N net, Recipe recipe, Stream stream, std::string where)
      : net_(std::move(net)),
        recipe_(recipe),
        own_weights_(net_.arena().values()),
        own_statistics_(net_.statistics().values().detach()),
        momentum_(recipe.optimiser.start(net_.arena())),
        stream_(stream),
        where_(std::move(where)),
        guard_(recipe.trouble) {
    if (!(recipe.averaging >= 0 && recipe.averaging < 1))
      throw ValueError(
          fmt::format("{}: averaging {}, allowed 0 up to but not 1", where_, recipe.averaging));
    if (recipe.averaging > 0) mean_ = {own_weights_.clone(), own_statistics_.clone()};
  }

  /// Trains on these images of the train part until `epochs` epochs are done in all. A loss or
  /// gradient that is not finite is treated as `recipe.trouble` says; throws `NumericalError`.
  template <data::DataSet D>
  void train_until(std::size_t epochs, const D& data, std::span<const std::int64_t> images,
                   const Tick& tick) {
    for (; epoch_ < epochs; ++epoch_, step_ = 0, guard_.epoch_done()) {
      const auto stream = stream_.fork("epoch").fork(epoch_);
      const data::EpochOrder order(images, recipe_.batch, stream.fork("order"));
      while (step_ < order.batches()) {
        if (step_ == 0 && recipe_.trouble == strategy::NonFinite::RollBack)
          epoch_began_.take(*this);
        at::Tensor statistics_before;
        if (recipe_.trouble == strategy::NonFinite::SkipStep)
          statistics_before = net_.statistics().values().clone();
        const auto k = step_;
        const auto batch = data::batch_of_loop(data, k, order.batches(), [&](std::size_t i) {
          return data::BatchRequest{data::Part::Train, order.batch(i), recipe_.augment,
                                    stream.fork("augment").fork(i)};
        });
        const double progress = (static_cast<double>(epoch_) +
                                 static_cast<double>(k) / static_cast<double>(order.batches())) /
                                static_cast<double>(recipe_.epochs);
        net_.arena().gradients().zero_();
        const auto loss = loss_of(batch, {progress, stream.fork("network").fork(k)});
        loss.backward();
        const auto norm = recipe_.optimiser.step(net_.arena(), momentum_, progress);
        const auto verdict = guard_.check(net_.arena(), batch.images, loss.detach(), norm, [&] {
          return fmt::format("{}, epoch {}, step {}", where_, epoch_, k);
        });
        ++step_;
        if (verdict != strategy::FiniteGuard::Verdict::Fine)
          strategy::recover(*this, epoch_began_, verdict, guard_, trouble_);
        if (verdict == strategy::FiniteGuard::Verdict::Skipped) {  // a forward pass has moved these
          const at::NoGradGuard no_grad;
          net_.statistics().values().detach().copy_(statistics_before);
        }
        if (verdict == strategy::FiniteGuard::Verdict::Fine) average();
        tick(order.batch(k).size());
      }
    }
  }

  /// Accuracy in [0, 1] with running statistics, without augmentation; of the mean weights and
  /// statistics where the recipe has them.
  template <data::DataSet D>
  [[nodiscard]] double accuracy(const D& data, data::Part part,
                                std::span<const std::int64_t> images) const {
    const Exchanged exchanged(*this);
    return data::accuracy(data, part, images,
                          [&](const at::Tensor& x) { return net_.forward(x, false); });
  }

  /// Replaces weights and statistics by their means, where the recipe has them: the end of
  /// training.
  void keep_mean() {
    const at::NoGradGuard no_grad;
    if (!mean_.weights.defined()) return;
    own_weights_.copy_(mean_.weights);
    own_statistics_.copy_(mean_.statistics);
  }

  [[nodiscard]] N& net() noexcept { return net_; }
  [[nodiscard]] const Recipe& recipe() const noexcept { return recipe_; }
  /// Steps behind, of epochs of so many.
  [[nodiscard]] std::size_t steps_done(std::size_t per_epoch) const noexcept {
    return epoch_ * per_epoch + step_;
  }

  /// Everything that a step changes.
  template <class F>
  void moving(F&& field) {
    auto weights = net_.arena().values();
    auto statistics = net_.statistics().values();
    field("weights", weights);
    field("statistics", statistics);
    field("momentum", momentum_);
    field("mean_weights", mean_.weights);
    field("mean_statistics", mean_.statistics);
    field("averaged", mean_.steps);
    field("epoch", epoch_);
    field("step", step_);
  }
  template <class F>
  void fields(F&& field) {
    moving(field);
    field("trouble", trouble_);
    field("epoch_began", epoch_began_);
  }

  /// Steps that were skipped and epochs that were begun again.
  [[nodiscard]] const strategy::Trouble& trouble() const noexcept { return trouble_; }

 private:
  /// Means over the steps; undefined tensors when the recipe has none.
  struct Mean {
    at::Tensor weights{};     ///< [P]
    at::Tensor statistics{};  ///< like the network's
    std::size_t steps = 0;
  };
  /// While it lives, the network has the means and the means what the network had.
  class Exchanged {
   public:
    explicit Exchanged(const Training& training) : training_(training) { swap(); }
    Exchanged(const Exchanged&) = delete;
    Exchanged& operator=(const Exchanged&) = delete;
    ~Exchanged() { swap(); }

   private:
    void swap() const {
      const auto& mean = training_.mean_;
      if (!mean.weights.defined()) return;
      const at::NoGradGuard no_grad;
      const auto exchange = [](at::Tensor a, at::Tensor b) {
        const auto kept = a.clone();
        a.copy_(b);
        b.copy_(kept);
      };
      exchange(training_.own_weights_, mean.weights);
      exchange(training_.own_statistics_, mean.statistics);
    }
    const Training& training_;
  };

  void average() {
    if (!mean_.weights.defined()) return;
    const at::NoGradGuard no_grad;
    const auto t = static_cast<double>(++mean_.steps);
    const double kept = std::min(recipe_.averaging, (1 + t) / (10 + t));
    mean_.weights.lerp_(own_weights_, 1 - kept);
    mean_.statistics.lerp_(own_statistics_, 1 - kept);
  }

  [[nodiscard]] at::Tensor loss_of(const data::Batch& batch, const TrainingMoment& moment) const {
    const auto entropy = [&](const at::Tensor& logits) {
      return at::cross_entropy_loss(logits, batch.labels, {}, at::Reduction::Mean, -100,
                                    recipe_.label_smoothing);
    };
    if constexpr (NetworkWithTrainingPass<N>) {
      const auto pass = net_.training_pass(batch.images, moment);
      const auto loss = entropy(pass.logits);
      if (!pass.auxiliary.defined()) return loss;
      return loss.add(entropy(pass.auxiliary), pass.auxiliary_weight);
    } else {
      return entropy(net_.forward(batch.images, true));
    }
  }

  N net_;
  Recipe recipe_;
  at::Tensor own_weights_;     ///< the network's storage, [P]
  at::Tensor own_statistics_;  ///< likewise
  typename Optimiser::State momentum_;
  Mean mean_;
  Stream stream_;
  std::string where_;
  std::size_t epoch_ = 0;  ///< epochs done
  std::size_t step_ = 0;   ///< steps done of the epoch under way
  strategy::FiniteGuard guard_;
  strategy::Trouble trouble_;
  archive::Snapshot epoch_began_;  ///< empty unless trouble is rolled back
};

}  // namespace cleave::network
