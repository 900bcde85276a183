// expect: DARTS and SNAS need a supernet whose context is a Mixture
// needs: torch
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/testing/toy_elastic.hpp>

// A subnet has no option weights that alpha could be the source of.
using Search = cleave::FewShotSearch<cleave::testing::ToyElastic, cleave::strategy::Darts<>,
                                     cleave::split::Random>;
int main() { return sizeof(Search) == 0; }
