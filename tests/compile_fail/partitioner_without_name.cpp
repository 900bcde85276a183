// expect: a partitioner needs `static constexpr std::string_view name`
// needs: core
#include <cleave/graph/check.hpp>

using namespace cleave::graph;

struct Nameless {
  Partition operator()(const SimilarityMatrix&, std::size_t, cleave::Stream&) const;
};

static_assert(is_partitioner<Nameless>());

int main() {}
