// expect: OnceForAll one whose options are parts of the same tensors
// needs: torch
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/once_for_all.hpp>

// The operations of a cell share nothing that could shrink.
using Search = cleave::FewShotSearch<cleave::space::NasBench201, cleave::strategy::OnceForAll<>,
                                     cleave::split::Random>;
int main() { return sizeof(Search) == 0; }
