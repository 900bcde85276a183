#pragma once

#include <ATen/Context.h>

#include <cstdlib>

namespace cleave {

/// From now on LibTorch takes algorithms that give the same bits every time, in all of this
/// process, and throws where it has none. On the CPU nothing here needs it; on a CUDA device sums
/// would otherwise depend on which thread came first, and cuDNN's choice of algorithm on timings.
/// With it a run on one model of device, driver and LibTorch is repeatable.
///
/// Call it before the first work on the device: cuBLAS looks at its setting, the environment
/// variable CUBLAS_WORKSPACE_CONFIG, once; one that is set already stays.
inline void use_deterministic_algorithms() {
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  auto& context = at::globalContext();
  context.setDeterministicAlgorithms(true, false);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  // Fresh memory need not be filled: nothing reads what it has not written (a test fills it).
  context.setDeterministicFillUninitializedMemory(false);
}

}  // namespace cleave
