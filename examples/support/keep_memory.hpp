#pragma once

#include <malloc.h>

namespace example {

/// Keeps memory that was used once instead of giving it back to the system: glibc returns every
/// large buffer and what is free at its heap's end, and getting pages anew costs a tenth of a step
/// of a small supernet, and as much as the arithmetic of a small MobileNet (docs/performance.md).
inline void keep_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace example
