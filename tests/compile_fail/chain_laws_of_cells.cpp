// expect: check_begins_anywhere: the supernet needs static constexpr place_count
// needs: torch
#include <cleave/supernet/nasbench201.hpp>
#include <cleave/testing/chain_laws.hpp>

using namespace cleave;

int main() {
  supernet::NasBench201<> net({}, {.channels = 4, .cells = 1}, Stream(1));
  return static_cast<int>(testing::check_begins_anywhere(net, at::Tensor(), {}).size());
}
