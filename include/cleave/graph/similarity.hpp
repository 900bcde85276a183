#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cleave/core/error.hpp>
#include <cmath>
#include <cstddef>
#include <utility>

namespace cleave::graph {

/// How alike the options of one decision are: the weights of a complete graph on `size()`
/// vertices, `[n, n]`, symmetric and finite. Larger means "may go on sharing weights"; negative
/// values (gradients that oppose each other) are legal. The diagonal is kept but no cut reads it.
///
/// Checked once, at construction, so that no partitioner has to. Source: GM-NAS section 3.2,
/// where s = cosine of two children's gradients.
class SimilarityMatrix {
 public:
  /// Takes `[n, n]` values. Two mirrored entries may differ by at most `tolerance` times the
  /// largest magnitude in the matrix; both then become their mean, so that the matrix is
  /// symmetric to the last bit. Throws `ValueError` naming the first offending entry when the
  /// matrix is empty, not square, not finite, not symmetric, or so large that its sum overflows.
  explicit SimilarityMatrix(Eigen::MatrixXd values, double tolerance = 1e-6)
      : values_(std::move(values)) {
    if (values_.rows() == 0 || values_.cols() == 0)
      throw ValueError("similarity matrix: empty, at least 1 x 1 is needed");
    if (values_.rows() != values_.cols())
      throw ValueError(fmt::format("similarity matrix: {} x {}, a square one is needed",
                                   values_.rows(), values_.cols()));
    if (!(tolerance >= 0.0))
      throw ValueError(
          fmt::format("similarity matrix: tolerance {}, at least 0 is needed", tolerance));
    // Loops, here and below: Eigen's expressions would be compiled anew with every source.
    const Eigen::Index n = values_.rows();
    double largest = 0.0;
    double sum = 0.0;
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = 0; j < n; ++j) {
        const double magnitude = std::abs(values_(i, j));
        if (!std::isfinite(magnitude))
          throw ValueError(fmt::format("similarity matrix: entry ({}, {}) is {}, not finite", i, j,
                                       values_(i, j)));
        largest = std::max(largest, magnitude);
        sum += magnitude;
      }
    if (!std::isfinite(sum))
      throw ValueError(
          fmt::format("similarity matrix: entries up to {}, their sum overflows", largest));
    const double allowed = tolerance * largest;
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = i + 1; j < n; ++j) {
        const double upper = values_(i, j);
        const double lower = values_(j, i);
        if (std::abs(upper - lower) > allowed)
          throw ValueError(
              fmt::format("similarity matrix: entry ({}, {}) is {} but ({}, {}) is {}, they may "
                          "differ by at most {}",
                          i, j, upper, j, i, lower, allowed));
        values_(i, j) = values_(j, i) = upper + 0.5 * (lower - upper);
      }
  }

  /// From distances d >= 0 or of any sign: s = 1 - d, also on the diagonal. The same errors.
  [[nodiscard]] static SimilarityMatrix from_distance(Eigen::MatrixXd distance) {
    for (Eigen::Index k = 0; k < distance.size(); ++k) distance(k) = 1.0 - distance(k);
    return SimilarityMatrix(std::move(distance));
  }

  /// Number of vertices n.
  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(values_.rows());
  }

  /// Similarity of vertices i and j. Precondition: both below `size()`.
  [[nodiscard]] double operator()(std::size_t i, std::size_t j) const {
    return values_(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j));
  }

  [[nodiscard]] const Eigen::MatrixXd& values() const noexcept { return values_; }

 private:
  Eigen::MatrixXd values_;
};

}  // namespace cleave::graph
