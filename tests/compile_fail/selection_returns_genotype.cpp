// expect: the leaf selection needs std::size_t operator()(std::span<const LeafCandidate<
// needs: torch
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/split/random.hpp>
#include <cleave/testing/toy_chain.hpp>
#include <cleave/testing/toy_strategy.hpp>

// A genotype does not say which leaf it came from; two leaves may derive the same one.
struct ReturnsGenotype {
  static constexpr std::string_view name = "returns a genotype";
  template <class Space>
  cleave::Genotype<Space> operator()(std::span<const cleave::LeafCandidate<Space>> candidates,
                                     const cleave::Trials&) const {
    return candidates.front().genotype;
  }
};

using Search = cleave::FewShotSearch<cleave::testing::ToyPath, cleave::testing::UniformSamples,
                                     cleave::split::Random, ReturnsGenotype>;
int main() { return sizeof(Search) == 0; }
