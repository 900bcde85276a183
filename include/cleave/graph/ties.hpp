#pragma once

#include <cleave/graph/similarity.hpp>
#include <cmath>
#include <cstddef>
#include <string_view>

namespace cleave::graph {

/// Two cuts closer than this times the sum of all |s(i, j)|, i < j, are a tie: above the rounding
/// error of a sum of a few hundred terms, far below any difference a measurement can mean. Without
/// it, which of two equal cuts wins would depend on the order in which their terms were added.
inline constexpr double tie_tolerance = 1e-12;

/// Absolute width of a tie for one matrix.
[[nodiscard]] inline double tie_width(const SimilarityMatrix& similarity) {
  double magnitude = 0.0;
  for (std::size_t j = 1; j < similarity.size(); ++j)
    for (std::size_t i = 0; i < j; ++i) magnitude += std::abs(similarity(i, j));
  return tie_tolerance * magnitude;
}

/// Throws `ValueError` unless 1 <= groups <= vertices.
inline void check_group_count(std::string_view policy, std::size_t vertices, std::size_t groups) {
  if (groups == 0 || groups > vertices)
    throw ValueError(fmt::format("{}: {} groups of {} vertices, 1 to {} are possible", policy,
                                 groups, vertices, vertices));
}

/// For policies that cut in two only: throws `ValueError` unless `groups` is 2 and the vertices
/// are at least `min_vertices`.
inline void check_two_groups(std::string_view policy, std::size_t vertices, std::size_t groups,
                             std::size_t min_vertices) {
  if (groups != 2)
    throw ValueError(fmt::format("{}: {} groups, it makes exactly 2", policy, groups));
  if (vertices < min_vertices)
    throw ValueError(
        fmt::format("{}: {} vertices, at least {} are needed", policy, vertices, min_vertices));
}

}  // namespace cleave::graph
