// expect: a data set needs `std::span<const std::int64_t> labels(Part) const`
// needs: torch
#include <cleave/data/check.hpp>

using namespace cleave::data;

struct NoLabels {
  const char* name() const { return "none"; }
  int classes() const { return 1; }
  ImageShape shape() const { return {1, 1, 1}; }
  Batch batch(Part, std::span<const std::int64_t>, bool, cleave::Stream) const { return {}; }
};

static_assert(is_data_set<NoLabels>());

int main() {}
