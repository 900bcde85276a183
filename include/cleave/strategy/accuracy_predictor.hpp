#pragma once

#include <cleave/space/distinct_samples.hpp>
#include <cleave/strategy/accuracy_estimator.hpp>
#include <cleave/strategy/optimisers.hpp>
#include <cleave/supernet/operations.hpp>
#include <cleave/tabular/rank_correlation.hpp>
#include <memory>
#include <set>

namespace cleave::strategy {

/// Length of `encode<S>`: the options of all decisions.
template <SearchSpace S>
inline constexpr std::size_t encoded_size = [] {
  std::size_t size = 0;
  for (std::size_t d = 0; d < S::decision_count; ++d) size += S::option_count(DecisionId(d));
  return size;
}();

/// Architectures as numbers, [N, encoded_size]: for every decision a one at the option taken, all
/// decisions after each other. A decision that means nothing (`is_used`) has zeros only, so equal
/// networks have equal rows.
template <SearchSpace S>
[[nodiscard]] at::Tensor encode(std::span<const Architecture<S>> architectures) {
  const auto rows = static_cast<std::int64_t>(architectures.size());
  auto encoded = at::zeros({rows, static_cast<std::int64_t>(encoded_size<S>)}, at::kFloat);
  float* row = encoded.mutable_data_ptr<float>();
  for (const auto& architecture : architectures) {
    const Restriction<S> alone(architecture);
    for (std::size_t d = 0; d < S::decision_count; ++d) {
      const DecisionId decision(d);
      if (is_used(alone, decision)) row[architecture[decision].index()] = 1;
      row += S::option_count(decision);
    }
  }
  return encoded;
}

/// A multilayer perceptron that knows the accuracies of some architectures: three hidden layers of
/// ReLUs over `encode`, fitted to standardised accuracies by Adam on the mean squared error.
class AccuracyPredictor {
 public:
  struct Settings {
    std::size_t width = 400;  ///< of every hidden layer
    std::size_t epochs = 100;
    std::size_t batch = 64;
    CosineRate rate{1e-3, 0.0};
    double weight_decay = 1e-4;
    template <class F>
    void fields(F&& field) const {
      field("width", width);
      field("epochs", epochs);
      field("batch", batch);
      field("rate", rate);
      field("weight_decay", weight_decay);
    }
  };

  /// Fits `encoded` [N, D] to `accuracies`, N of them and at least one. Deterministic for a stream.
  AccuracyPredictor(const Settings& settings, const at::Tensor& encoded,
                    std::span<const double> accuracies, Stream stream) {
    const auto width = static_cast<std::int64_t>(settings.width);
    std::int64_t in = encoded.size(1);
    for (int layer = 0; layer < hidden_layers; ++layer, in = width)
      layers_.push_back(supernet::Linear::declare(arena_, fmt::format("hidden {}", layer),
                                                  WeightGroup::shared(), in, width));
    layers_.push_back(supernet::Linear::declare(arena_, "out", WeightGroup::shared(), in, 1));
    arena_.build(at::TensorOptions(at::kFloat), stream.fork("weights"));

    for (const auto accuracy : accuracies) mean_ += accuracy;
    mean_ /= static_cast<double>(accuracies.size());
    double squares = 0;
    for (const auto accuracy : accuracies) squares += (accuracy - mean_) * (accuracy - mean_);
    deviation_ = std::sqrt(squares / static_cast<double>(accuracies.size()));
    auto targets = at::zeros({encoded.size(0)}, at::kFloat);
    for (std::size_t i = 0; deviation_ > 0 && i < accuracies.size(); ++i)
      targets.mutable_data_ptr<float>()[i] =
          static_cast<float>((accuracies[i] - mean_) / deviation_);

    std::vector<std::int64_t> order(accuracies.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    Adam adam{.beta1 = 0.9, .beta2 = 0.999, .weight_decay = settings.weight_decay};
    auto moments = adam.start(arena_.values());
    auto weights = arena_.values();
    auto shuffling = stream.fork("order");
    for (std::size_t epoch = 0; epoch < settings.epochs; ++epoch) {
      shuffling.shuffle(order);
      adam.rate =
          settings.rate.at(static_cast<double>(epoch) / static_cast<double>(settings.epochs));
      for (std::size_t begin = 0; begin < order.size(); begin += settings.batch) {
        const auto rows = at::tensor(at::ArrayRef<std::int64_t>(order).slice(
            begin, std::min(settings.batch, order.size() - begin)));
        arena_.gradients().zero_();
        at::mse_loss(standardised(encoded.index_select(0, rows)), targets.index_select(0, rows))
            .backward();
        adam.step(weights, arena_.gradients(), moments);
      }
    }
  }

  /// Accuracies of `encoded` [N, D].
  [[nodiscard]] std::vector<double> operator()(const at::Tensor& encoded) const {
    const at::NoGradGuard no_grad;
    const auto values =
        standardised(encoded).mul(deviation_).add(mean_).to(at::kDouble).contiguous();
    const auto* first = values.const_data_ptr<double>();
    return {first, first + values.numel()};
  }

 private:
  static constexpr int hidden_layers = 3;

  [[nodiscard]] at::Tensor standardised(at::Tensor x) const {
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) x = layers_[i].forward(arena_, x).relu();
    return layers_.back().forward(arena_, x).squeeze(1);
  }

