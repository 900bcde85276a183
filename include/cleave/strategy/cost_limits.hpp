#pragma once

#include <cleave/core/error.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/restriction.hpp>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::strategy {

/// Hard limits on a network.
struct CostLimits {
  double least_macs = 0;
  double most_macs = std::numeric_limits<double>::infinity();
  double most_params = std::numeric_limits<double>::infinity();
  double most_latency = std::numeric_limits<double>::infinity();  ///< in what `latency` measures
  template <class F>
  void fields(F&& field) const {
    field("least_macs", least_macs);
    field("most_macs", most_macs);
    field("most_params", most_params);
    field("most_latency", most_latency);
  }
};

/// The allowed architecture with that image size that costs least. `cost_of(architecture)` must be
/// a sum of costs of blocks, none below zero, where a block's depends on its own kernel, its own
/// expansion and the image: then every layer can be made the cheapest on its own and a layer more
/// is never cheaper, so this is the minimum and not an estimate. Multiply-adds, parameters and the
/// predictions of a latency table are such sums. Asks for at most 180 costs.
template <class CostOf>
[[nodiscard]] Architecture<space::Ofa> cheapest(const Restriction<space::Ofa>& allowed,
                                                OptionId image, CostOf cost_of) {
  using Space = space::Ofa;
  Architecture<Space> best;
  for (std::size_t d = 0; d < Space::decision_count; ++d)
    best.set(DecisionId(d), allowed[DecisionId(d)].nth(0));  // depths too: the least allowed
  best.set(Space::image(), image);
  for (std::size_t layer = 0; layer < Space::layer_count; ++layer) {
    const auto depth = Space::depths[best[Space::depth(layer / Space::layers_per_stage)].index()];
    if (layer % Space::layers_per_stage >= depth) continue;
    const auto kernels = allowed[Space::kernel(layer)];
    const auto expansions = allowed[Space::expand(layer)];
    double least = std::numeric_limits<double>::infinity();
    auto tried = best;
    for (std::size_t k = 0; k < kernels.size(); ++k)
      for (std::size_t e = 0; e < expansions.size(); ++e) {
        tried.set(Space::kernel(layer), kernels.nth(k))
            .set(Space::expand(layer), expansions.nth(e));
        const auto cost = static_cast<double>(cost_of(tried));
        if (cost >= least) continue;
        least = cost;
        best = tried;
      }
  }
  return best;
}

/// For every allowed image size the architectures that cost least, by each measure that has a
/// limit: where a search under tight limits can begin. Throws `ValueError`, which says the least
/// possible costs, when at every image size some limit lies below them: then no network keeps the
/// limits. `latency` may be empty.
[[nodiscard]] inline std::vector<Architecture<space::Ofa>> cheapest_within(
    const CostLimits& limits, const Restriction<space::Ofa>& allowed, const space::OfaShape& shape,
    const std::function<double(const space::MobileNetwork&)>& latency = {}) {
  using Space = space::Ofa;
  struct Measure {
    std::function<double(const space::MobileNetwork&)> cost;
    double most;
    std::string_view unit;
  };
  std::vector<Measure> measures{
      {[](const auto& net) { return static_cast<double>(space::cost(net).macs); }, limits.most_macs,
       "multiply-adds"},
      {[](const auto& net) { return static_cast<double>(space::cost(net).params); },
       limits.most_params, "parameters"}};
  if (latency) measures.push_back({latency, limits.most_latency, "of latency"});

  std::vector<Architecture<Space>> result;
  std::string least;
  bool possible = false;
  const auto images = allowed[Space::image()];
  for (std::size_t i = 0; i < images.size(); ++i) {
    bool misses = false;
    for (const auto& measure : measures) {
      if (measure.most == std::numeric_limits<double>::infinity()) continue;
      const auto cost_of = [&](const auto& a) { return measure.cost(space::network(a, shape)); };
      result.push_back(cheapest(allowed, images.nth(i), cost_of));
      const auto network = space::network(result.back(), shape);
      const double cost = measure.cost(network);
      if (cost <= measure.most) continue;
      misses = true;
      least += fmt::format("{}{} {} with images of {} (allowed {})", least.empty() ? "" : ", ",
                           cost, measure.unit, network.image, measure.most);
    }
    possible |= !misses;
  }
  if (!possible)
    throw ValueError("once-for-all: no allowed network keeps the limits; the least possible are " +
                     least);
  return result;
}

}  // namespace cleave::strategy
