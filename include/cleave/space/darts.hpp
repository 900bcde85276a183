#pragma once

#include <algorithm>
#include <array>
#include <cleave/space/darts_genotype.hpp>
#include <cleave/space/genotype.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace cleave::space {

/// The DARTS space (Liu, Simonyan, Yang, ICLR 2019): two cells, normal and reduction, with 14
/// edges each, one operation per edge. Decisions 0 to 13 are the normal edges, 14 to 27 the
/// reduction edges, each ordered by node and then by predecessor as in the public code.
///
/// An `Architecture` gives every edge an operation, a `Genotype` keeps two edges per node.
/// WithNone adds the option `none` in front: 8 options instead of the 7 of GM-NAS.
template <bool WithNone>
struct DartsSpace {
  static constexpr std::string_view name = WithNone ? "darts_with_none" : "darts";
  static constexpr std::size_t edges_per_cell = 14;
  static constexpr std::size_t decision_count = 2 * edges_per_cell;
  static constexpr std::size_t operations = darts_operation_names.size() + (WithNone ? 1 : 0);
  static constexpr bool has_none = WithNone;
  using Genotype = DartsGenotype;

  /// Where an edge lies: `to` <- `from` in a normal or reduction cell.
  struct Edge {
    bool reduction;
    std::size_t to;
    std::size_t from;
  };
  static constexpr Edge edge(DecisionId decision) {
    std::size_t rest = decision.index() % edges_per_cell;
    std::size_t node = darts_input_nodes;
    while (rest >= node) rest -= node++;
    return {decision.index() >= edges_per_cell, node, rest};
  }
  /// The decision of an edge; node `to` has the predecessors 0 to `to` - 1.
  static constexpr DecisionId decision(bool reduction, std::size_t to, std::size_t from) {
    std::size_t before = reduction ? edges_per_cell : 0;
    for (std::size_t node = darts_input_nodes; node < to; ++node) before += node;
    return DecisionId(before + from);
  }

  /// The 14 edges of the normal or of the reduction cells.
  static std::vector<DecisionId> cell_decisions(bool reduction) {
    std::vector<DecisionId> edges;
    for (std::size_t e = 0; e < edges_per_cell; ++e)
      edges.emplace_back(e + (reduction ? edges_per_cell : 0));
    return edges;
  }

