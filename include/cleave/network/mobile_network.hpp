#pragma once

#include <cleave/network/concept.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/supernet/mobile_block.hpp>
#include <string>
#include <utility>
#include <vector>

namespace cleave::network {

/// A stand-alone MobileNet built from its description, with affine batch norm and running
/// statistics. Parameters equal `space::cost`, and with it the published networks, exactly.
/// Images may be of any size; `description.image` is what costs are counted for.
class MobileNet {
 public:
  /// `image_share`: which share of an image's height and width it looks at, see `scaled_images`.
  /// Throws `ValueError` as `space::validate`.
  MobileNet(space::MobileNetwork description, const at::TensorOptions& options,
            const Stream& stream, double image_share = 1)
      : description_(std::move(description)), image_share_(image_share) {
    space::validate(description_);
    const auto group = WeightGroup::shared();
    const auto norm = [this](const std::string& name, WeightGroup, std::int64_t channels) {
      return RunningBatchNorm::declare(arena_, statistics_, name, channels);
    };
    stem_ = Stem::declare(arena_, group, description_, norm);
    for (const auto& block : description_.blocks)
      blocks_.push_back(
          Block::declare(arena_, fmt::format("blocks.{}", blocks_.size()), group, block, norm));
    head_ = Head::declare(arena_, group, description_, norm);
    arena_.build(options, stream);
    statistics_.build(options);
  }

  /// images: [B, C, H, W] -> [B, classes], with batch statistics (training, which moves the running
  /// ones) or running ones.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, bool training) const {
    return head_.classifier.forward(arena_, features(images, training));
  }

  /// Takes the exact statistics of a batch into their mean over all images, `seen` of which came
  /// before: each layer is normalised by its own batch, biased variances are averaged, as
  /// once-for-all re-estimates subnets. No weight changes.
  void absorb_statistics(const at::Tensor& images, std::int64_t seen) {
    const at::NoGradGuard no_grad;
    const double share =
        static_cast<double>(images.size(0)) / static_cast<double>(seen + images.size(0));
    const auto absorb = [&](const RunningBatchNorm& by, const at::Tensor& x) {
      const auto batch = at::var_mean(x, at::IntArrayRef{0, 2, 3}, /*unbiased=*/false);
      statistics_.variance(by.place, by.channels).lerp_(std::get<0>(batch), share);
      statistics_.mean(by.place, by.channels).lerp_(std::get<1>(batch), share);
      return at::batch_norm(x, arena_.weight(by.scale), arena_.weight(by.shift), {}, {},
                            /*training=*/true, 0.0, supernet::batch_norm_epsilon, true);
    };
    (void)run(images, absorb, [](std::size_t, const at::Tensor& y) { return y; });
  }

  /// Evaluation as `forward(images, false)`; `after_part()` is called after the first convolution,
  /// after every block and after the head.
  template <class AfterPart>
  at::Tensor forward_in_parts(const at::Tensor& images, AfterPart after_part) const {
    const auto normalise = [&](const RunningBatchNorm& by, const at::Tensor& x) {
      return by.forward(arena_, statistics_, x, false);
    };
    auto x = stem_.forward(arena_, scaled(images), normalise);
    after_part();
    for (const auto& block : blocks_) {
      x = block.forward(arena_, x, normalise);
      after_part();
    }
    x = classify(head_.features(arena_, x, normalise));
    after_part();
    return x;
  }

  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] const WeightArena& arena() const noexcept { return arena_; }
  [[nodiscard]] RunningStatistics& statistics() noexcept { return statistics_; }
  [[nodiscard]] const space::MobileNetwork& description() const noexcept { return description_; }

 protected:
  [[nodiscard]] at::Tensor features(const at::Tensor& images, bool training) const {
    return features(images, training, [](std::size_t, const at::Tensor& y) { return y; });
  }
  /// `branch(i, y)` may change what block i adds to its shortcut, [B, C, H, W].
  template <class Branch>
  [[nodiscard]] at::Tensor features(const at::Tensor& images, bool training, Branch branch) const {
    return run(
        images,
        [&](const RunningBatchNorm& by, const at::Tensor& x) {
          return by.forward(arena_, statistics_, x, training);
        },
        branch);
  }
  [[nodiscard]] at::Tensor classify(const at::Tensor& features) const {
    return head_.classifier.forward(arena_, features);
  }

 private:
  using Stem = supernet::MobileStem<RunningBatchNorm>;
  using Block = supernet::MobileBlockLayers<RunningBatchNorm>;
  using Head = supernet::MobileHead<RunningBatchNorm>;

  [[nodiscard]] at::Tensor scaled(const at::Tensor& images) const {
    return supernet::scaled_images(images, image_share_);
  }
  template <class Normalise, class Branch>
  [[nodiscard]] at::Tensor run(const at::Tensor& images, Normalise normalise, Branch branch) const {
    auto x = stem_.forward(arena_, scaled(images), normalise);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const auto y = blocks_[i].transform(arena_, x, normalise);
      x = blocks_[i].shortcut ? x.add(branch(i, y)) : y;
    }
    return head_.features(arena_, x, normalise);
  }

  space::MobileNetwork description_;
  double image_share_;
  WeightArena arena_;
  RunningStatistics statistics_;
  Stem stem_;
  std::vector<Block> blocks_;
  Head head_;
};

