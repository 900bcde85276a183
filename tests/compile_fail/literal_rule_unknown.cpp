// expect: this space has no literal rule
// needs: torch
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/derived_by.hpp>
#include <cleave/supernet/nasbench201.hpp>

// NAS-Bench-201 keeps every edge: there is nothing to rank.
using Net = cleave::supernet::NasBench201<>;
using Literal = cleave::strategy::DerivedBy<cleave::strategy::Darts<>>;
int main() {
  const Net net({}, {}, cleave::Stream(1));
  const Literal literal;
  return static_cast<int>(
      literal.derive(net, literal.start(net, {}), {}, {})[cleave::DecisionId(0)].index());
}
