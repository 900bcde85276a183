#pragma once

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/restriction.hpp>
#include <cmath>
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
/// a sum of costs of blocks, where a block's depends on its own kernel, its own expansion and the
/// image, and may be negative: then every layer can be made the cheapest on its own, and after that
/// every depth, so this is the minimum and not an estimate. Multiply-adds, parameters, the
/// predictions of a latency table, and their weighted sums, are such costs. Asks for at most 195.
template <class CostOf>
[[nodiscard]] Architecture<space::Ofa> cheapest(const Restriction<space::Ofa>& allowed,
                                                OptionId image, CostOf cost_of) {
  using Space = space::Ofa;
  Architecture<Space> best;
  for (std::size_t d = 0; d < Space::decision_count; ++d) {
    const auto options = allowed[DecisionId(d)];  // of depths the largest: every layer is there
    const bool depth = Space::kind(DecisionId(d)) == Space::Kind::depth;
    best.set(DecisionId(d), options.nth(depth ? options.size() - 1 : 0));
  }
  best.set(Space::image(), image);
  double least = std::numeric_limits<double>::infinity();
  const auto take_if_cheaper = [&](const Architecture<Space>& tried) {
    const auto cost = static_cast<double>(cost_of(tried));
    if (cost >= least) return;
    least = cost;
    best = tried;
  };
  for (std::size_t layer = 0; layer < Space::layer_count; ++layer) {
    const auto depth = Space::depths[best[Space::depth(layer / Space::layers_per_stage)].index()];
    if (layer % Space::layers_per_stage >= depth) continue;
    const auto kernels = allowed[Space::kernel(layer)];
    const auto expansions = allowed[Space::expand(layer)];
    auto tried = best;
    for (std::size_t k = 0; k < kernels.size(); ++k)
      for (std::size_t e = 0; e < expansions.size(); ++e)
        take_if_cheaper(tried.set(Space::kernel(layer), kernels.nth(k))
                            .set(Space::expand(layer), expansions.nth(e)));
  }
  for (std::size_t stage = 0; stage < Space::stage_count; ++stage) {
    const auto depths = allowed[Space::depth(stage)];
    auto tried = best;
    for (std::size_t d = 0; d < depths.size(); ++d)
      take_if_cheaper(tried.set(Space::depth(stage), depths.nth(d)));
  }
  return best;
}

/// For every allowed image size the architectures that cost least (most, for `least_macs`), by each
/// measure that has a limit and by weighted sums of them: where a search under tight limits can
/// begin. Throws `ValueError` when no network keeps the limits, because at every image size
///   - some limit lies beyond what is possible, which the message says, or
///   - some weighting of the limits cannot be met: with what is over a limit, c_k = cost / most - 1
///     or 1 - cost / least, and weights w_k, none below zero, min over all networks of
///     sum w_k c_k > 0 (the Lagrangian bound), so that some c_k > 0 whatever the network.
/// The weights are looked for by `rounds` multiplicative updates, until a network keeps all limits;
/// limits that cannot be met together by a hair, or only because nothing lies between two options,
/// are not found out. `latency` may be empty.
[[nodiscard]] inline std::vector<Architecture<space::Ofa>> cheapest_within(
    const CostLimits& limits, const Restriction<space::Ofa>& allowed, const space::OfaShape& shape,
    const std::function<double(const space::MobileNetwork&)>& latency = {}) {
  using Space = space::Ofa;
  constexpr int rounds = 30;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  struct Measure {
    std::function<double(const space::MobileNetwork&)> cost;
    double limit;
    std::string_view unit;
    double sign = 1;  ///< -1 where the limit is the least
  };
  const auto macs = [](const auto& net) { return static_cast<double>(space::cost(net).macs); };
  const auto params = [](const auto& net) { return static_cast<double>(space::cost(net).params); };
  std::vector<Measure> measures{{macs, limits.most_macs, "multiply-adds"},
                                {params, limits.most_params, "parameters"}};
  if (limits.least_macs > 0) measures.push_back({macs, limits.least_macs, "multiply-adds", -1});
  if (latency) measures.push_back({latency, limits.most_latency, "of latency"});
  std::erase_if(measures, [&](const auto& measure) { return measure.limit == infinite; });

  std::vector<Architecture<Space>> result;
  std::string beyond;
  bool possible = false;
  const auto images = allowed[Space::image()];
  for (std::size_t i = 0; i < images.size(); ++i) {
    bool misses = false;
    const auto miss = [&](std::size_t image, const std::string& why) {
      misses = true;
      beyond += fmt::format("{}with images of {} {}", beyond.empty() ? "" : ", ", image, why);
    };
    for (const auto& measure : measures) {
      result.push_back(cheapest(allowed, images.nth(i), [&](const auto& a) {
        return measure.sign * measure.cost(space::network(a, shape));
      }));
      const auto network = space::network(result.back(), shape);
      const double cost = measure.cost(network);
      if (measure.sign * cost <= measure.sign * measure.limit) continue;
      miss(network.image,
           fmt::format("the {} possible are {} {} (allowed {})",
                       measure.sign > 0 ? "least" : "most", cost, measure.unit, measure.limit));
    }
    std::vector<double> weights(measures.size(), 1.0 / static_cast<double>(measures.size()));
    const auto over = [&](std::size_t k, const space::MobileNetwork& net) {
      return measures[k].sign * (measures[k].cost(net) / measures[k].limit - 1);
    };
    bool met = measures.size() < 2;
    for (int round = 0; round < rounds && !met && !misses; ++round) {
      const auto sum_of = [&](const auto& a) {
        const auto net = space::network(a, shape);
        double sum = 0;
        for (std::size_t k = 0; k < measures.size(); ++k) sum += weights[k] * over(k, net);
        return sum;
      };
      const auto tried = cheapest(allowed, images.nth(i), sum_of);
      const auto network = space::network(tried, shape);
      if (const double least = sum_of(tried); least > 1e-9)
        miss(network.image,
             fmt::format(
                 "the limits cannot be kept together: every network is {:.2g} % over them in "
                 "a weighted mean",
                 100 * least));
      met = true;
      double total = 0;
      for (std::size_t k = 0; k < measures.size(); ++k) {
        met = met && over(k, network) <= 0;
        total += weights[k] *= std::exp(std::clamp(2 * over(k, network), -1.0, 1.0));
      }
      for (auto& weight : weights) weight /= total;
      if (met) result.push_back(tried);
    }
    possible |= !misses;
  }
  if (!possible) throw ValueError("once-for-all: no allowed network keeps the limits: " + beyond);
  std::vector<Architecture<Space>> distinct;
  for (const auto& one : result)
    if (std::find(distinct.begin(), distinct.end(), one) == distinct.end()) distinct.push_back(one);
  return distinct;
}

}  // namespace cleave::strategy
