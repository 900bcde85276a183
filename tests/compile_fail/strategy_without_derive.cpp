// expect: the strategy needs Genotype<Space> derive(net, state, judge, stream) const
// needs: torch
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/split/random.hpp>
#include <cleave/testing/toy_chain.hpp>
#include <cleave/testing/toy_strategy.hpp>

// Everything but an answer at the end.
struct Aimless : private cleave::testing::UniformSamples {
  using UniformSamples::context, UniformSamples::inherit, UniformSamples::name;
  using UniformSamples::start, UniformSamples::State, UniformSamples::step;
};

using Search = cleave::FewShotSearch<cleave::testing::ToyPath, Aimless, cleave::split::Random>;
int main() { return sizeof(Search) == 0; }
