#pragma once

#include <algorithm>
#include <cleave/graph/partition.hpp>
#include <cleave/report/diverging_colour.hpp>
#include <cleave/report/svg.hpp>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::report {

/// One similarity matrix to draw: of the options of one decision.
struct HeatMap {
  std::string title{};                          ///< e.g. the decision's name
  graph::SimilarityMatrix values;               ///< [n, n]
  std::vector<std::string> names;               ///< n option names
  std::optional<graph::Partition> partition{};  ///< orders the options and is drawn as the cut
  std::string note{};   ///< below the title; default: the cut's cost, if there is one
  bool chosen = false;  ///< the decision that is split: framed
};

struct HeatMapOptions {
  std::string title{};      ///< above all maps; empty: none
  std::size_t columns = 3;  ///< maps side by side
  double limit = 0.0;  ///< value of the full colour; 0: the largest magnitude off the diagonals
  std::string scale_title = "gradient similarity";
};

namespace detail {

/// Sizes in pixels that all maps of a picture share, so that they line up.
struct HeatMapLayout {
  static constexpr double cell = 46;
  static constexpr double name_size = 12.5;
  static constexpr double header = 40;     ///< title and note
  static constexpr double padding = 16;    ///< inside a map's frame
  static constexpr double slant = 0.7071;  ///< column names rise at 45 degrees
  double names = 0;                        ///< room for the longest name
  double matrix = 0;                       ///< side of the largest matrix

  [[nodiscard]] double overhang() const { return std::max(0.0, names * slant - 0.3 * cell); }
  [[nodiscard]] double width() const { return 2 * padding + names + 8 + matrix + overhang(); }
  [[nodiscard]] double height() const { return 2 * padding + header + names * slant + 12 + matrix; }
};

inline void check_heat_map(const HeatMap& map) {
  const auto n = map.values.size();
  if (map.names.size() != n)
    throw ValueError(
        fmt::format("heat map '{}': {} names for {} options", map.title, map.names.size(), n));
  if (map.partition && map.partition->vertex_count() != n)
    throw ValueError(fmt::format("heat map '{}': a partition of {} options, the matrix has {}",
                                 map.title, map.partition->vertex_count(), n));
}

[[nodiscard]] inline std::string heat_map_note(const HeatMap& map) {
  if (!map.note.empty() || !map.partition) return map.note;
  return fmt::format("mean similarity cut {:.3f}", map.partition->normalised_cut());
}

/// To two decimals, so that no cell reads "-0.00".
[[nodiscard]] inline double rounded(double value) {
  const double result = std::round(value * 100) / 100;
  return result == 0.0 ? 0.0 : result;
}

/// Draws a map with its frame's corner at `corner`.
inline void draw_heat_map(Svg& svg, const HeatMap& map, Point corner, const HeatMapLayout& layout,
                          double limit) {
  constexpr double cell = HeatMapLayout::cell;
  const std::size_t n = map.values.size();
  std::vector<std::size_t> order;
  std::vector<std::size_t> bounds;  // positions where a group ends
  if (map.partition) {
    for (const auto& group : map.partition->groups()) {
      order.insert(order.end(), group.begin(), group.end());
      bounds.push_back(order.size());
    }
  } else {
    for (std::size_t i = 0; i < n; ++i) order.push_back(i);
    bounds.push_back(n);
  }

  svg.rectangle(corner, layout.width(), layout.height(),
                {.fill = colour::paper,
                 .stroke = map.chosen ? colour::accent : colour::faint,
                 .width = map.chosen ? 3.0 : 1.0,
                 .radius = 8});
  const double text_x = corner.x + HeatMapLayout::padding;
  svg.text({text_x, corner.y + 30}, map.title, {.size = 15, .bold = true});
  svg.text({text_x, corner.y + 48}, heat_map_note(map), {.size = 12.5, .fill = colour::quiet});
  if (map.chosen) {
    constexpr double badge = 58;
    const Point at{corner.x + layout.width() - badge - 14, corner.y + 15};
    svg.rectangle(at, badge, 20, {.fill = colour::accent, .radius = 10});
    svg.text({at.x + badge / 2, at.y + 14}, "split",
             {.size = 11.5, .fill = colour::paper, .anchor = Anchor::Middle, .bold = true});
  }

  const Point origin{corner.x + HeatMapLayout::padding + layout.names + 8,
                     corner.y + HeatMapLayout::padding + HeatMapLayout::header +
                         layout.names * HeatMapLayout::slant + 12};
  const double side = cell * static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double middle = (static_cast<double>(i) + 0.5) * cell;
    const auto& name = map.names[order[i]];
    svg.text({origin.x - 8, origin.y + middle + 4}, name,
             {.size = HeatMapLayout::name_size, .anchor = Anchor::End});
    svg.text({origin.x + middle + 2, origin.y - 8}, name,
             {.size = HeatMapLayout::name_size, .rotate = -45});
    for (std::size_t j = 0; j < n; ++j) {
      const Point at{origin.x + static_cast<double>(j) * cell,
                     origin.y + static_cast<double>(i) * cell};
      const double value = map.values(order[i], order[j]);
      const auto shade = DivergingColour::of(value / limit);
      const auto ground = i == j ? std::string("#e4e8ec") : shade.hex();
      svg.rectangle(at, cell, cell, {.fill = ground, .stroke = colour::paper});
      svg.text({at.x + cell / 2, at.y + cell / 2 + 4.5}, fmt::format("{:.2f}", rounded(value)),
               {.size = 12.5,
                .fill = i == j             ? colour::quiet
                        : shade.is_light() ? colour::ink
                                           : colour::paper,
                .anchor = Anchor::Middle});
    }
  }
  // The cut: a line through the whole matrix, then a frame around each group.
  for (std::size_t g = 0; g + 1 < bounds.size(); ++g) {
    const double at = static_cast<double>(bounds[g]) * cell;
    constexpr double beyond = 7;
    const LineStyle cut{.stroke = colour::ink, .width = 3.5};
    svg.line({origin.x - beyond, origin.y + at}, {origin.x + side + beyond, origin.y + at}, cut);
    svg.line({origin.x + at, origin.y - beyond}, {origin.x + at, origin.y + side + beyond}, cut);
  }
}

