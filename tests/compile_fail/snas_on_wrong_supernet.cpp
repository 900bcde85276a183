// expect: DARTS and SNAS need a supernet whose context is a Mixture
// needs: torch
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/snas.hpp>
#include <cleave/testing/toy_elastic.hpp>

// Slices of one tensor cannot be weighed by a sample.
using Search = cleave::FewShotSearch<cleave::testing::ToyElastic, cleave::strategy::Snas,
                                     cleave::split::Random>;
int main() { return sizeof(Search) == 0; }
