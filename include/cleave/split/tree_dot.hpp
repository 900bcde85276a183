#pragma once

#include <cleave/split/tree.hpp>
#include <string>
#include <string_view>

namespace cleave {

namespace detail {

/// A quoted DOT string that shows `text` as it is.
inline std::string dot_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace detail

/// The tree in Graphviz' DOT language (`dot -Tsvg`): a box per node with its path and number of
/// architectures, the decision of its split below; an edge per child with the options it keeps.
/// Leaves are filled. For viewing; `to_text` and the JSON form can be read back.
template <SearchSpace S>
[[nodiscard]] std::string to_dot(const SplitTree<S>& tree) {
  std::string dot = fmt::format("digraph {} {{\n  node [shape=box];\n",
                                detail::dot_quoted(fmt::format("split tree of {}", S::name)));
  for (std::size_t number = 0; number < tree.size(); ++number) {
    const auto& node = tree[number];
    std::string label = fmt::format("{}\n{} architectures", number == 0 ? "root" : node.path,
                                    to_string(node.restriction.count()));
    if (node.split) label += fmt::format("\nsplit {}", decision_name<S>(node.split->decision));
    dot += fmt::format("  n{} [label={}{}];\n", number, detail::dot_quoted(label),
                       node.split ? "" : ", style=filled");
    if (number == 0) continue;
    const auto decision = tree[node.parent].split->decision;
    std::string kept;
    for (const auto option : node.restriction[decision])
      kept += fmt::format("{}{}", kept.empty() ? "" : "\n", S::option_name(decision, option));
    dot += fmt::format("  n{} -> n{} [label={}];\n", node.parent, number, detail::dot_quoted(kept));
  }
  return dot + "}\n";
}

}  // namespace cleave
