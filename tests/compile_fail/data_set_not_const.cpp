// expect: a data set needs `Batch batch(Part, std::span<const std::int64_t> indices
// needs: torch
#include <cleave/data/check.hpp>
#include <vector>

using namespace cleave::data;

// Batches that change the set would depend on who asked before.
struct Restless {
  std::vector<std::int64_t> all;
  const char* name() const { return "restless"; }
  int classes() const { return 1; }
  ImageShape shape() const { return {1, 1, 1}; }
  std::span<const std::int64_t> labels(Part) const { return all; }
  Batch batch(Part, std::span<const std::int64_t>, bool, cleave::Stream) { return {}; }
};

static_assert(is_data_set<Restless>());

int main() {}