/// Sizes and regularisation of the stand-alone network of a MobileNet space.
template <class Shape>
struct MobileConfig {
  supernet::MobileConfig<Shape> sizes{};
  double dropout = 0;       ///< share of the features that a training step leaves out, [0, 1)
  double drop_connect = 0;  ///< how often an image goes around the last block alone, [0, 1)
  template <class F>
  void fields(F&& field) const {
    field("sizes", sizes);
    field("dropout", dropout);
    field("drop_connect", drop_connect);
  }
};

/// What numbers in a tensor of that shape stay with probability 1 - p, divided by it: 1 / (1 - p) or
/// 0, so that a product with it has the expectation of the factor. Drawn on the host, so that it is
/// the same on every device.
[[nodiscard]] inline at::Tensor dropout_mask(at::IntArrayRef shape, double p, Stream stream,
                                             const at::TensorOptions& options) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(stream.seed());
  return at::empty(shape, at::kFloat).bernoulli_(1 - p, generator).to(options).div_(1 - p);
}

/// The stand-alone network of an architecture of a space whose architectures are MobileNets
/// (`space::network(architecture, shape)`).
template <SearchSpace S, class Shape>
class MobileNetOf : public MobileNet {
 public:
  using Space = S;
  using Config = MobileConfig<Shape>;

  /// Throws `ValueError` for a dropout or drop-connect outside [0, 1) and as `space::network`.
  MobileNetOf(const Architecture<S>& architecture, const Config& config, const Stream& stream)
      : MobileNet(space::network(architecture, config.sizes.shape), config.sizes.options(), stream,
                  share_of(architecture)),
        architecture_(architecture),
        dropout_(config.dropout),
        drop_connect_(config.drop_connect) {
    const auto check = [](std::string_view what, double value) {
      if (!(value >= 0 && value < 1))
        throw ValueError(
            fmt::format("{} network: {} {}, allowed 0 up to but not 1", S::name, what, value));
    };
    check("dropout", dropout_);
    check("drop-connect", drop_connect_);
  }

  /// How often an image goes around block i of its network: never around the first, and linearly
  /// more often the later (stochastic depth, Huang et al., ECCV 2016, as EfficientNet has it).
  [[nodiscard]] double drop_rate(std::size_t i) const noexcept {
    return drop_connect_ * static_cast<double>(i) /
           static_cast<double>(this->description().blocks.size());
  }

  /// A training pass with drop-connect, image by image in blocks that have a shortcut, and dropout
  /// before the classifier.
  [[nodiscard]] TrainingPass training_pass(const at::Tensor& images,
                                           const TrainingMoment& moment) const {
    const auto features = this->features(images, true, [&](std::size_t i, const at::Tensor& y) {
      if (drop_rate(i) == 0) return y;
      return y.mul(dropout_mask({y.size(0), 1, 1, 1}, drop_rate(i),
                                moment.stream.fork("drop-connect").fork(i), y.options()));
    });
    if (dropout_ == 0) return {classify(features)};
    return {classify(features.mul(
        dropout_mask(features.sizes(), dropout_, moment.stream, features.options())))};
  }
  [[nodiscard]] std::size_t training_parameters() const noexcept { return 0; }

  [[nodiscard]] const Architecture<S>& genotype() const noexcept { return architecture_; }

 private:
  static double share_of(const Architecture<S>& architecture) {
    if constexpr (requires { S::image_share(architecture); })
      return S::image_share(architecture);
    else
      return 1;
  }

  Architecture<S> architecture_;
  double dropout_;
  double drop_connect_;
};

using Proxyless = MobileNetOf<space::Proxyless, space::ProxylessShape>;
using Ofa = MobileNetOf<space::Ofa, space::OfaShape>;

static_assert(NetworkWithTrainingPass<Proxyless> && NetworkWithTrainingPass<Ofa>);

}  // namespace cleave::network

namespace cleave {
template <>
struct NetworkFor<space::Proxyless> {
  using type = network::Proxyless;
};
template <>
struct NetworkFor<space::Ofa> {
  using type = network::Ofa;
};
}  // namespace cleave
