#include <ATen/cuda/CUDAContext.h>
#include <torch/torch.h>

#include <cstdio>

#ifdef WITH_KERNEL
bool kernel_doubles();
#endif

// Exits with 1 if the libraries are there and do not do their work; without a device it can only
// show that they are linked and loaded.
int main() {
  if (!at::globalContext().hasCUDART()) {
    std::puts("libtorch_cuda.so was not loaded");
    return 1;
  }
  if (at::cuda::device_count() == 0) {
    std::puts("skipped: no CUDA device; linked and loaded");
    return 0;
  }
  const auto sum = torch::ones({4}, torch::kCUDA).sum().item<float>();
#ifdef WITH_KERNEL
  if (!kernel_doubles()) return 1;
#endif
  return sum == 4 && at::cuda::getCurrentDeviceProperties()->major > 0 ? 0 : 1;
}
