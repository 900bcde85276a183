#pragma once

#include <cleave/data/accuracy.hpp>
#include <cleave/data/ahead.hpp>
#include <cleave/data/concept.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/network/concept.hpp>
#include <cleave/strategy/optimisers.hpp>
#include <cleave/strategy/recovery.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cleave::network {

/// How a stand-alone network is trained. Defaults: NAS-Bench-201 (section 2.3 of its paper).
struct Recipe {
  strategy::Sgd optimiser{.rate = {0.1, 0.0}, .clip = 0.0};
  std::size_t epochs = 200;
  std::size_t batch = 256;
  bool augment = true;
  double label_smoothing = 0.0;
  strategy::NonFinite trouble = strategy::NonFinite::Stop;
  template <class F>
  void fields(F&& field) const {
    field("optimiser", optimiser);
    field("epochs", epochs);
    field("batch", batch);
    field("augment", augment);
    field("label_smoothing", label_smoothing);
    field("trouble", trouble);
  }

  /// The retraining of the DARTS papers on CIFAR-10, which goes with cutout 16, drop-path and an
  /// auxiliary head (network/darts.hpp).
  [[nodiscard]] static Recipe darts() {
    return {
        .optimiser = {.rate = {0.025, 0.0}, .weight_decay = 3e-4, .nesterov = false, .clip = 5.0},
        .epochs = 600,
        .batch = 96};
  }
};

/// All image numbers of a part.
template <data::DataSet D>
[[nodiscard]] std::vector<std::int64_t> all_images(const D& data, data::Part part) {
  std::vector<std::int64_t> indices(data.labels(part).size());
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return indices;
}

/// A stand-alone network in training: can be stopped after any step and continued, and judged
/// after any epoch.
template <Network N>
class Training {
 public:
  /// Called after every step with the number of images it used.
  using Tick = std::function<void(std::size_t images)>;

  /// The learning rate ends after `recipe.epochs`. `where` names the network in error messages.
  Training(N net, Recipe recipe, Stream stream, std::string where)
      : net_(std::move(net)),
        recipe_(recipe),
        momentum_(recipe.optimiser.start(net_.arena())),
        stream_(stream),
        where_(std::move(where)),
        guard_(recipe.trouble) {}

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
        tick(order.batch(k).size());
      }
    }
  }

  /// Accuracy in [0, 1] with running statistics, without augmentation.
  template <data::DataSet D>
  [[nodiscard]] double accuracy(const D& data, data::Part part,
                                std::span<const std::int64_t> images) const {
    return data::accuracy(data, part, images,
                          [&](const at::Tensor& x) { return net_.forward(x, false); });
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
  strategy::Sgd::State momentum_;
  Stream stream_;
  std::string where_;
  std::size_t epoch_ = 0;  ///< epochs done
  std::size_t step_ = 0;   ///< steps done of the epoch under way
  strategy::FiniteGuard guard_;
  strategy::Trouble trouble_;
  archive::Snapshot epoch_began_;  ///< empty unless trouble is rolled back
};

}  // namespace cleave::network
