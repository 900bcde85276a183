// expect: RecipeWith: an optimiser needs State with rate_scale
// needs: torch
#include <cleave/network/training.hpp>

// Adam moves a tensor, not the weights of an arena.
using Recipe = cleave::network::RecipeWith<cleave::strategy::Adam>;
int main() { return sizeof(Recipe) == 0; }
