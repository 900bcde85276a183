// expect: a partitioner needs `Partition operator()(const SimilarityMatrix&, std::size_t groups, Stream&) const`
// needs: core
#include <cleave/graph/check.hpp>

using namespace cleave::graph;

struct Stateful {
  static constexpr std::string_view name = "stateful";
  Partition operator()(const SimilarityMatrix&, std::size_t, cleave::Stream&);
};

static_assert(is_partitioner<Stateful>());

int main() {}
