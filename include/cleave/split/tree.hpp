#pragma once

#include <cleave/split/split.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cleave {

/// The history of splits of a search. Node 0 is the root; a node is either a leaf or carries the
/// split that made its children. Leaves are disjoint and cover the root exactly, because the
/// only way to grow is `split`, which checks the cover.
template <SearchSpace S>
class SplitTree {
 public:
  struct Node {
    Restriction<S> restriction;
    std::optional<Split> split{};         ///< absent in leaves
    std::vector<std::size_t> children{};  ///< node numbers, in group order
    std::size_t parent = 0;               ///< the root is its own parent
    std::size_t depth = 0;                ///< splits between the root and here
    std::string path{};                   ///< child numbers from the root, "1.0"; "" for the root

    friend bool operator==(const Node&, const Node&) = default;
  };

  explicit SplitTree(Restriction<S> root = {}) { nodes_.push_back({.restriction = root}); }

  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
  [[nodiscard]] const Node& operator[](std::size_t node) const { return at(node); }

  /// Splits a leaf; returns the numbers of its children. Throws `ValueError` for a node that is
  /// not a leaf and for groups that do not cover its options exactly; the tree is then unchanged.
  std::vector<std::size_t> split(std::size_t leaf, Split by) {
    const Node& node = at(leaf);
    if (node.split)
      throw ValueError(fmt::format("split tree: node {} is split already", leaf));
    const auto parts = cleave::children<S>(node.restriction, by);
    std::vector<std::size_t> numbers;
    for (std::size_t child = 0; child < parts.size(); ++child) {
      numbers.push_back(nodes_.size());
      const auto& parent = nodes_[leaf];
      nodes_.push_back({.restriction = parts[child],
                        .parent = leaf,
                        .depth = parent.depth + 1,
                        .path = parent.path + (parent.path.empty() ? "" : ".") +
                                std::to_string(child)});
    }
    nodes_[leaf].split = std::move(by);
    nodes_[leaf].children = numbers;
    return numbers;
  }

  /// Node numbers of the leaves, in depth-first order.
  [[nodiscard]] std::vector<std::size_t> leaves() const {
    std::vector<std::size_t> result;
    std::vector<std::size_t> stack{0};
    while (!stack.empty()) {
      const auto node = stack.back();
      stack.pop_back();
      if (!nodes_[node].split) result.push_back(node);
      const auto& next = nodes_[node].children;
      stack.insert(stack.end(), next.rbegin(), next.rend());
    }
    return result;
  }

  /// The leaf that holds an architecture. Throws `ValueError` when the root does not hold it.
  [[nodiscard]] std::size_t leaf_of(const Architecture<S>& architecture) const {
    if (!nodes_[0].restriction.contains(architecture))
      throw ValueError("split tree: the architecture lies outside the root");
    std::size_t node = 0;
    while (nodes_[node].split)
      for (const auto child : nodes_[node].children)
        if (nodes_[child].restriction.contains(architecture)) {
          node = child;
          break;
        }
    return node;
  }

  friend bool operator==(const SplitTree&, const SplitTree&) = default;

 private:
  [[nodiscard]] const Node& at(std::size_t node) const {
    if (node >= nodes_.size())
      throw ValueError(fmt::format("split tree: node {}, it has {}", node, nodes_.size()));
    return nodes_[node];
  }

  std::vector<Node> nodes_;
};

}  // namespace cleave