  static constexpr std::size_t option_count(DecisionId) { return operations; }
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    if (WithNone && option.index() == 0) return "none";
    return darts_operation_names.at(option.index() - (WithNone ? 1 : 0));
  }
  static std::string decision_name(DecisionId decision) {
    const auto [reduction, to, from] = edge(decision);
    return fmt::format("{} {}<-{}", reduction ? "reduce" : "normal", to, from);
  }
  static constexpr OptionId option(DartsOperation operation) {
    return OptionId(static_cast<std::size_t>(operation) + (WithNone ? 1 : 0));
  }
  static constexpr DartsOperation operation(OptionId option) {
    return static_cast<DartsOperation>(option.index() - (WithNone ? 1 : 0));
  }
  /// The options a genotype may keep: all but `none`.
  static constexpr OptionSet keepable(OptionSet options) {
    return WithNone ? options - OptionSet{OptionId(0)} : options;
  }

  static std::string to_text(const Genotype& genotype) { return space::to_text(genotype); }
  static Genotype parse(std::string_view text) { return parse_darts_genotype(text); }

  /// True when every kept edge carries an allowed operation.
  static bool allows(const Restriction<DartsSpace>& restriction, const Genotype& genotype);

  /// Two different predecessors per node, uniform over the pairs of edges that allow an operation
  /// other than `none`; then an operation for each, uniform over the allowed ones. Throws
  /// `ValueError` when a node has fewer than two such edges.
  static Genotype sample(const Restriction<DartsSpace>& restriction, Stream& stream);

  /// Per node, keeps the two edges that speak most clearly for one operation, by a measure that is
  /// fair between edges with different numbers of allowed operations:
  ///
  ///     clarity(e) = p_best / mean(p of the other allowed options of e)
  ///
  /// For weights p = softmax(alpha) whose other alphas are equal this is exp(alpha_best -
  /// alpha_other) for *any* number of options: 1 when the weights are uniform, unbounded when one
  /// operation wins. The literal rule compares p_best itself, so an untrained edge with 3
  /// options (1/3) beats a decided one with 7 (say 0.3); n p_best, the obvious repair, errs the
  /// other way because it can never exceed n. `none` counts among the others, never as the best.
  /// An edge with a single option has nothing to compare: it takes the mean clarity of the
  /// node's other edges, so that having been split neither keeps nor drops it.
  ///
  /// `weights`: [28, operations], row-major, non-negative and finite where allowed (ValueError);
  /// rows need not sum to one. Edges are listed by falling measure, the smaller predecessor first
  /// on a tie; the best operation is the first of the largest.
  static Genotype derive(std::span<const double> weights,
                         const Restriction<DartsSpace>& restriction);

  /// The rule of the public code: the two edges with the largest best weight, `none` left out.
  static Genotype derive_literal(std::span<const double> weights,
                                 const Restriction<DartsSpace>& restriction);

 private:
  struct Candidate {
    std::size_t from;
    OptionId best;
    double weight;   ///< of the best option, `none` left out
    double clarity;  ///< NaN when there is no other option
  };
  static std::vector<Candidate> candidates(std::span<const double> weights,
                                           const Restriction<DartsSpace>& restriction,
                                           bool reduction, std::size_t node);
  template <class Rank>
  static Genotype derive_by(std::span<const double> weights,
                            const Restriction<DartsSpace>& restriction, Rank rank);
  /// Edges of a node that may be kept; throws `ValueError` when there are fewer than two.
  static std::vector<std::size_t> usable(const Restriction<DartsSpace>& restriction,
                                         bool reduction, std::size_t node);
};

using Darts = DartsSpace<false>;
using DartsWithNone = DartsSpace<true>;

static_assert(SearchSpace<Darts>);
static_assert(SearchSpace<DartsWithNone>);

template <bool WithNone>
bool DartsSpace<WithNone>::allows(const Restriction<DartsSpace>& restriction,
                                  const Genotype& genotype) {
  for (const bool reduction : {false, true}) {
    const auto& cell = reduction ? genotype.reduce : genotype.normal;
    for (std::size_t e = 0; e < cell.size(); ++e) {
      const auto id = decision(reduction, darts_input_nodes + e / 2, cell[e].predecessor);
      if (!restriction[id].contains(option(cell[e].operation))) return false;
    }
  }
  return true;
}

template <bool WithNone>
std::vector<std::size_t> DartsSpace<WithNone>::usable(const Restriction<DartsSpace>& restriction,
                                                      bool reduction, std::size_t node) {
  std::vector<std::size_t> predecessors;
  for (std::size_t from = 0; from < node; ++from)
    if (!keepable(restriction[decision(reduction, node, from)]).empty())
      predecessors.push_back(from);
  if (predecessors.size() < 2)
    throw ValueError(fmt::format("{}: node {} of the {} cell has {} edges that allow more than "
                                 "none, it needs 2",
                                 name, node, reduction ? "reduction" : "normal",
                                 predecessors.size()));
  return predecessors;
}

template <bool WithNone>
DartsGenotype DartsSpace<WithNone>::sample(const Restriction<DartsSpace>& restriction,
                                           Stream& stream) {
  Genotype genotype;
  for (const bool reduction : {false, true}) {
    auto& cell = reduction ? genotype.reduce : genotype.normal;
    for (std::size_t node = darts_input_nodes; node < darts_node_count; ++node) {
      const auto from = usable(restriction, reduction, node);
      std::size_t first = stream.below(from.size());
      std::size_t second = stream.below(from.size() - 1);
      if (second >= first) ++second;
      if (first > second) std::swap(first, second);
      for (const std::size_t k : {std::size_t{0}, std::size_t{1}}) {
        const auto predecessor = from[k == 0 ? first : second];
        const auto options = keepable(restriction[decision(reduction, node, predecessor)]);
        cell[2 * (node - darts_input_nodes) + k] = {
            operation(options.nth(stream.below(options.size()))),
            static_cast<std::uint8_t>(predecessor)};
      }
    }
  }
  return genotype;
}

