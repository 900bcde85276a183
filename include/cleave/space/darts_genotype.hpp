#pragma once

#include <fmt/ranges.h>

#include <array>
#include <cleave/core/scanner.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::space {

/// The seven operations a DARTS genotype may name, in the order of the public code. `none` is an
/// option of some supernets but never part of a genotype.
enum class DartsOperation : std::uint8_t {
  max_pool_3x3,
  avg_pool_3x3,
  skip_connect,
  sep_conv_3x3,
  sep_conv_5x5,
  dil_conv_3x3,
  dil_conv_5x5,
};

inline constexpr std::array<std::string_view, 7> darts_operation_names{
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3",
    "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"};

[[nodiscard]] constexpr std::string_view name_of(DartsOperation operation) {
  return darts_operation_names.at(static_cast<std::size_t>(operation));
}

/// A cell has two inputs, nodes 0 and 1, and four intermediate nodes, 2 to 5.
inline constexpr std::size_t darts_input_nodes = 2;
inline constexpr std::size_t darts_intermediate_nodes = 4;
inline constexpr std::size_t darts_node_count = darts_input_nodes + darts_intermediate_nodes;

/// What a search in the DARTS space returns (Liu, Simonyan, Yang, ICLR 2019, section 2.4): two
/// operations into every intermediate node, for normal and for reduction cells, and the nodes
/// whose outputs are joined. Both DARTS spaces, with and without `none`, share it.
struct DartsGenotype {
  struct Edge {
    DartsOperation operation = DartsOperation::max_pool_3x3;
    std::uint8_t predecessor = 0;
    friend bool operator==(const Edge&, const Edge&) = default;
  };
  /// Edges 2i and 2i+1 enter node i + 2.
  using Cell = std::array<Edge, 2 * darts_intermediate_nodes>;

  Cell normal = two_inputs();
  std::vector<std::size_t> normal_concat{2, 3, 4, 5};
  Cell reduce = two_inputs();
  std::vector<std::size_t> reduce_concat{2, 3, 4, 5};

  friend bool operator==(const DartsGenotype&, const DartsGenotype&) = default;

 private:
  static constexpr Cell two_inputs() {
    Cell cell;
    for (std::size_t e = 1; e < cell.size(); e += 2) cell[e].predecessor = 1;
    return cell;
  }
};

/// `Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=[2, 3, 4, 5], reduce=[...],
/// reduce_concat=[2, 3, 4, 5])`: the text Python tools print and evaluate.
[[nodiscard]] inline std::string to_text(const DartsGenotype& genotype) {
  const auto cell = [](const DartsGenotype::Cell& edges) {
    std::string text;
    for (const auto& [operation, predecessor] : edges)
      text += fmt::format("{}('{}', {})", text.empty() ? "" : ", ", name_of(operation),
                          predecessor);
    return text;
  };
  return fmt::format(
      "Genotype(normal=[{}], normal_concat=[{}], reduce=[{}], reduce_concat=[{}])",
      cell(genotype.normal), fmt::join(genotype.normal_concat, ", "), cell(genotype.reduce),
      fmt::join(genotype.reduce_concat, ", "));
}

namespace detail {

inline DartsGenotype::Edge read_darts_edge(Scanner& scan, std::size_t node) {
  DartsGenotype::Edge edge;
  scan.expect("(");
  scan.skip_space();
  const std::string_view quote = scan.peek() == '"' ? "\"" : "'";
  scan.expect(quote);
  const auto start = scan.position();
  const auto expected = fmt::format("one of {}", fmt::join(darts_operation_names, ", "));
  const auto found = scan.word(expected);
  std::size_t operation = 0;
  while (operation < darts_operation_names.size() && darts_operation_names[operation] != found)
    ++operation;
  if (operation == darts_operation_names.size()) scan.fail_at(start, expected);
  edge.operation = static_cast<DartsOperation>(operation);
  scan.expect(quote);
  scan.skip_space();
  scan.expect(",");
  scan.skip_space();
  edge.predecessor = static_cast<std::uint8_t>(scan.integer(
      fmt::format("a predecessor of node {}, 0 to {}", node, node - 1), node - 1));
  scan.skip_space();
  scan.expect(")");
  return edge;
}

inline DartsGenotype::Cell read_darts_cell(Scanner& scan) {
  DartsGenotype::Cell cell;
  scan.expect("[");
  for (std::size_t e = 0; e < cell.size(); ++e) {
    scan.skip_space();
    if (e != 0) scan.expect(",");
    scan.skip_space();
    const auto start = scan.position();
    const std::size_t node = darts_input_nodes + e / 2;
    cell[e] = read_darts_edge(scan, node);
    if (e % 2 == 1 && cell[e].predecessor == cell[e - 1].predecessor)
      scan.fail_at(start, fmt::format("an edge into node {} from another node than {}", node,
                                      cell[e].predecessor));
  }
  scan.skip_space();
  scan.accept(",");
  scan.skip_space();
  scan.expect("]");
  return cell;
}

/// `[2, 3, 4, 5]` or `range(2, 6)`: ascending intermediate nodes.
inline std::vector<std::size_t> read_darts_concat(Scanner& scan) {
  std::vector<std::size_t> nodes;
  if (scan.accept("range(")) {
    scan.skip_space();
    const auto first = scan.integer("the first joined node, 2 to 5", darts_node_count - 1);
    if (first < darts_input_nodes) scan.fail("a first joined node of 2 to 5");
    scan.skip_space();
    scan.expect(",");
    scan.skip_space();
    const auto start = scan.position();
    const auto end = scan.integer("the end of the joined nodes, at most 6", darts_node_count);
    if (end <= first) scan.fail_at(start, fmt::format("an end above {}", first));
    for (std::size_t node = first; node < end; ++node) nodes.push_back(node);
    scan.skip_space();
    scan.expect(")");
    return nodes;
  }
  scan.expect("[");
  std::size_t least = darts_input_nodes;
  do {
    scan.skip_space();
    const auto start = scan.position();
    const auto expected = fmt::format("a joined node, {} to {}", least, darts_node_count - 1);
    const auto node = scan.integer(expected, darts_node_count - 1);
    if (node < least) scan.fail_at(start, expected);
    nodes.push_back(node);
    least = node + 1;
    scan.skip_space();
  } while (scan.accept(","));
  scan.expect("]");
  return nodes;
}

}  // namespace detail

/// Reads the text above; white space may stand between tokens, either quote is fine, and a
/// concat may be `range(2, 6)`. Operations, predecessors (two different earlier nodes) and joined
/// nodes are checked; nothing may follow. Throws `ParseError`.
[[nodiscard]] inline DartsGenotype parse_darts_genotype(std::string_view text) {
  Scanner scan("DARTS genotype", text, 4096);
  DartsGenotype genotype;
  const auto field = [&scan](std::string_view token) {
    scan.skip_space();
    scan.expect(token);
    scan.skip_space();
    scan.expect("=");
    scan.skip_space();
  };
  const auto comma = [&scan] {
    scan.skip_space();
    scan.expect(",");
  };
  scan.skip_space();
  scan.expect("Genotype(");
  field("normal");
  genotype.normal = detail::read_darts_cell(scan);
  comma();
  field("normal_concat");
  genotype.normal_concat = detail::read_darts_concat(scan);
  comma();
  field("reduce");
  genotype.reduce = detail::read_darts_cell(scan);
  comma();
  field("reduce_concat");
  genotype.reduce_concat = detail::read_darts_concat(scan);
  scan.skip_space();
  scan.expect(")");
  scan.skip_space();
  scan.expect_end();
  return genotype;
}

}  // namespace cleave::space
