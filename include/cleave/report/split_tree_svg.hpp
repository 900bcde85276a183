#pragma once

#include <algorithm>
#include <cleave/report/svg.hpp>
#include <cleave/split/tree.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::report {

/// What a drawing of a split tree says besides the splits.
struct SplitTreeSvgOptions {
  std::string title{};
  std::vector<std::string> leaf_notes{};  ///< one per leaf in `leaves()` order, or none at all
  std::optional<std::size_t> chosen{};    ///< position of the chosen leaf in `leaves()`: framed
};

namespace detail {

/// "nor_conv_1x1, skip_connect", the options of one branch.
template <SearchSpace S>
[[nodiscard]] std::string option_names(DecisionId decision, OptionSet options) {
  std::string names;
  for (const auto option : options) {
    if (!names.empty()) names += ", ";
    names += S::option_name(decision, option);
  }
  return names;
}

/// Where the nodes of a tree stand: columns by depth, a row per leaf, a parent midway between its
/// first and last child.
template <SearchSpace S>
class TreeLayout {
 public:
  static constexpr double row = 58;
  static constexpr double box = 40;  ///< height of a node
  static constexpr double text_size = 12.5;

  TreeLayout(const SplitTree<S>& tree, const std::vector<std::string>& leaf_texts)
      : rows_(tree.size()) {
    const auto leaves = tree.leaves();
    for (std::size_t k = 0; k < leaves.size(); ++k) rows_[leaves[k]] = static_cast<double>(k);
    for (std::size_t node = tree.size(); node-- > 0;) {  // children have larger numbers
      const auto& here = tree[node];
      depth_ = std::max(depth_, here.depth);
      if (!here.split) continue;
      rows_[node] = 0.5 * (rows_[here.children.front()] + rows_[here.children.back()]);
      box_width_ = std::max(
          box_width_, Svg::text_width(decision_name<S>(here.split->decision), text_size) + 28);
      for (const auto group : here.split->groups)
        branch_width_ =
            std::max(branch_width_,
                     Svg::text_width(option_names<S>(here.split->decision, group), text_size) + 44);
    }
    for (const auto& text : leaf_texts)
      leaf_width_ = std::max(leaf_width_, Svg::text_width(text, text_size) + 28);
  }

  [[nodiscard]] double x(std::size_t depth) const {
    return static_cast<double>(depth) * (box_width_ + branch_width_);
  }
  [[nodiscard]] double y(std::size_t node) const { return rows_[node] * row + row / 2; }
  [[nodiscard]] double width() const { return x(depth_) + leaf_width_; }
  [[nodiscard]] double box_width(bool leaf) const { return leaf ? leaf_width_ : box_width_; }

 private:
  std::vector<double> rows_;
  std::size_t depth_ = 0;
  double box_width_ = 60;
  double branch_width_ = 80;
  double leaf_width_ = 90;
};

}  // namespace detail

/// A split tree from left (root) to right (leaves): a box per split with its decision, on every
/// branch the options that go on sharing weights, and a box per leaf with its path, its number of
/// architectures and its note. Throws `ValueError` when there are notes, but not one per leaf, and
/// for a chosen leaf that does not exist.
template <SearchSpace S>
[[nodiscard]] std::string split_tree_svg(const SplitTree<S>& tree,
                                         const SplitTreeSvgOptions& options = {}) {
  const auto leaves = tree.leaves();
  if (!options.leaf_notes.empty() && options.leaf_notes.size() != leaves.size())
    throw ValueError(fmt::format("split tree drawing: {} notes for {} leaves",
                                 options.leaf_notes.size(), leaves.size()));
  if (options.chosen && *options.chosen >= leaves.size())
    throw ValueError(fmt::format("split tree drawing: leaf {} chosen, there are {}",
                                 *options.chosen, leaves.size()));
  std::vector<std::string> first_lines;
  std::vector<std::string> all_texts = options.leaf_notes;
  for (const auto leaf : leaves) {
    const auto& path = tree[leaf].path;
    first_lines.push_back(fmt::format("{}: {} architectures",
                                      path.empty() ? "root" : "leaf " + path,
                                      to_string(tree[leaf].restriction.count())));
    all_texts.push_back(first_lines.back());
  }
  using Layout = detail::TreeLayout<S>;
  const Layout layout(tree, all_texts);
  constexpr double margin = 20;
  const double top = options.title.empty() ? margin : margin + 34;
  const double width = std::max(layout.width(), Svg::text_width(options.title, 18)) + 2 * margin;
  Svg svg(width, top + Layout::row * static_cast<double>(leaves.size()) + margin,
          options.title.empty() ? "split tree" : options.title);
  if (!options.title.empty())
    svg.text({width / 2, margin + 14}, options.title,
             {.size = 18, .anchor = Anchor::Middle, .bold = true});

  const auto at = [&](std::size_t node) {
    return Point{margin + layout.x(tree[node].depth), top + layout.y(node)};
  };
  for (std::size_t node = 0; node < tree.size(); ++node) {
    const auto& here = tree[node];
    if (!here.split) continue;
    const Point from{at(node).x + layout.box_width(false), at(node).y};
    const double bend = from.x + 16;
    const LineStyle branch{.stroke = colour::quiet, .width = 1.6};
    svg.line(from, {bend, from.y}, branch);
    svg.line({bend, at(here.children.front()).y}, {bend, at(here.children.back()).y}, branch);
    for (std::size_t child = 0; child < here.children.size(); ++child) {
      const Point to = at(here.children[child]);
      svg.line({bend, to.y}, to, branch);
      svg.text({bend + 10, to.y - 7},
               detail::option_names<S>(here.split->decision, here.split->groups[child]),
               {.size = Layout::text_size});
    }
    svg.rectangle({at(node).x, at(node).y - Layout::box / 2}, layout.box_width(false), Layout::box,
                  {.fill = "#e8f2fb", .stroke = "#0969b0", .width = 1.4, .radius = 8});
    svg.text({at(node).x + layout.box_width(false) / 2, at(node).y + 4.5},
             decision_name<S>(here.split->decision),
             {.size = Layout::text_size, .anchor = Anchor::Middle, .bold = true});
  }
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    const Point corner{at(leaves[k]).x, at(leaves[k]).y - Layout::box / 2};
    const bool chosen = options.chosen == k;
    svg.rectangle(corner, layout.box_width(true), Layout::box,
                  {.fill = colour::panel,
                   .stroke = chosen ? colour::accent : colour::faint,
                   .width = chosen ? 3.0 : 1.2,
                   .radius = 8});
    const bool noted = !options.leaf_notes.empty();
    svg.text({corner.x + 14, corner.y + (noted ? 17 : 24.5)}, first_lines[k],
             {.size = Layout::text_size, .bold = chosen});
    if (noted)
      svg.text({corner.x + 14, corner.y + 33}, options.leaf_notes[k],
               {.size = 11.5, .fill = chosen ? colour::accent : colour::quiet});
  }
  return svg.text();
}

}  // namespace cleave::report
