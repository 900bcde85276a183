#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <cleave/core/scanner.hpp>
#include <cleave/split/tree.hpp>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave {

/// Node numbers that were split, in the order in which the splits were made.
template <SearchSpace S>
[[nodiscard]] std::vector<std::size_t> splits_in_order(const SplitTree<S>& tree) {
  std::vector<std::size_t> order;
  for (std::size_t node = 0; node < tree.size(); ++node)
    if (tree[node].split) order.push_back(node);
  // A split numbers its children one after the other, so the first child tells its turn.
  std::sort(order.begin(), order.end(), [&tree](std::size_t a, std::size_t b) {
    return tree[a].children.front() < tree[b].children.front();
  });
  return order;
}

namespace detail {

template <SearchSpace S>
std::string option_names(DecisionId decision, OptionSet options) {
  std::string text;
  for (const auto option : options) {
    if (!text.empty()) text += ", ";
    text += S::option_name(decision, option);
  }
  return text;
}

/// Reads the longest of `names` that stands here; its number. `expected` is for the error.
inline std::size_t read_longest(Scanner& scan, std::string_view text,
                                const std::vector<std::string>& names,
                                std::string_view expected) {
  std::size_t best = names.size();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (text.substr(scan.position()).starts_with(names[i]) &&
        (best == names.size() || names[i].size() > names[best].size()))
      best = i;
  if (best == names.size()) scan.fail(expected);
  scan.expect(names[best]);
  return best;
}

/// `decision: option, option`, each option once. `decisions`: the names of all decisions.
template <SearchSpace S>
std::pair<DecisionId, OptionSet> read_options(Scanner& scan, std::string_view text,
                                              const std::vector<std::string>& decisions) {
  const DecisionId decision(
      read_longest(scan, text, decisions, fmt::format("a decision of {}", S::name)));
  scan.expect(": ");
  std::vector<std::string> names;
  for (std::size_t o = 0; o < S::option_count(decision); ++o)
    names.emplace_back(S::option_name(decision, OptionId(o)));
  const auto expected = fmt::format("one of {}", fmt::join(names, ", "));
  OptionSet options;
  do {
    const auto start = scan.position();
    const OptionId option(read_longest(scan, text, names, expected));
    if (options.contains(option)) scan.fail_at(start, "an option not listed yet");
    options.insert(option);
  } while (scan.accept(", "));
  return {decision, options};
}

/// Digits, compared as text: a count may need 128 bits.
inline void expect_count(Scanner& scan, Count count) {
  const auto start = scan.position();
  const auto digits = to_string(count);
  if (scan.word("a number of architectures") != digits)
    scan.fail_at(start, fmt::format("{}, the number of architectures", digits));
}

}  // namespace detail

/// The tree as indented lines, for people and for `tree_from_text`:
///
///     split tree 1 of nasbench201
///     root (15625) split 1
///       1<-0: nor_conv_1x1, nor_conv_3x3 (6250)
///       1<-0: none, skip_connect, avg_pool_3x3 (9375) split 2
///         3<-2: none, skip_connect (3750)
///         3<-2: nor_conv_1x1, nor_conv_3x3, avg_pool_3x3 (5625)
///
/// One line per node: the decision and the options this child keeps, how many architectures it
/// holds, and, unless it is a leaf, which split of the search it was. A root narrower than the
/// space first lists what it allows, `root, 1<-0: none, skip_connect; 2<-0: none (250)`.
template <SearchSpace S>
[[nodiscard]] std::string to_text(const SplitTree<S>& tree) {
  std::vector<std::size_t> turn(tree.size());
  std::size_t turns = 0;
  for (const auto node : splits_in_order(tree)) turn[node] = ++turns;

  std::string text = fmt::format("split tree 1 of {}\nroot", S::name);
  std::string_view separator = ", ";
  for (std::size_t d = 0; d < S::decision_count; ++d) {
    const DecisionId decision(d);
    const auto options = tree[0].restriction[decision];
    if (options == OptionSet::first(S::option_count(decision))) continue;
    text += fmt::format("{}{}: {}", separator, decision_name<S>(decision),
                        detail::option_names<S>(decision, options));
    separator = "; ";
  }
  std::vector<std::size_t> stack{0};
  while (!stack.empty()) {
    const std::size_t number = stack.back();
    const auto& node = tree[number];
    stack.pop_back();
    if (number != 0) {
      const auto decision = tree[node.parent].split->decision;
      text += fmt::format("{:{}}{}: {}", "", 2 * node.depth, decision_name<S>(decision),
                          detail::option_names<S>(decision, node.restriction[decision]));
    }
    text += fmt::format(" ({})", to_string(node.restriction.count()));
    if (node.split) text += fmt::format(" split {}", turn[number]);
    text += '\n';
    stack.insert(stack.end(), node.children.rbegin(), node.children.rend());
  }
  return text;
}

