#pragma once

#include <algorithm>
#include <cleave/graph/check.hpp>
#include <cleave/graph/ties.hpp>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace cleave::testing {

/// What a partitioner promises beyond its signature. The defaults fit a deterministic policy that
/// takes any matrix and any number of groups; a policy with a narrower domain says so here.
struct PartitionerLaws {
  std::size_t min_vertices = 1;
  std::size_t max_vertices = 8;
  std::size_t only_groups = 0;  ///< the one number of groups it makes; 0: any
  bool ignores_groups = false;  ///< the number asked for has no effect (`graph::Singletons`)
  bool random = false;          ///< draws from the stream
  bool equivariant = true;      ///< relabelled vertices give relabelled groups (without ties)
  bool non_negative = false;    ///< refuses negative similarities
  std::size_t trials = 10;      ///< random matrices for each number of vertices and groups
  std::uint64_t seed = 0;
};

/// A random matrix with standard normal entries, or uniform in [0, 1) when `non_negative`.
[[nodiscard]] inline graph::SimilarityMatrix random_similarity(std::size_t vertices, Stream& stream,
                                                               bool non_negative = false) {
  const auto n = static_cast<Eigen::Index>(vertices);
  Eigen::MatrixXd values = Eigen::MatrixXd::Identity(n, n);
  for (Eigen::Index i = 0; i < n; ++i)
    for (Eigen::Index j = 0; j < i; ++j)
      values(i, j) = values(j, i) = non_negative ? stream.uniform() : stream.normal();
  return graph::SimilarityMatrix(std::move(values));
}

/// The same graph with vertex v called `name[v]`.
[[nodiscard]] inline graph::SimilarityMatrix relabelled(const graph::SimilarityMatrix& similarity,
                                                        const std::vector<std::size_t>& name) {
  Eigen::MatrixXd values(similarity.values().rows(), similarity.values().cols());
  for (std::size_t i = 0; i < similarity.size(); ++i)
    for (std::size_t j = 0; j < similarity.size(); ++j)
      values(static_cast<Eigen::Index>(name[i]), static_cast<Eigen::Index>(name[j])) =
          similarity(i, j);
  return graph::SimilarityMatrix(std::move(values));
}

/// The same groups with vertex v called `name[v]`.
[[nodiscard]] inline graph::Groups relabelled(graph::Groups groups,
                                              const std::vector<std::size_t>& name) {
  for (auto& group : groups)
    for (auto& vertex : group) vertex = name[vertex];
  graph::make_canonical(groups);
  return groups;
}

/// The laws of one partition: every vertex in one non-empty canonical group, and cut, within,
/// total and cut_pairs as a second summation finds them. Returns the broken ones as sentences.
[[nodiscard]] inline std::vector<std::string> check_partition(
    const graph::SimilarityMatrix& similarity, const graph::Partition& partition) {
  std::vector<std::string> broken;
  const std::size_t n = similarity.size();
  std::vector<std::size_t> seen(n, 0);
  graph::Groups canonical = partition.groups();
  graph::make_canonical(canonical);
  if (canonical != partition.groups()) broken.emplace_back("groups are not canonical");
  if (partition.vertex_count() != n || partition.group_count() != partition.groups().size())
    broken.emplace_back("vertex_count() or group_count() is wrong");
  for (const auto& group : partition.groups()) {
    if (group.empty()) broken.emplace_back("a group is empty");
    for (const auto vertex : group)
      if (vertex >= n || ++seen[vertex] > 1)
        return {fmt::format("vertex {} is out of range or in two groups", vertex)};
  }
  if (std::count(seen.begin(), seen.end(), 1U) != static_cast<std::ptrdiff_t>(n))
    return {"a vertex is in no group"};
  double within = 0.0;
  double total = 0.0;
  std::size_t within_pairs = 0;
  for (const auto& group : partition.groups())
    for (const auto i : group)
      for (const auto j : group) {
        if (i >= j) continue;
        within += similarity(i, j);
        ++within_pairs;
      }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) total += similarity(i, j);
  const double width = graph::tie_width(similarity);
  if (!(std::abs(partition.within() - within) <= width)) broken.emplace_back("within() is wrong");
  if (!(std::abs(partition.total() - total) <= width)) broken.emplace_back("total() is wrong");
  if (!(std::abs(partition.cut() + partition.within() - partition.total()) <= width))
    broken.emplace_back("within + cut is not total");
  if (partition.cut_pairs() + within_pairs != n * (n - 1) / 2)
    broken.emplace_back("cut_pairs() is wrong");
  return broken;
}

/// The laws of `graph::Partitioner` on random matrices, for your own partitioner as for ours.
/// Returns the broken laws as sentences, each kind once; empty when all hold.
template <class P>
requires(graph::is_partitioner<P>())
    [[nodiscard]] std::vector<std::string> check_partitioner(const P& partitioner,
                                                             PartitionerLaws laws = {}) {
  std::vector<std::string> broken;
  const auto report = [&](const std::string& law, std::size_t n, std::size_t groups) {
    const auto known = [&](const auto& text) { return text.starts_with(law + ":"); };
    if (std::none_of(broken.begin(), broken.end(), known))
      broken.push_back(fmt::format("{}: {} vertices, {} groups", law, n, groups));
  };
  const auto refuses = [&](const graph::SimilarityMatrix& similarity, std::size_t groups) {
    Stream unused(laws.seed);
    try {
      (void)partitioner(similarity, groups, unused);
    } catch (const ValueError&) {
      return true;
    }
    return false;
  };

  Stream draws = Stream(laws.seed).fork("matrices");
  for (std::size_t n = laws.min_vertices; n <= laws.max_vertices; ++n) {
    for (std::size_t groups = 1; groups <= n; ++groups) {
      if (laws.only_groups != 0 && groups != laws.only_groups) continue;
      for (std::size_t trial = 0; trial < laws.trials; ++trial) {
        const auto similarity = random_similarity(n, draws, laws.non_negative);
        const Stream before = draws.fork(trial);
        Stream first = before;
        Stream second = before;
        const graph::Partition partition = partitioner(similarity, groups, first);
        const graph::Partition again = partitioner(similarity, groups, second);
        for (const auto& law : check_partition(similarity, partition)) report(law, n, groups);
        if (!laws.ignores_groups && partition.group_count() != groups)
          report("not as many groups as asked for", n, groups);
        if (!(partition == again) || !(first == second))
          report("two calls with equal arguments differ", n, groups);
        if (!laws.random && !(first == before))
          report("draws from the stream without being random", n, groups);
        if (laws.equivariant && !laws.random) {
          std::vector<std::size_t> name(n);
          for (std::size_t v = 0; v < n; ++v) name[v] = v;
          draws.shuffle(name);
          Stream third = before;
          const auto other = partitioner(relabelled(similarity, name), groups, third);
          if (other.groups() != relabelled(partition.groups(), name))
            report("relabelled vertices give other groups", n, groups);
        }
      }
    }
    if (laws.ignores_groups) continue;
    const auto similarity = random_similarity(n, draws, laws.non_negative);
    if (!refuses(similarity, 0)) report("0 groups are accepted", n, 0);
    if (!refuses(similarity, n + 1)) report("more groups than vertices are accepted", n, n + 1);
  }
  return broken;
}

}  // namespace cleave::testing
