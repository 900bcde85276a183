#pragma once

#include <algorithm>
#include <array>
#include <cleave/report/svg.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace cleave::report {

/// Points of one kind: of one leaf, say. The coordinates are the data's, not the picture's.
struct ScatterSeries {
  std::string name{};  ///< in the legend; empty: not there
  std::vector<Point> points{};
};

/// One plot of y against x.
struct Scatter {
  std::string title{};
  std::string note{};  ///< below the title, e.g. a rank correlation
  std::string x_title{};
  std::string y_title{};
  std::vector<ScatterSeries> series{};
};

namespace detail {

/// What an axis shows: round numbers around the data, and where they are marked.
struct Axis {
  double low = 0;
  double high = 1;
  double step = 1;

  /// `step` is 1, 2 or 5 times a power of ten, with at most five steps over the values' range,
  /// so at most seven from mark to mark.
  static Axis around(double low, double high) {
    if (!(high > low)) {
      const double room = std::max(1.0, std::abs(low)) * 0.01;
      low -= room;
      high += room;
    }
    const double rough = (high - low) / 5;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {5.0, 2.0, 1.0})
      if (factor * power >= rough) step = factor * power;
    return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
  }
  [[nodiscard]] int marks() const { return static_cast<int>(std::lround((high - low) / step)); }
  [[nodiscard]] double share(double value) const { return (value - low) / (high - low); }
  [[nodiscard]] std::string label(int mark) const {
    const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
    return fmt::format("{:.{}f}", low + mark * step + 0.0, digits);
  }
};

/// Hues that differ for readers with any common colour vision (Okabe and Ito).
inline constexpr std::array<std::string_view, 8> series_colours{
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#24292f", "#9a8f00"};

struct ScatterLayout {
  static constexpr double width = 400;
  static constexpr double height = 380;
  static constexpr double left = 62;  ///< of the plot's area, and so on
  static constexpr double top = 62;
  static constexpr double right = 16;
  static constexpr double bottom = 76;
};

inline void draw_scatter(Svg& svg, const Scatter& plot, Point corner) {
  using Layout = ScatterLayout;
  double low_x = std::numeric_limits<double>::infinity();
  double high_x = -low_x;
  double low_y = low_x;
  double high_y = -low_x;
  for (const auto& series : plot.series)
    for (const auto& [x, y] : series.points) {
      low_x = std::min(low_x, x);
      high_x = std::max(high_x, x);
      low_y = std::min(low_y, y);
      high_y = std::max(high_y, y);
    }
  const auto across = Axis::around(low_x, high_x);
  const auto up = Axis::around(low_y, high_y);
  const double width = Layout::width - Layout::left - Layout::right;
  const double height = Layout::height - Layout::top - Layout::bottom;
  const Point origin{corner.x + Layout::left, corner.y + Layout::top + height};

  svg.text({corner.x + Layout::left, corner.y + 26}, plot.title, {.size = 15, .bold = true});
  svg.text({corner.x + Layout::left, corner.y + 45}, plot.note,
           {.size = 12.5, .fill = colour::quiet});
  for (int k = 0; k <= across.marks(); ++k) {
    const double x = origin.x + width * k / across.marks();
    svg.line({x, origin.y}, {x, origin.y - height}, {.stroke = colour::faint});
    svg.text({x, origin.y + 16}, across.label(k),
             {.size = 11, .fill = colour::quiet, .anchor = Anchor::Middle});
  }
  for (int k = 0; k <= up.marks(); ++k) {
    const double y = origin.y - height * k / up.marks();
    svg.line({origin.x, y}, {origin.x + width, y}, {.stroke = colour::faint});
    svg.text({origin.x - 6, y + 4}, up.label(k),
             {.size = 11, .fill = colour::quiet, .anchor = Anchor::End});
  }
  svg.text({origin.x + width / 2, origin.y + 36}, plot.x_title,
           {.size = 12, .anchor = Anchor::Middle});
  const Point side{corner.x + 16, origin.y - height / 2};
  svg.text(side, plot.y_title, {.size = 12, .anchor = Anchor::Middle, .rotate = -90});
  for (std::size_t s = 0; s < plot.series.size(); ++s)
    for (const auto& [x, y] : plot.series[s].points)
      svg.circle({origin.x + width * across.share(x), origin.y - height * up.share(y)}, 2.6,
                 {.fill = series_colours[s % series_colours.size()]});
  double x = origin.x;
  for (std::size_t s = 0; s < plot.series.size(); ++s) {
    const auto& name = plot.series[s].name;
    if (name.empty()) continue;
    svg.circle({x + 4, origin.y + 56}, 4, {.fill = series_colours[s % series_colours.size()]});
    svg.text({x + 12, origin.y + 60}, name, {.size = 11, .fill = colour::quiet});
    x += 24 + Svg::text_width(name, 11);
  }
}

}  // namespace detail

/// Scatter plots side by side, each with axes of its own, its series told apart by colour.
/// Throws `ValueError` for no plots, 0 columns, a plot without points and coordinates that are not
/// finite.
[[nodiscard]] inline std::string scatter_svg(std::span<const Scatter> plots,
                                             std::size_t columns = 3) {
  if (plots.empty()) throw ValueError("scatter plot: nothing to draw");
  if (columns == 0) throw ValueError("scatter plot: 0 columns, at least 1 is needed");
  for (const auto& plot : plots) {
    std::size_t points = 0;
    for (const auto& series : plot.series)
      for (const auto& [x, y] : series.points) {
        ++points;
        if (!std::isfinite(x) || !std::isfinite(y))
          throw ValueError(fmt::format("scatter plot '{}': a point at {}, {}", plot.title, x, y));
      }
    if (points == 0) throw ValueError(fmt::format("scatter plot '{}': no points", plot.title));
  }
  const std::size_t across = std::min(columns, plots.size());
  const std::size_t rows = (plots.size() + columns - 1) / columns;
  Svg svg(detail::ScatterLayout::width * static_cast<double>(across),
          detail::ScatterLayout::height * static_cast<double>(rows), "scatter plots");
  for (std::size_t i = 0; i < plots.size(); ++i)
    detail::draw_scatter(svg, plots[i],
                         {detail::ScatterLayout::width * static_cast<double>(i % columns),
                          detail::ScatterLayout::height * static_cast<double>(i / columns)});
  return svg.text();
}

}  // namespace cleave::report
