#pragma once

#include <fmt/ranges.h>

#include <array>
#include <cleave/space/genotype.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace cleave::space {

/// NAS-Bench-201 (Dong and Yang, ICLR 2020): one cell of four nodes, repeated through the network.
/// Node 0 is the cell's input, node 3 its output; every pair of nodes is joined by an edge that
/// carries one of five operations. 6 decisions, 5 options each, 15,625 architectures.
struct NasBench201 {
  static constexpr std::string_view name = "nasbench201";
  static constexpr std::size_t decision_count = 6;
  static constexpr std::size_t node_count = 4;

  /// Edge `to` <- `from`, nodes numbered from 0.
  struct Edge {
    std::size_t to;
    std::size_t from;
  };
  static constexpr std::array<Edge, decision_count> edges{
      {{1, 0}, {2, 0}, {2, 1}, {3, 0}, {3, 1}, {3, 2}}};

  static constexpr std::array<std::string_view, 5> operations{
      "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"};
  static constexpr OptionId none{0};
  static constexpr OptionId skip_connect{1};
  static constexpr OptionId nor_conv_1x1{2};
  static constexpr OptionId nor_conv_3x3{3};
  static constexpr OptionId avg_pool_3x3{4};

  static constexpr std::size_t option_count(DecisionId) { return operations.size(); }
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    return operations.at(option.index());
  }
  /// "2<-1": the edge from node 1 to node 2.
  static std::string decision_name(DecisionId decision) {
    const auto [to, from] = edges.at(decision.index());
    return fmt::format("{}<-{}", to, from);
  }

  /// The benchmark's arch string, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.
  static std::string to_text(const Architecture<NasBench201>& architecture);
  /// Reads the arch string; nothing may stand before or behind it. Throws `ParseError`.
  static Architecture<NasBench201> parse(std::string_view text);

  /// Uniform over the *connected* architectures of the restriction: a network whose output does
  /// not depend on its input cannot be trained (method RSPS; 15,284 of 15,625 are connected).
  /// Throws `ValueError` when the restriction holds none.
  static Architecture<NasBench201> sample(const Restriction<NasBench201>& restriction,
                                          Stream& stream);
};

static_assert(SearchSpace<NasBench201>);

/// True when a path of edges other than `none` leads from the input to the output.
[[nodiscard]] constexpr bool is_connected(const Architecture<NasBench201>& architecture) {
  std::array<bool, NasBench201::node_count> reached{true};
  for (std::size_t e = 0; e < NasBench201::decision_count; ++e) {
    const auto& edge = NasBench201::edges[e];
    if (reached[edge.from] && architecture[DecisionId(e)] != NasBench201::none)
      reached[edge.to] = true;
  }
  return reached.back();
}

/// How many architectures of the restriction are connected; enumerates them all.
[[nodiscard]] inline std::size_t connected_count(const Restriction<NasBench201>& restriction) {
  std::size_t connected = 0;
  for (Count i = 0; i < restriction.count(); ++i) connected += is_connected(restriction.at(i));
  return connected;
}

inline std::string NasBench201::to_text(const Architecture<NasBench201>& architecture) {
  std::string text = "|";
  for (std::size_t e = 0; e < decision_count; ++e) {
    if (e != 0 && edges[e].from == 0) text += "+|";
    text += fmt::format("{}~{}|", operations[architecture[DecisionId(e)].index()], edges[e].from);
  }
  return text;
}

inline Architecture<NasBench201> NasBench201::parse(std::string_view text) {
  Scanner scan("NAS-Bench-201 arch string", text, 256);
  Architecture<NasBench201> architecture;
  scan.expect("|");
  for (std::size_t e = 0; e < decision_count; ++e) {
    if (e != 0 && edges[e].from == 0) scan.expect("+|");
    const auto start = scan.position();
    const auto expected = fmt::format("an operation of edge {} ({})", decision_name(DecisionId(e)),
                                      fmt::join(operations, ", "));
    const auto found = scan.word(expected);
    std::size_t option = 0;
    while (option < operations.size() && operations[option] != found) ++option;
    if (option == operations.size()) scan.fail_at(start, expected);
    architecture.set(DecisionId(e), OptionId(option));
    scan.expect(fmt::format("~{}|", edges[e].from));
  }
  scan.expect_end();
  return architecture;
}

inline Architecture<NasBench201> NasBench201::sample(const Restriction<NasBench201>& restriction,
                                                     Stream& stream) {
  // Rejection is exact, and almost always ends at the first draw; the bound keeps restrictions
  // with few connected architectures from looping for long. The fallback is uniform as well.
  constexpr int tries = 64;
  for (int i = 0; i < tries; ++i) {
    const auto drawn = restriction.sample(stream);
    if (is_connected(drawn)) return drawn;
  }
  const std::size_t connected = connected_count(restriction);
  if (connected == 0)
    throw ValueError("nasbench201: no architecture of the restriction connects input and output");
  std::size_t left = stream.below(connected);
  for (Count i = 0;; ++i) {
    const auto candidate = restriction.at(i);
    if (is_connected(candidate) && left-- == 0) return candidate;
  }
}

}  // namespace cleave::space
