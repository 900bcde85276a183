#pragma once

#include <array>
#include <cleave/space/genotype.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace cleave::testing {

// Four small spaces that differ in what the engine must not take for granted, one for each
// kind of space in docs/design.md. Supernets: toy_cell.hpp, toy_chain.hpp, toy_elastic.hpp.

/// A chain of three blocks with equal option counts, run one path at a time. 27 architectures.
struct ToyPath {
  static constexpr std::string_view name = "toy path";
  static constexpr std::size_t decision_count = 3;
  static constexpr std::size_t option_count(DecisionId) { return 3; }
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    return std::array<std::string_view, 3>{"conv1", "conv3", "conv5"}.at(option.index());
  }
  /// Kernel size of the block's convolution.
  static constexpr std::size_t kernel(DecisionId, OptionId option) {
    return 2 * option.index() + 1;
  }
};

/// A chain of three blocks with 3, 2 and 4 options; where a block may be left out, that is an
/// option without weights (as in Proxyless). 24 architectures.
struct ToyRagged {
  static constexpr std::string_view name = "toy ragged";
  static constexpr std::size_t decision_count = 3;
  static constexpr std::size_t option_count(DecisionId decision) {
    return std::array<std::size_t, decision_count>{3, 2, 4}.at(decision.index());
  }
  static constexpr std::string_view option_name(DecisionId decision, OptionId option) {
    return std::array<std::string_view, 6>{"zero", "conv1", "", "conv3", "", "conv5"}.at(
        kernel(decision, option));
  }
  /// Kernel size of the block's convolution; 0 leaves the block out.
  static constexpr std::size_t kernel(DecisionId decision, OptionId option) {
    constexpr std::array<std::array<std::size_t, 4>, decision_count> sizes{
        {{1, 3, 0, 0}, {1, 3, 0, 0}, {1, 3, 5, 0}}};
    return sizes.at(decision.index()).at(option.index());
  }
};

/// Options that are slices: option k of a width keeps the first k + 1 parts of a layer's channels,
/// the depth keeps the first or both layers. A left-out layer still has a width, which then means
/// nothing (as in OFA). 18 architectures.
struct ToyElastic {
  static constexpr std::string_view name = "toy elastic";
  static constexpr std::size_t layer_count = 2;
  static constexpr std::size_t decision_count = layer_count + 1;
  static constexpr DecisionId width(std::size_t layer) { return DecisionId(layer); }
  static constexpr DecisionId depth() { return DecisionId(layer_count); }

  static constexpr std::size_t option_count(DecisionId decision) {
    return decision == depth() ? layer_count : 3;
  }
  static constexpr std::string_view option_name(DecisionId decision, OptionId option) {
    constexpr std::array<std::string_view, 3> widths{"w1", "w2", "w3"};
    constexpr std::array<std::string_view, layer_count> depths{"d1", "d2"};
    return decision == depth() ? depths.at(option.index()) : widths.at(option.index());
  }
  static std::string decision_name(DecisionId decision) {
    return decision == depth() ? "depth" : "width " + std::to_string(decision.index());
  }
};

/// A cell whose result is more than one option per decision: nodes 0 and 1 are inputs, nodes 2 and
/// 3 sum what their edges carry, and a genotype keeps one edge into each (as DARTS keeps two).
struct ToyCell {
  struct Edge {
    std::size_t from;
    std::size_t to;
  };
  static constexpr std::string_view name = "toy cell";
  static constexpr std::array<Edge, 5> edges{{{0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}};
  static constexpr std::size_t decision_count = edges.size();
  static constexpr std::size_t input_count = 2;
  static constexpr std::size_t node_count = 4;
  static constexpr OptionId skip{2};

  static constexpr std::size_t option_count(DecisionId) { return 3; }
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    return std::array<std::string_view, 3>{"conv1", "conv3", "skip"}.at(option.index());
  }
  static std::string decision_name(DecisionId decision) {
    const auto [from, to] = edges.at(decision.index());
    return fmt::format("{}<-{}", to, from);
  }

  /// The edge kept into nodes 2 and 3, and its operation.
  struct Genotype {
    struct Kept {
      DecisionId edge{};
      OptionId option{};
      friend bool operator==(const Kept&, const Kept&) = default;
    };
    std::array<Kept, node_count - input_count> kept{};
    friend bool operator==(const Genotype&, const Genotype&) = default;
  };

  /// "2<-0 conv1, 3<-2 skip".
  static std::string to_text(const Genotype& genotype) {
    std::string text;
    for (const auto& [edge, option] : genotype.kept)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", decision_name(edge),
                          option_name(edge, option));
    return text;
  }
  /// Throws `ParseError` for anything `to_text` does not write.
  static Genotype parse(std::string_view text) {
    Scanner scan(name, text);
    Genotype genotype;
    for (std::size_t n = 0; n < genotype.kept.size(); ++n) {
      if (n != 0) scan.expect(", ");
      bool found = false;
      for (std::size_t e = 0; e < decision_count && !found; ++e)
        for (std::size_t o = 0; o < option_count(DecisionId(e)) && !found; ++o) {
          const DecisionId edge(e);
          if (edges[e].to != n + input_count) continue;
          found =
              scan.accept(decision_name(edge) + " " + std::string(option_name(edge, OptionId(o))));
          if (found) genotype.kept[n] = {edge, OptionId(o)};
        }
      if (!found) scan.fail(fmt::format("an edge into node {} and its operation", n + input_count));
    }
    scan.expect_end();
    return genotype;
  }
  static bool allows(const Restriction<ToyCell>& restriction, const Genotype& genotype) {
    for (const auto& [edge, option] : genotype.kept)
      if (!restriction[edge].contains(option)) return false;
    return true;
  }
  /// Into each node the edge with the heaviest allowed operation, the first on a tie.
  static Genotype derive(std::span<const double> weights, const Restriction<ToyCell>& allowed) {
    Genotype genotype;
    std::array<double, node_count> heaviest{};
    for (std::size_t e = 0; e < decision_count; ++e)
      for (const auto option : allowed[DecisionId(e)]) {
        const double weight = weights[3 * e + option.index()];
        if (weight <= heaviest[edges[e].to]) continue;
        heaviest[edges[e].to] = weight;
        genotype.kept[edges[e].to - input_count] = {DecisionId(e), option};
      }
    return genotype;
  }
  static Genotype sample(const Restriction<ToyCell>& restriction, Stream& stream) {
    Genotype genotype;
    std::size_t first = 0;
    for (auto& [edge, option] : genotype.kept) {
      std::size_t last = first;
      while (last < decision_count && edges[last].to == edges[first].to) ++last;
      edge = DecisionId(first + stream.below(last - first));
      option = restriction[edge].nth(stream.below(restriction[edge].size()));
      first = last;
    }
    return genotype;
  }
  /// The smallest restriction that allows the genotype: weights for its operations alone.
  static Restriction<ToyCell> only(const Genotype& genotype) {
    Architecture<ToyCell> architecture;
    for (std::size_t e = 0; e < decision_count; ++e) architecture.set(DecisionId(e), skip);
    for (const auto& [edge, option] : genotype.kept) architecture.set(edge, option);
    return Restriction<ToyCell>(architecture);
  }
};

static_assert(SearchSpace<ToyPath> && SearchSpace<ToyRagged> && SearchSpace<ToyElastic> &&
              SearchSpace<ToyCell>);

}  // namespace cleave::testing
