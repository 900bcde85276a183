// expect: the choice of a path needs name and std::size_t operator()(const Contest&) const
// needs: torch
#include <cleave/strategy/rsps.hpp>

// How good the best path is does not say which one it is.
struct ReturnsAccuracy {
  static constexpr std::string_view name = "returns accuracy";
  double operator()(const cleave::Contest&) const { return 0.9; }
};

using Strategy = cleave::strategy::Rsps<ReturnsAccuracy>;
int main() { return sizeof(Strategy) == 0; }
