#pragma once

#include <cleave/core/error.hpp>
#include <cleave/report/xml_text.hpp>
#include <cmath>
#include <string>
#include <string_view>

namespace cleave::report {

/// The colours all drawings share. Light background; dark enough to read on it; the hues differ
/// for readers with any common colour vision (after Okabe and Ito).
namespace colour {
inline constexpr std::string_view paper = "#ffffff";
inline constexpr std::string_view ink = "#24292f";
inline constexpr std::string_view quiet = "#6e7781";  ///< secondary text
inline constexpr std::string_view faint = "#d0d7de";  ///< lines that only guide the eye
inline constexpr std::string_view panel = "#f6f8fa";
inline constexpr std::string_view accent = "#bc4c00";  ///< what was chosen
}  // namespace colour

/// A point of the drawing in pixels, y downwards.
struct Point {
  double x = 0.0;
  double y = 0.0;
};

enum class Anchor { Start, Middle, End };

struct TextStyle {
  double size = 12.0;
  std::string_view fill = colour::ink;
  Anchor anchor = Anchor::Start;
  bool bold = false;
  double rotate = 0.0;  ///< degrees clockwise around the text's own point
};

struct LineStyle {
  std::string_view stroke = colour::ink;
  double width = 1.0;
  std::string_view dashes = "";  ///< "4 3"; empty: solid
  std::string_view marker = "";  ///< id of an arrow head, see `arrow_head`
};

struct FillStyle {
  std::string_view fill = "none";
  std::string_view stroke = "none";
  double width = 1.0;
  double radius = 0.0;  ///< of the corners
};

/// A standalone SVG 1.1 picture, written shape by shape: later ones lie above earlier ones.
/// Text is escaped; numbers are written with at most two decimals and never depend on the locale.
class Svg {
 public:
  /// Text is about this wide per character, in units of its size: an upper estimate for the usual
  /// sans-serif fonts, so that layouts made with it do not overlap where the fonts differ.
  static constexpr double character_width = 0.62;

  [[nodiscard]] static double text_width(std::string_view text, double size) {
    return character_width * size * static_cast<double>(character_count(text));
  }

  /// `title` is what a screen reader says. Throws `ValueError` unless both sides are positive.
  Svg(double width, double height, std::string_view title) {
    if (!(width > 0.0 && height > 0.0 && std::isfinite(width) && std::isfinite(height)))
      throw ValueError(fmt::format("svg: {} x {}, positive sides are needed", width, height));
    body_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
        "viewBox=\"0 0 {0} {1}\" role=\"img\" font-family=\"Helvetica, Arial, 'DejaVu Sans', "
        "sans-serif\">\n<title>{2}</title>\n",
        number(width), number(height), xml_text(title));
    rectangle({0, 0}, width, height, {.fill = colour::paper});
  }

  /// Defines an arrow head of a colour for `LineStyle::marker`.
  void arrow_head(std::string_view id, std::string_view fill) {
    body_ += fmt::format(
        "<defs><marker id=\"{}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"11\" "
        "markerHeight=\"11\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 1 L10 5 "
        "L0 9 z\" "
        "fill=\"{}\"/></marker></defs>\n",
        xml_text(id), xml_text(fill));
  }

  void rectangle(Point corner, double width, double height, const FillStyle& style) {
    body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}{}/>\n",
                         number(corner.x), number(corner.y), number(width), number(height),
                         style.radius > 0.0 ? fmt::format(" rx=\"{}\"", number(style.radius)) : "",
                         paint(style));
  }

  void circle(Point centre, double radius, const FillStyle& style) {
    body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}/>\n", number(centre.x),
                         number(centre.y), number(radius), paint(style));
  }

  void line(Point from, Point to, const LineStyle& style) {
    path(fmt::format("M{} {} L{} {}", number(from.x), number(from.y), number(to.x), number(to.y)),
         style);
  }

  /// A quadratic curve from one point to another that is pulled towards `control`.
  void curve(Point from, Point control, Point to, const LineStyle& style) {
    path(fmt::format("M{} {} Q{} {} {} {}", number(from.x), number(from.y), number(control.x),
                     number(control.y), number(to.x), number(to.y)),
         style);
  }

  /// `at` is the start, middle or end of the base line.
  void text(Point at, std::string_view words, const TextStyle& style = {}) {
    constexpr std::string_view anchors[] = {"start", "middle", "end"};
    body_ += fmt::format(
        "<text x=\"{0}\" y=\"{1}\" font-size=\"{2}\" fill=\"{3}\" text-anchor=\"{4}\"{5}{6}>{7}"
        "</text>\n",
        number(at.x), number(at.y), number(style.size), xml_text(style.fill),
        anchors[static_cast<std::size_t>(style.anchor)], style.bold ? " font-weight=\"bold\"" : "",
        style.rotate != 0.0 ? fmt::format(" transform=\"rotate({} {} {})\"", number(style.rotate),
                                          number(at.x), number(at.y))
                            : "",
        xml_text(words));
  }

  /// The document so far, closed.
  [[nodiscard]] std::string text() const { return body_ + "</svg>\n"; }

 private:
  /// Shortest form with at most two decimals; what is not finite is drawn at 0.
  [[nodiscard]] static std::string number(double value) {
    if (!std::isfinite(value)) return "0";
    auto digits = fmt::format("{:.2f}", value);
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.back() == '.') digits.pop_back();
    return digits == "-0" ? "0" : digits;
  }

  [[nodiscard]] static std::string paint(const FillStyle& style) {
    auto result = fmt::format(" fill=\"{}\"", xml_text(style.fill));
    if (style.stroke != "none")
      result += fmt::format(" stroke=\"{}\" stroke-width=\"{}\"", xml_text(style.stroke),
                            number(style.width));
    return result;
  }

  void path(const std::string& shape, const LineStyle& style) {
    body_ += fmt::format(
        "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{}{}/>\n", shape,
        xml_text(style.stroke), number(style.width),
        style.dashes.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", xml_text(style.dashes)),
        style.marker.empty() ? ""
                             : fmt::format(" marker-end=\"url(#{})\"", xml_text(style.marker)));
  }

  std::string body_;
};

}  // namespace cleave::report
