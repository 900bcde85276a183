// expect: a data set needs const members `name()`, `classes()` and `shape()`
// needs: torch
#include <cleave/data/check.hpp>
#include <vector>

using namespace cleave::data;

struct Shapeless {
  std::vector<std::int64_t> all;
  const char* name() const { return "shapeless"; }
  int classes() const { return 1; }
  std::span<const std::int64_t> labels(Part) const { return all; }
  Batch batch(Part, std::span<const std::int64_t>, bool, cleave::Stream) const { return {}; }
};

static_assert(is_data_set<Shapeless>());

int main() {}