/// Reads `to_text` back to an equal tree. Decisions and options are found by name, so a space that
/// gained an option reads older trees only if they still cover it. Throws `ParseError` with the
/// position for bad text, groups that do not cover their parent, counts that do not match and
/// turns that are not 1, 2, 3 ... with parents first. At most 1 MiB.
template <SearchSpace S>
[[nodiscard]] SplitTree<S> tree_from_text(std::string_view text) {
  struct Line {
    std::size_t position;
    std::size_t depth;
    DecisionId decision;
    OptionSet options;
    std::size_t turn;                ///< 0 for a leaf
    std::size_t node;                ///< in the tree that is built
    std::vector<std::size_t> below;  ///< lines of its children
  };
  constexpr std::size_t longest = 1 << 20;
  Scanner scan("split tree", text, longest);
  scan.expect(fmt::format("split tree 1 of {}\nroot", S::name));
  std::vector<std::string> decisions;
  for (std::size_t d = 0; d < S::decision_count; ++d)
    decisions.push_back(decision_name<S>(DecisionId(d)));
  Restriction<S> root;
  if (scan.accept(", ")) {
    std::size_t next = 0;
    do {
      const auto start = scan.position();
      const auto [decision, options] = detail::read_options<S>(scan, text, decisions);
      if (decision.index() < next) scan.fail_at(start, "decisions in rising order, each once");
      next = decision.index() + 1;
      root = root.with(decision, options);
    } while (scan.accept("; "));
  }
  const auto rest_of_line = [&scan](Count count) {
    scan.expect(" (");
    detail::expect_count(scan, count);
    scan.expect(")");
    std::size_t turn = 0;
    if (scan.accept(" split ")) turn = scan.integer("the turn of the split, from 1", longest);
    scan.expect("\n");
    return turn;
  };

  // First the lines and who is below whom, then the splits in their order.
  std::vector<Line> lines;
  std::vector<Restriction<S>> restrictions{root};
  lines.push_back({0, 0, {}, {}, 0, 0, {}});
  lines[0].turn = rest_of_line(root.count());
  std::vector<std::size_t> ancestors{0};
  while (!scan.at_end()) {
    std::size_t depth = 0;
    while (scan.accept("  ")) ++depth;
    const auto start = scan.position();
    if (depth == 0 || depth > ancestors.size())
      scan.fail(fmt::format("a line indented by 2 to {} spaces", 2 * ancestors.size()));
    ancestors.resize(depth);
    const std::size_t parent = ancestors.back();
    if (lines[parent].turn == 0) scan.fail("a line that is not below a leaf");
    const auto [decision, options] = detail::read_options<S>(scan, text, decisions);
    if (!lines[parent].below.empty() &&
        decision != lines[lines[parent].below.front()].decision)
      scan.fail_at(start, "the decision of the line's siblings");
    if (!restrictions[parent][decision].contains(options))
      scan.fail_at(start, "options that the parent allows");
    restrictions.push_back(restrictions[parent].with(decision, options));
    lines[parent].below.push_back(lines.size());
    ancestors.push_back(lines.size());
    const auto turn = rest_of_line(restrictions.back().count());
    lines.push_back({start, depth, decision, options, turn, 0, {}});
  }

  std::map<std::size_t, std::size_t> by_turn;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].turn == 0) continue;
    if (lines[i].below.empty()) scan.fail_at(lines[i].position, "children below a split line");
    if (!by_turn.emplace(lines[i].turn, i).second)
      scan.fail_at(lines[i].position, "a turn that no other split has");
  }
  SplitTree<S> tree(root);
  std::size_t expected_turn = 0;
  for (const auto& [turn, number] : by_turn) {
    const auto& line = lines[number];
    if (turn != ++expected_turn)
      scan.fail_at(line.position, fmt::format("split {} before this one", expected_turn));
    if (number != 0 && line.node == 0)
      scan.fail_at(line.position, "a turn after that of the parent");
    Split split{lines[line.below.front()].decision, {}};
    for (const auto child : line.below) split.groups.push_back(lines[child].options);
    std::vector<std::size_t> made;
    try {
      made = tree.split(line.node, std::move(split));
    } catch (const ValueError& error) {
      scan.fail_at(line.position, fmt::format("groups that cover the parent ({})", error.what()));
    }
    for (std::size_t child = 0; child < made.size(); ++child)
      lines[line.below[child]].node = made[child];
  }
  return tree;
}

}  // namespace cleave
