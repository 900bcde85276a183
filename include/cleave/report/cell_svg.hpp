#pragma once

#include <array>
#include <cleave/report/svg.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

namespace cleave::report {

namespace detail {

/// How an operation of NAS-Bench-201 is drawn, in option order.
struct OperationLook {
  std::string_view words;  ///< on the edge
  std::string_view stroke;
  std::string_view ground;  ///< behind the words
};
inline constexpr std::array<OperationLook, 5> nasbench201_looks{
    {{"none", "#c4cbd3", "#ffffff"},
     {"skip", "#7b4fa3", "#f4edfa"},
     {"conv 1x1", "#0969b0", "#e8f2fb"},
     {"conv 3x3", "#bc4c00", "#fdf0e6"},
     {"avg pool 3x3", "#0a7d57", "#e6f6ef"}}};

/// Where one edge of the cell runs: a curve, the point of its middle.
struct EdgeCourse {
  Point from;
  Point control;
  Point to;

  [[nodiscard]] Point at(double t) const {
    const double a = (1 - t) * (1 - t);
    const double b = 2 * t * (1 - t);
    const double c = t * t;
    return {a * from.x + b * control.x + c * to.x, a * from.y + b * control.y + c * to.y};
  }
};

}  // namespace detail

/// The searched cell of a NAS-Bench-201 architecture as a standalone SVG of 760 x 372: nodes from
/// left (input) to right (output), every edge coloured and labelled by its operation, `none`
/// faint and dashed, a legend of the operations in the cell's space. `title` stands above; the
/// default is the arch string.
[[nodiscard]] inline std::string cell_svg(const Architecture<space::NasBench201>& architecture,
                                          std::string_view title = "") {
  using Space = space::NasBench201;
  constexpr double width = 760;
  constexpr double height = 372;
  constexpr double base = 216;  // y of the nodes
  constexpr double radius = 21;
  constexpr std::array<double, Space::node_count> node_x{80, 280, 480, 680};

  const auto arch = Space::to_text(architecture);
  Svg svg(width, height, "NAS-Bench-201 cell " + arch);
  svg.text({width / 2, 30}, title.empty() ? "NAS-Bench-201 cell" : title,
           {.size = 16, .anchor = Anchor::Middle, .bold = true});
  svg.text({width / 2, 50}, arch, {.size = 11.5, .fill = colour::quiet, .anchor = Anchor::Middle});
  for (std::size_t o = 0; o < Space::operations.size(); ++o)
    svg.arrow_head(fmt::format("arrow{}", o), detail::nasbench201_looks[o].stroke);

  // Neighbours are joined by straight lines, 0-2 and 0-3 by arcs above, 1-3 by one below: no two
  // edges cross. The pull of an arc is twice its height.
  const auto course = [&](std::size_t e) {
    const auto [to, from] = Space::edges[e];
    const double span = static_cast<double>(to - from);
    const double pull = span == 1 ? 0 : (from == 1 ? 1 : -1) * (span == 2 ? 140 : 250);
    detail::EdgeCourse edge{
        {node_x[from], base}, {0.5 * (node_x[from] + node_x[to]), base + pull}, {node_x[to], base}};
    // Begin and end at the circles, with room for the arrow head
    const auto shorten = [&](Point& end, double gap) {
      const double dx = edge.control.x - end.x;
      const double dy = edge.control.y - end.y;
      const double length = std::sqrt(dx * dx + dy * dy);
      end = {end.x + gap * dx / length, end.y + gap * dy / length};
    };
    shorten(edge.from, radius);
    shorten(edge.to, radius + 3);
    return edge;
  };
  const auto draw_edge = [&](std::size_t e) {
    const auto option = architecture[DecisionId(e)];
    const auto& look = detail::nasbench201_looks[option.index()];
    const bool none = option == Space::none;
    const auto edge = course(e);
    const auto marker = fmt::format("arrow{}", option.index());
    svg.curve(edge.from, edge.control, edge.to,
              {.stroke = look.stroke,
               .width = none ? 1.5 : 2.6,
               .dashes = none ? "5 5" : "",
               .marker = marker});
    constexpr double size = 12;
    const Point middle = edge.at(0.5);
    const double half = 0.5 * Svg::text_width(look.words, size) + 6;
    svg.rectangle(
        {middle.x - half, middle.y - 11}, 2 * half, 22,
        {.fill = look.ground, .stroke = look.stroke, .width = none ? 0.8 : 1.2, .radius = 11});
    svg.text({middle.x, middle.y + 4.2}, look.words,
             {.size = size, .fill = none ? colour::quiet : look.stroke, .anchor = Anchor::Middle});
  };
  for (const bool none : {true, false})  // faint edges below the others
    for (std::size_t e = 0; e < Space::decision_count; ++e)
      if ((architecture[DecisionId(e)] == Space::none) == none) draw_edge(e);

  for (std::size_t n = 0; n < Space::node_count; ++n) {
    svg.circle({node_x[n], base}, radius,
               {.fill = colour::panel, .stroke = colour::ink, .width = 1.6});
    svg.text({node_x[n], base + 5.2}, std::to_string(n),
             {.size = 15, .anchor = Anchor::Middle, .bold = true});
  }
  svg.text({node_x.front(), base + 40}, "input",
           {.size = 12, .fill = colour::quiet, .anchor = Anchor::Middle});
  svg.text({node_x.back(), base + 40}, "output",
           {.size = 12, .fill = colour::quiet, .anchor = Anchor::Middle});

  constexpr double legend_y = height - 26;
  constexpr double legend_size = 11.5;
  constexpr double swatch = 22;
  double total = 0;
  for (const auto name : Space::operations)
    total += swatch + 26 + Svg::text_width(name, legend_size);
  double x = 0.5 * (width - total + 20);
  svg.line({40, legend_y - 22}, {width - 40, legend_y - 22}, {.stroke = colour::faint});
  for (std::size_t o = 0; o < Space::operations.size(); ++o) {
    const bool none = OptionId(o) == Space::none;
    svg.line({x, legend_y}, {x + swatch, legend_y},
             {.stroke = detail::nasbench201_looks[o].stroke,
              .width = none ? 1.5 : 3.0,
              .dashes = none ? "5 5" : ""});
    svg.text({x + swatch + 6, legend_y + 4}, Space::operations[o],
             {.size = legend_size, .fill = colour::quiet});
    x += swatch + 26 + Svg::text_width(Space::operations[o], legend_size);
  }
  return svg.text();
}

}  // namespace cleave::report
