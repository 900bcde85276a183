#pragma once

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/restriction.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
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

/// One limit on a cost.
struct CostLimit {
  std::function<double(const space::MobileNetwork&)> cost;
  double bound;
  std::string_view unit;
  double sign = 1;  ///< -1 where the bound is the least

  /// What a network is over it: cost / most - 1, or 1 - cost / least.
  [[nodiscard]] double over(const space::MobileNetwork& network) const {
    return sign * (cost(network) / bound - 1);
  }
};

/// Those of the limits that can be missed. `latency` may be empty.
[[nodiscard]] inline std::vector<CostLimit> finite_limits(
    const CostLimits& limits,
    const std::function<double(const space::MobileNetwork&)>& latency = {}) {
  const auto macs = [](const auto& net) { return static_cast<double>(space::cost(net).macs); };
  const auto params = [](const auto& net) { return static_cast<double>(space::cost(net).params); };
  std::vector<CostLimit> result{{macs, limits.most_macs, "multiply-adds"},
                                {params, limits.most_params, "parameters"}};
  if (limits.least_macs > 0) result.push_back({macs, limits.least_macs, "multiply-adds", -1});
  if (latency) result.push_back({latency, limits.most_latency, "of latency"});
  std::erase_if(result, [](const CostLimit& limit) {
    return limit.bound == std::numeric_limits<double>::infinity();
  });
  return result;
}

/// What looking for a network that keeps several limits came to.
struct KeptTogether {
  std::optional<Architecture<space::Ofa>> network{};  ///< one that does
  double over = 0;  ///< if above 0, none does: every one is so much over them in a weighted mean
};

/// Looks for one with that image size. None exists when some weighting of the limits cannot be met:
/// with weights w_k, none below zero, min over all networks of sum w_k over_k > 0 (the Lagrangian
/// bound), so that some over_k > 0 whatever the network. The weights are looked for by
/// multiplicative updates; limits that cannot be met together by a hair, or only because nothing
/// lies between two options, are not found out.
[[nodiscard]] inline KeptTogether keep_together(const std::vector<CostLimit>& limits,
                                                const Restriction<space::Ofa>& allowed,
                                                OptionId image, const space::OfaShape& shape) {
  constexpr int rounds = 30;
  std::vector<double> weights(limits.size(), 1.0 / static_cast<double>(limits.size()));
  const auto sum_of = [&](const auto& architecture) {
    const auto network = space::network(architecture, shape);
    double sum = 0;
    for (std::size_t k = 0; k < limits.size(); ++k) sum += weights[k] * limits[k].over(network);
    return sum;
  };
  for (int round = 0; round < rounds; ++round) {
    const auto tried = cheapest(allowed, image, sum_of);
    if (const double least = sum_of(tried); least > 1e-9) return {{}, least};
    const auto network = space::network(tried, shape);
    bool kept = true;
    double total = 0;
    for (std::size_t k = 0; k < limits.size(); ++k) {
      const double over = limits[k].over(network);
      kept = kept && over <= 0;
      total += weights[k] *= std::exp(std::clamp(2 * over, -1.0, 1.0));
    }
    if (kept) return {tried};
    for (auto& weight : weights) weight /= total;
  }
  return {};
}

/// For every allowed image size the architectures that cost least (most, for `least_macs`), by each
/// measure that has a limit, and one that keeps all limits if it was found (`keep_together`): where
/// a search under tight limits can begin. Throws `ValueError` when no network keeps the limits,
/// because at every image size some limit lies beyond what is possible, which the message says, or
/// the limits cannot be kept together. `latency` may be empty.
[[nodiscard]] inline std::vector<Architecture<space::Ofa>> cheapest_within(
    const CostLimits& limits, const Restriction<space::Ofa>& allowed, const space::OfaShape& shape,
    const std::function<double(const space::MobileNetwork&)>& latency = {}) {
  using Space = space::Ofa;
  const auto finite = finite_limits(limits, latency);
  std::vector<Architecture<Space>> result;
  const auto add = [&](const Architecture<Space>& one) {
    if (std::find(result.begin(), result.end(), one) == result.end()) result.push_back(one);
  };
  std::string beyond;
  bool possible = false;
  const auto images = allowed[Space::image()];
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto image = images.nth(i);
    const auto pixels =
        space::network(Architecture<Space>().set(Space::image(), image), shape).image;
    bool misses = false;
    const auto miss = [&](const std::string& why) {
      misses = true;
      beyond += fmt::format("{}with images of {} {}", beyond.empty() ? "" : ", ", pixels, why);
    };
    for (const auto& limit : finite) {
      const auto best = cheapest(allowed, image, [&](const auto& a) {
        return limit.sign * limit.cost(space::network(a, shape));
      });
      add(best);
      const double cost = limit.cost(space::network(best, shape));
      if (limit.sign * cost > limit.sign * limit.bound)
        miss(fmt::format("the {} possible are {} {} (allowed {})",
                         limit.sign > 0 ? "least" : "most", cost, limit.unit, limit.bound));
    }
    if (finite.size() > 1 && !misses) {
      const auto together = keep_together(finite, allowed, image, shape);
      if (together.network) add(*together.network);
      if (together.over > 0)
        miss(
            fmt::format("the limits cannot be kept together: every network is {:.2g} % over them "
                        "in a weighted mean",
                        100 * together.over));
    }
    possible |= !misses;
  }
  if (!possible) throw ValueError("once-for-all: no allowed network keeps the limits: " + beyond);
  return result;
}

}  // namespace cleave::strategy