/// The colour bar, centred at `middle`, from -limit to limit.
inline void draw_scale(Svg& svg, Point middle, double limit, std::string_view title) {
  constexpr double width = 260;
  constexpr double height = 12;
  constexpr int steps = 65;
  const double left = middle.x - width / 2;
  for (int k = 0; k < steps; ++k) {
    const double share = static_cast<double>(k) / steps;
    svg.rectangle({left + share * width, middle.y}, width / steps + 0.6, height,
                  {.fill = DivergingColour::of(2.0 * k / (steps - 1) - 1.0).hex()});
  }
  const TextStyle style{.size = 11, .fill = colour::quiet, .anchor = Anchor::Middle};
  svg.text({left, middle.y + height + 14}, fmt::format("{:.2g}", -limit), style);
  svg.text({middle.x, middle.y + height + 14}, "0", style);
  svg.text({left + width, middle.y + height + 14}, fmt::format("{:.2g}", limit), style);
  svg.text({middle.x, middle.y - 6}, title, style);
}

}  // namespace detail

/// Similarity matrices as heat maps in a grid, one per decision: the numbers in the cells, one
/// colour scale for all (blue: the options pull the shared weights apart; red: together), the
/// options in the order of their groups and the cut as a thick line between the groups; the chosen
/// decision is framed. The diagonal says nothing and stays grey.
/// Throws `ValueError` for no maps, 0 columns, a limit that is not positive, and names or a
/// partition of another size than the matrix.
[[nodiscard]] inline std::string heat_map_svg(std::span<const HeatMap> maps,
                                              const HeatMapOptions& options = {}) {
  if (maps.empty()) throw ValueError("heat map: nothing to draw");
  if (options.columns == 0) throw ValueError("heat map: 0 columns, at least 1 is needed");
  if (!(options.limit >= 0.0) || !std::isfinite(options.limit))
    throw ValueError(
        fmt::format("heat map: limit {}, 0 or a positive number is needed", options.limit));
  detail::HeatMapLayout layout;
  double limit = options.limit;
  for (const auto& map : maps) {
    detail::check_heat_map(map);
    const auto n = map.values.size();
    layout.matrix = std::max(layout.matrix, detail::HeatMapLayout::cell * static_cast<double>(n));
    for (const auto& name : map.names)
      layout.names =
          std::max(layout.names, Svg::text_width(name, detail::HeatMapLayout::name_size));
    if (options.limit == 0.0)
      for (std::size_t j = 1; j < n; ++j)
        for (std::size_t i = 0; i < j; ++i) limit = std::max(limit, std::abs(map.values(i, j)));
  }
  if (limit == 0.0) limit = 1.0;

  constexpr double margin = 20;
  constexpr double gap = 16;
  constexpr double scale_room = 58;
  const double top = options.title.empty() ? margin : margin + 34;
  const auto columns = std::min(options.columns, maps.size());
  const auto rows = (maps.size() + columns - 1) / columns;
  const double width = 2 * margin + static_cast<double>(columns) * (layout.width() + gap) - gap;
  const double grid = static_cast<double>(rows) * (layout.height() + gap) - gap;
  Svg svg(width, top + grid + scale_room + margin,
          options.title.empty() ? "similarity of options" : options.title);
  if (!options.title.empty())
    svg.text({width / 2, margin + 14}, options.title,
             {.size = 18, .anchor = Anchor::Middle, .bold = true});
  for (std::size_t m = 0; m < maps.size(); ++m)
    detail::draw_heat_map(svg, maps[m],
                          {margin + static_cast<double>(m % columns) * (layout.width() + gap),
                           top + static_cast<double>(m / columns) * (layout.height() + gap)},
                          layout, limit);
  detail::draw_scale(svg, {width / 2, top + grid + 32}, limit, options.scale_title);
  return svg.text();
}

}  // namespace cleave::report
