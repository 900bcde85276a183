// expect: a partitioner needs `Partition operator()
// needs: core
#include <cleave/testing/graph_laws.hpp>

using namespace cleave::graph;

struct ReturnsGroups {
  static constexpr std::string_view name = "returns_groups";
  Groups operator()(const SimilarityMatrix&, std::size_t, cleave::Stream&) const;
};

int main() { return cleave::testing::check_partitioner(ReturnsGroups{}).empty() ? 0 : 1; }
