// A partitioner of your own: a struct with a name and a const call operator. No base class, no
// registry; the library's law checks apply to it as to its own.
#include <cleave/graph/exact_balanced.hpp>
#include <cleave/graph/to_split.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cstdio>

using namespace cleave::graph;

// [partitioner]
// Merges the two groups with the highest mean similarity until as many are left as asked for.
struct AverageLinkage {
  static constexpr std::string_view name = "average_linkage";

  Partition operator()(const SimilarityMatrix& similarity, std::size_t groups,
                       cleave::Stream&) const {
    check_group_count(name, similarity.size(), groups);
    Groups parts;
    for (std::size_t v = 0; v < similarity.size(); ++v) parts.push_back({v});
    while (parts.size() > groups) {
      std::size_t a = 0, b = 1;
      for (std::size_t j = 1; j < parts.size(); ++j)
        for (std::size_t i = 0; i < j; ++i)
          if (mean(similarity, parts[i], parts[j]) > mean(similarity, parts[a], parts[b]))
            a = i, b = j;
      parts[a].insert(parts[a].end(), parts[b].begin(), parts[b].end());
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(b));
    }
    return Partition(similarity, parts);
  }

  static double mean(const SimilarityMatrix& similarity, const std::vector<std::size_t>& a,
                     const std::vector<std::size_t>& b) {
    double sum = 0.0;
    for (const auto i : a)
      for (const auto j : b) sum += similarity(i, j);
    return sum / static_cast<double>(a.size() * b.size());
  }
};
static_assert(Partitioner<AverageLinkage>);
// [partitioner]

int main() {
  // Cosines of the gradients of five options, as a criterion would measure them.
  Eigen::MatrixXd cosine(5, 5);
  cosine << 1.0, 0.1, 0.2, 0.1, 0.1,  //
      0.1, 1.0, 0.3, 0.2, 0.2,        //
      0.2, 0.3, 1.0, 0.8, 0.7,        //
      0.1, 0.2, 0.8, 1.0, 0.6,        //
      0.1, 0.2, 0.7, 0.6, 1.0;
  const SimilarityMatrix similarity(cosine);
  cleave::Stream stream(0);

  for (const auto& broken : cleave::testing::check_partitioner(AverageLinkage{}))
    std::printf("broken law: %s\n", broken.c_str());
  const auto mine = AverageLinkage{}(similarity, 2, stream);
  const auto balanced = ExactBalanced{}(similarity, 2, stream);
  std::printf("average_linkage %s, mean similarity cut %.3f\n", mine.text().c_str(),
              mine.normalised_cut());
  std::printf("exact_balanced %s, mean similarity cut %.3f\n", balanced.text().c_str(),
              balanced.normalised_cut());

  // Vertex k is the k-th allowed option of the decision that is to be split.
  const auto split = to_split(cleave::DecisionId(0), cleave::OptionSet::first(5), mine);
  std::printf("split into %zu groups of options\n", split.groups.size());
}
