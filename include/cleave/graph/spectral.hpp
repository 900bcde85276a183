#pragma once

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cleave/graph/concept.hpp>
#include <cleave/graph/kernighan_lin.hpp>
#include <cleave/graph/ties.hpp>
#include <limits>

namespace cleave::graph {

/// A balanced cut of graphs too large for `ExactBalanced`: spectral starts, each refined by
/// exchanges (`KernighanLin`), the best kept. Approximate; any number of groups, any sign.
///
/// For a balanced two-way cut with signs x, sum x = 0, the cut is a constant minus x'Sx / 4, so
/// relaxing x to real values makes the leading eigenvectors of the doubly centred similarity the
/// directions to cut along. Starts: recursive bisection along the leading eigenvector, and
/// for each of the `directions` leading eigenvectors the vertices in its order, cut into chunks,
/// from both ends.
///
/// Deterministic without the stream; ties among the refined starts go to the smallest canonical
/// groups. Quality on random matrices is measured in benchmarks/graph (docs/performance.md).
/// O(directions n^3) time. Throws `ValueError` for 0 groups, more groups than vertices, or 0
/// directions. This header alone needs Eigen's eigenvalue module, which costs seconds to compile:
/// cleave/core.hpp and cleave/cleave.hpp leave it out.
struct Spectral {
  static constexpr std::string_view name = "spectral";

  std::size_t directions = 8;  ///< eigenvectors tried; fewer where there are fewer vertices
  template <class F>
  void fields(F&& field) const {
    field("directions", directions);
  }

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups, Stream&) const {
    const std::size_t n = similarity.size();
    check_group_count(name, n, groups);
    if (directions == 0)
      throw ValueError(fmt::format("{}: 0 directions, at least 1 is needed", name));

    std::vector<Groups> refined;
    const auto refine = [&](const Groups& start) {
      refined.push_back(KernighanLin(similarity, start).run());
    };
    std::vector<std::size_t> all(n);
    for (std::size_t v = 0; v < n; ++v) all[v] = v;

    Groups bisected;
    bisect(similarity, all, groups, bisected);
    refine(bisected);
    if (groups > 1 && groups < n) {
      const Eigen::MatrixXd vectors = leading(similarity, all);
      const auto count = std::min<Eigen::Index>(vectors.cols(),
                                                static_cast<Eigen::Index>(std::min(directions, n)));
      for (Eigen::Index k = 0; k < count; ++k) {
        auto order = sorted(all, vectors.col(k));
        refine(chunks(order, groups));
        std::reverse(order.begin(), order.end());
        refine(chunks(order, groups));
      }
    }
    return best_of(similarity, refined);
  }

 private:
  static Partition best_of(const SimilarityMatrix& similarity, const std::vector<Groups>& found) {
    std::vector<Partition> partitions;
    double least = std::numeric_limits<double>::infinity();
    for (const auto& groups : found) {
      partitions.emplace_back(similarity, groups);
      least = std::min(least, partitions.back().cut());
    }
    const double threshold = least + tie_width(similarity);
    const Partition* best = nullptr;
    for (const auto& partition : partitions)
      if (partition.cut() <= threshold && (best == nullptr || partition.groups() < best->groups()))
        best = &partition;
    return *best;
  }

  /// Eigenvectors of the doubly centred similarities among some vertices, as columns, the largest
  /// eigenvalue first. The diagonal is no part of any cut and set to 0; entries are scaled to at
  /// most 1, which keeps the directions and avoids overflow.
  static Eigen::MatrixXd leading(const SimilarityMatrix& similarity,
                                 const std::vector<std::size_t>& vertices) {
    const auto n = static_cast<Eigen::Index>(vertices.size());
    Eigen::MatrixXd centred = Eigen::MatrixXd::Zero(n, n);
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = 0; j < n; ++j)
        if (i != j)
          centred(i, j) = similarity(vertices[static_cast<std::size_t>(i)],
                                     vertices[static_cast<std::size_t>(j)]);
    const double largest = centred.cwiseAbs().maxCoeff();
    if (largest > 0.0) centred /= largest;
    const Eigen::VectorXd row_mean = centred.rowwise().mean();
    const double mean = row_mean.mean();
    centred.colwise() -= row_mean;
    centred.rowwise() -= row_mean.transpose();
    centred.array() += mean;
    return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(centred)
        .eigenvectors()
        .rowwise()
        .reverse();
  }

  static std::vector<std::size_t> sorted(const std::vector<std::size_t>& vertices,
                                         const Eigen::VectorXd& direction) {
    std::vector<std::size_t> position(vertices.size());
    for (std::size_t k = 0; k < position.size(); ++k) position[k] = k;
    std::stable_sort(position.begin(), position.end(), [&](std::size_t a, std::size_t b) {
      return direction(static_cast<Eigen::Index>(a)) < direction(static_cast<Eigen::Index>(b));
    });
    for (auto& p : position) p = vertices[p];
    return position;
  }

  /// Consecutive balanced groups, the larger ones first.
  static Groups chunks(const std::vector<std::size_t>& order, std::size_t groups) {
    Groups result(groups);
    const std::size_t larger = order.size() % groups;
    auto from = order.begin();
    for (std::size_t g = 0; g < groups; ++g) {
      const auto to = from + static_cast<std::ptrdiff_t>(order.size() / groups + (g < larger));
      result[g].assign(from, to);
      from = to;
    }
    return result;
  }

  /// Cuts the vertices along their leading eigenvector into two parts that hold `groups / 2` and
  /// the other groups, and those parts again.
  static void bisect(const SimilarityMatrix& similarity, const std::vector<std::size_t>& vertices,
                     std::size_t groups, Groups& result) {
    if (groups == 1 || groups == vertices.size()) {
      const std::size_t size = groups == 1 ? vertices.size() : 1;
      for (std::size_t k = 0; k < vertices.size(); k += size)
        result.emplace_back(vertices.begin() + static_cast<std::ptrdiff_t>(k),
                            vertices.begin() + static_cast<std::ptrdiff_t>(k + size));
      return;
    }
    const auto order = sorted(vertices, leading(similarity, vertices).col(0));
    const std::size_t first_groups = groups / 2;
    const std::size_t first_size = first_groups * (vertices.size() / groups) +
                                   std::min(first_groups, vertices.size() % groups);
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(first_size);
    bisect(similarity, {order.begin(), middle}, first_groups, result);
    bisect(similarity, {middle, order.end()}, groups - first_groups, result);
  }
};
static_assert(Partitioner<Spectral>);

}  // namespace cleave::graph
