#pragma once

#include <cleave/space/ofa.hpp>
#include <cleave/strategy/evolution.hpp>
#include <functional>
#include <optional>

namespace cleave::strategy {

/// Accuracies of architectures, one for each, in their order.
template <SearchSpace S>
using AccuracyOf = std::function<std::vector<double>(std::span<const Architecture<S>>)>;

/// How well estimates agree with measurements that they were not made from.
struct EstimateQuality {
  std::size_t fitted = 0;    ///< architectures the estimate was made from
  std::size_t held_out = 0;  ///< others, on which it was tested
  double tau = 0;            ///< Kendall's tau-b on those; NaN where one side is all equal
  double rmse = 0;           ///< root of the mean squared error on those, in accuracy
};

/// What an estimator hands over.
template <SearchSpace S>
struct Estimate {
  AccuracyOf<S> accuracies;
  std::vector<Individual<S>> measured{};     ///< what was measured to make it
  std::optional<EstimateQuality> quality{};  ///< none: `accuracies` are measurements themselves
  std::size_t finalists = 0;                 ///< of the best, how many are measured in the end
};

/// Where a search's accuracies come from.
///
/// Requirements on a const object: `E::name`, and `estimator(allowed, measured, stream)` giving an
/// `Estimate<S>` for the restriction `allowed`. `measured(architectures)` says accuracies as they
/// are, at the cost of a validation for each.
/// Laws (testing/estimator_laws.hpp): measures nothing outside the restriction and nothing twice,
/// and keeps what it measured; depends on its arguments alone; gives one finite number for each
/// architecture, whatever others are asked for along with it.
/// Accepted: the number of parameters. Rejected: one that gives a number for every architecture of
/// the space in a list. Models: Measured (default), Predicted (accuracy_predictor.hpp).
template <class E, class S>
concept AccuracyEstimator = requires(const E& estimator, const Restriction<S>& allowed,
                                     const AccuracyOf<S>& measured, Stream stream) {
  { E::name } -> std::convertible_to<std::string_view>;
  { estimator(allowed, measured, stream) } -> std::same_as<Estimate<S>>;
};

/// Every architecture is measured.
struct Measured {
  static constexpr std::string_view name = "measured";

  template <SearchSpace S>
  [[nodiscard]] Estimate<S> operator()(const Restriction<S>&, const AccuracyOf<S>& measured,
                                       Stream) const {
    return {measured};
  }
};

static_assert(AccuracyEstimator<Measured, space::Ofa>);

/// What evolution found, all with measured accuracies.
template <SearchSpace S>
struct Evolved {
  std::vector<Individual<S>> individuals;
  std::optional<EstimateQuality> quality{};  ///< of the estimate that led the search, if any did
};

/// Evolution led by an estimate. Where estimates are not measurements, the best `finalists` that
/// evolution came upon are measured, and join those that were measured for the estimate and keep
/// the limits: what is returned has been measured on the same images, whoever led there. At least
/// one architecture is returned. Throws as `Evolution` and the estimator.
template <SearchSpace S, class Estimator, class IsAllowed>
[[nodiscard]] Evolved<S> evolve(const Evolution& evolution, const Estimator& estimator,
                                const Restriction<S>& allowed, IsAllowed is_allowed,
                                const AccuracyOf<S>& measured, Stream stream,
                                std::span<const Architecture<std::type_identity_t<S>>> first = {}) {
  static_assert(AccuracyEstimator<Estimator, S>,
                "evolve: an accuracy estimator needs name and Estimate<S> operator()(const "
                "Restriction<S>&, const AccuracyOf<S>& measured, Stream) const (docs/policies.md, "
                "Accuracy estimators)");
  const auto estimate = estimator(allowed, measured, stream.fork("estimator"));
  auto found = evolution(allowed, is_allowed, estimate.accuracies, stream, first);
  if (!estimate.quality) return {std::move(found)};
  Evolved<S> result{{}, estimate.quality};
  for (const auto& one : estimate.measured)
    if (is_allowed(one.architecture)) result.individuals.push_back(one);
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.accuracy > b.accuracy; });
  std::vector<Architecture<S>> finalists;
  const auto known = [&](const Architecture<S>& architecture) {
    return std::any_of(result.individuals.begin(), result.individuals.end(),
                       [&](const auto& one) { return one.architecture == architecture; });
  };
  for (std::size_t i = 0; i < found.size() && i < std::max<std::size_t>(estimate.finalists, 1); ++i)
    if (!known(found[i].architecture)) finalists.push_back(found[i].architecture);
  const auto accuracies = finalists.empty() ? std::vector<double>()
                                            : measured(std::span<const Architecture<S>>(finalists));
  for (std::size_t i = 0; i < finalists.size(); ++i)
    result.individuals.push_back({finalists[i], accuracies.at(i)});
  return result;
}

}  // namespace cleave::strategy