template <bool WithNone>
auto DartsSpace<WithNone>::candidates(std::span<const double> weights,
                                      const Restriction<DartsSpace>& restriction, bool reduction,
                                      std::size_t node) -> std::vector<Candidate> {
  std::vector<Candidate> result;
  for (const auto from : usable(restriction, reduction, node)) {
    const auto id = decision(reduction, node, from);
    const auto row = weights.subspan(id.index() * operations, operations);
    for (const auto o : restriction[id])
      if (!(row[o.index()] >= 0.0) || !std::isfinite(row[o.index()]))
        throw ValueError(fmt::format("{}: weight {} of {} on {}, must be finite and at least 0",
                                     name, row[o.index()], option_name(id, o), decision_name(id)));
    OptionId best = keepable(restriction[id]).nth(0);
    for (const auto o : keepable(restriction[id]))
      if (row[o.index()] > row[best.index()]) best = o;
    double others = 0.0;
    for (const auto o : restriction[id])
      if (o != best) others += row[o.index()];
    const double count = static_cast<double>(restriction[id].size() - 1);
    const double weight = row[best.index()];
    double clarity = std::numeric_limits<double>::quiet_NaN();
    if (count > 0.0)
      clarity = others > 0.0   ? weight / (others / count)
                : weight > 0.0 ? std::numeric_limits<double>::infinity()
                               : 1.0;
    result.push_back({from, best, weight, clarity});
  }
  return result;
}

template <bool WithNone>
template <class Rank>
DartsGenotype DartsSpace<WithNone>::derive_by(std::span<const double> weights,
                                              const Restriction<DartsSpace>& restriction,
                                              Rank rank) {
  if (weights.size() != decision_count * operations)
    throw ValueError(fmt::format("{}: {} option weights, {} needed", name, weights.size(),
                                 decision_count * operations));
  Genotype genotype;
  for (const bool reduction : {false, true}) {
    auto& cell = reduction ? genotype.reduce : genotype.normal;
    for (std::size_t node = darts_input_nodes; node < darts_node_count; ++node) {
      auto edges = candidates(weights, restriction, reduction, node);
      rank(edges);
      for (const std::size_t k : {std::size_t{0}, std::size_t{1}})
        cell[2 * (node - darts_input_nodes) + k] = {operation(edges[k].best),
                                                    static_cast<std::uint8_t>(edges[k].from)};
    }
  }
  return genotype;
}

template <bool WithNone>
DartsGenotype DartsSpace<WithNone>::derive(std::span<const double> weights,
                                           const Restriction<DartsSpace>& restriction) {
  return derive_by(weights, restriction, [](std::vector<Candidate>& edges) {
    double sum = 0.0;
    double compared = 0.0;
    for (const auto& edge : edges)
      if (!std::isnan(edge.clarity)) {
        sum += edge.clarity;
        compared += 1.0;
      }
    for (auto& edge : edges)
      if (std::isnan(edge.clarity)) edge.clarity = compared > 0.0 ? sum / compared : 1.0;
    std::stable_sort(edges.begin(), edges.end(), [](const Candidate& a, const Candidate& b) {
      return a.clarity > b.clarity;
    });
  });
}

template <bool WithNone>
DartsGenotype DartsSpace<WithNone>::derive_literal(std::span<const double> weights,
                                                   const Restriction<DartsSpace>& restriction) {
  return derive_by(weights, restriction, [](std::vector<Candidate>& edges) {
    std::stable_sort(edges.begin(), edges.end(), [](const Candidate& a, const Candidate& b) {
      return a.weight > b.weight;
    });
  });
}

}  // namespace cleave::space
