// expect: check_prepared_steps: the strategy needs void prepare(state, training_step, stream)
// needs: torch
#include <cleave/strategy/rsps.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave/testing/step_laws.hpp>

using namespace cleave;

// RSPS has no step in two parts.
int main() {
  const auto make = [] { return supernet::NasBench201<>({}, {}, Stream(1)); };
  return testing::check_prepared_steps(strategy::Rsps<>{}, make, {}).empty() ? 0 : 1;
}