  WeightArena arena_;
  std::vector<supernet::Linear> layers_;
  double mean_ = 0;
  double deviation_ = 0;
};

/// Accuracies by a predictor trained on a sample, as Once-for-all searches (Cai et al., ICLR 2020,
/// section 3.4: 16,000 subnets): `samples` networks of the restriction are drawn and measured, a
/// part fits the predictor and the rest says how far to trust it. They are drawn without regard to
/// limits, so that what is learnt holds for all of them.
struct Predicted {
  static constexpr std::string_view name = "predicted";

  std::size_t samples = 1000;  ///< all of a restriction that holds fewer
  double held_out = 0.2;       ///< share of them to test on
  std::size_t finalists = 10;  ///< of the best by prediction, how many are measured
  AccuracyPredictor::Settings predictor{};
  template <class F>
  void fields(F&& field) const {
    field("samples", samples);
    field("held_out", held_out);
    field("finalists", finalists);
    field("predictor", predictor);
  }

  /// Throws `ValueError` for settings out of range and for a restriction of fewer than
  /// `least_samples` networks.
  template <SearchSpace S>
  [[nodiscard]] Estimate<S> operator()(const Restriction<S>& allowed, const AccuracyOf<S>& measured,
                                       Stream stream) const {
    check();
    std::vector<Architecture<S>> drawn;
    std::set<Architecture<S>> distinct;
    auto drawing = stream.fork("sample");
    for (const auto& one : distinct_samples(allowed, samples, drawing))
      if (const auto network = canonical(one, allowed); distinct.insert(network).second)
        drawn.push_back(network);
    if (drawn.size() < least_samples)
      throw ValueError(fmt::format(
          "accuracy predictor: the restriction of {} holds {} networks, at least {} are needed; "
          "measure them all instead",
          S::name, drawn.size(), least_samples));
    const auto accuracies = measured(std::span<const Architecture<S>>(drawn));
    const auto encoded = encode(std::span<const Architecture<S>>(drawn));

    const auto tested = std::clamp<std::size_t>(
        static_cast<std::size_t>(std::lround(held_out * static_cast<double>(drawn.size()))), 2,
        drawn.size() - 2);
    const auto fitted = drawn.size() - tested;
    const auto known = std::span(accuracies).first(fitted);
    const auto unseen = std::span(accuracies).subspan(fitted);
    const auto fit = std::make_shared<const AccuracyPredictor>(
        predictor, encoded.narrow(0, 0, static_cast<std::int64_t>(fitted)), known,
        stream.fork("fit"));
    const auto guesses = (*fit)(
        encoded.narrow(0, static_cast<std::int64_t>(fitted), static_cast<std::int64_t>(tested)));
    double squares = 0;
    for (std::size_t i = 0; i < tested; ++i)
      squares += (guesses[i] - unseen[i]) * (guesses[i] - unseen[i]);

    Estimate<S> result{
        .accuracies =
            [fit](std::span<const Architecture<S>> architectures) {
              return (*fit)(encode(architectures));
            },
        .quality = EstimateQuality{fitted, tested, tabular::kendall_tau_b(guesses, unseen),
                                   std::sqrt(squares / static_cast<double>(tested))},
        .finalists = finalists};
    for (std::size_t i = 0; i < drawn.size(); ++i)
      result.measured.push_back({drawn[i], accuracies[i]});
    return result;
  }

 private:
  static constexpr std::size_t least_samples = 8;

  void check() const {
    const auto want = [](bool good, const std::string& what) {
      if (!good) throw ValueError("accuracy predictor: " + what);
    };
    want(samples >= least_samples,
         fmt::format("samples is {}, at least {} are needed", samples, least_samples));
    want(held_out > 0 && held_out < 1,
         fmt::format("held_out is {}, allowed is more than 0 and less than 1", held_out));
    want(finalists > 0, "finalists is 0, at least 1 is needed");
    want(predictor.width > 0 && predictor.epochs > 0 && predictor.batch > 0,
         fmt::format("width {}, epochs {}, batch {}: each must be at least 1", predictor.width,
                     predictor.epochs, predictor.batch));
    want(predictor.rate.first > 0 && predictor.rate.last >= 0 && predictor.weight_decay >= 0,
         fmt::format("rate from {} to {}, weight decay {}: the first must be positive, none may be "
                     "negative",
                     predictor.rate.first, predictor.rate.last, predictor.weight_decay));
  }
};

static_assert(AccuracyEstimator<Predicted, space::Ofa>);

}  // namespace cleave::strategy
