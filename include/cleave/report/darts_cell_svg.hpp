#pragma once

#include <algorithm>
#include <array>
#include <cleave/report/svg.hpp>
#include <cleave/space/darts_genotype.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace cleave::report {

namespace detail {

/// How an operation of the DARTS space is drawn, in the order of the operations.
struct DartsLook {
  std::string_view words;
  std::string_view stroke;
  std::string_view ground;
};
inline constexpr std::array<DartsLook, 7> darts_looks{{{"max pool 3x3", "#0a7d57", "#e6f6ef"},
                                                       {"avg pool 3x3", "#3f7d0a", "#eef6e6"},
                                                       {"skip", "#7b4fa3", "#f4edfa"},
                                                       {"sep conv 3x3", "#0969b0", "#e8f2fb"},
                                                       {"sep conv 5x5", "#064a7d", "#dfeaf5"},
                                                       {"dil conv 3x3", "#bc4c00", "#fdf0e6"},
                                                       {"dil conv 5x5", "#8f3a00", "#f9e6d8"}}};

}  // namespace detail

/// One of the two cells of a DARTS genotype as a standalone SVG: a column for each of the two inputs
/// and four nodes, a row for each of the eight edges, an arrow from predecessor to node that carries
/// its operation; below, the nodes that are joined to the output. Nothing can overlap, whatever the
/// genotype. `title` stands above.
[[nodiscard]] inline std::string darts_cell_svg(const space::DartsGenotype& genotype,
                                                bool reduction, std::string_view title = "") {
  constexpr double column = 134;
  constexpr double row = 36;
  constexpr double top = 92;  // y of the column heads
  constexpr double radius = 19;
  const auto& edges = reduction ? genotype.reduce : genotype.normal;
  const auto& joined = reduction ? genotype.reduce_concat : genotype.normal_concat;
  const double width = column * static_cast<double>(space::darts_node_count);
  const auto x_of = [](std::size_t node) { return column * (static_cast<double>(node) + 0.5); };
  const auto y_of = [](std::size_t edge) {
    return top + radius + row * (static_cast<double>(edge) + 0.8);
  };
  const double output = y_of(edges.size()) + 6;
  const double height = output + 52;

  const std::string kind = reduction ? "reduction cell" : "normal cell";
  Svg svg(width, height, fmt::format("DARTS {}", kind));
  svg.text({width / 2, 30}, title.empty() ? "DARTS " + kind : std::string(title),
           {.size = 16, .anchor = Anchor::Middle, .bold = true});
  if (!title.empty())
    svg.text({width / 2, 50}, kind, {.size = 12, .fill = colour::quiet, .anchor = Anchor::Middle});
  for (std::size_t o = 0; o < detail::darts_looks.size(); ++o)
    svg.arrow_head(fmt::format("arrow{}", o), detail::darts_looks[o].stroke);

  for (std::size_t node = 0; node < space::darts_node_count; ++node) {
    const bool to_output = std::find(joined.begin(), joined.end(), node) != joined.end();
    svg.line({x_of(node), top + radius}, {x_of(node), to_output ? output : y_of(edges.size() - 1)},
             {.stroke = colour::faint, .width = to_output ? 2.4 : 1.4,
              .dashes = to_output ? "" : "4 4"});
  }
  for (std::size_t e = 0; e < edges.size(); ++e) {
    const auto [operation, from] = edges[e];
    const auto& look = detail::darts_looks[static_cast<std::size_t>(operation)];
    const std::size_t to = space::darts_input_nodes + e / 2;
    const double y = y_of(e);
    svg.circle({x_of(from), y}, 3.5, {.fill = look.stroke});
    const auto marker = fmt::format("arrow{}", static_cast<std::size_t>(operation));
    svg.line({x_of(from), y}, {x_of(to), y},
             {.stroke = look.stroke, .width = 2.4, .marker = marker});
    constexpr double size = 11.5;
    const double half = 0.5 * Svg::text_width(look.words, size) + 5;
    const double middle = x_of(to) - column / 2;
    svg.rectangle({middle - half, y - 10.5}, 2 * half, 21,
                  {.fill = look.ground, .stroke = look.stroke, .radius = 10.5});
    svg.text({middle, y + 4}, look.words,
             {.size = size, .fill = look.stroke, .anchor = Anchor::Middle});
  }
  constexpr std::array<std::string_view, space::darts_input_nodes> inputs{"c[k-2]", "c[k-1]"};
  for (std::size_t node = 0; node < space::darts_node_count; ++node) {
    const bool input = node < space::darts_input_nodes;
    if (input)
      svg.rectangle({x_of(node) - 32, top - radius}, 64, 2 * radius,
                    {.fill = colour::panel, .stroke = colour::ink, .width = 1.4, .radius = 8});
    else
      svg.circle({x_of(node), top}, radius,
                 {.fill = colour::panel, .stroke = colour::ink, .width = 1.6});
    svg.text({x_of(node), top + 5}, input ? std::string(inputs[node]) : std::to_string(node),
             {.size = 14, .anchor = Anchor::Middle, .bold = true});
  }
  svg.rectangle({18, output}, width - 36, 30,
                {.fill = colour::panel, .stroke = colour::ink, .width = 1.4, .radius = 8});
  svg.text({width / 2, output + 20}, fmt::format("output: nodes {} side by side",
                                                 fmt::join(joined, ", ")),
           {.size = 12.5, .anchor = Anchor::Middle});
  return svg.text();
}

}  // namespace cleave::report
