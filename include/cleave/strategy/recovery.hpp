#pragma once

#include <cleave/archive/snapshot.hpp>
#include <cleave/archive/tensor.hpp>
#include <cleave/strategy/finite.hpp>
#include <cleave/strategy/trouble.hpp>

namespace cleave::strategy {

/// After a step that was not finite, which has moved no weight and no moment: counts it, and takes
/// `thing` back to the beginning of the epoch with half the learning rate when the verdict says so.
/// `thing.moving(visitor)` names what a step moves; `epoch_began` was taken of it.
template <class Thing>
void recover(Thing& thing, archive::Snapshot& epoch_began, FiniteGuard::Verdict verdict,
             const FiniteGuard& guard, Trouble& trouble) {
  trouble.last = guard.message();
  if (verdict == FiniteGuard::Verdict::Skipped) {
    ++trouble.skipped;
    return;
  }
  ++trouble.rolled_back;
  epoch_began.restore(thing);
  thing.moving(HalveRates{});
  epoch_began.take(thing);  // a second rollback halves again
}

}  // namespace cleave::strategy
