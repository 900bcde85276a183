#pragma once

#include <torch/torch.h>

#include <cleave/core/error.hpp>
#include <string>

namespace example {

/// The device that `--device` names: cpu, cuda or cuda:N. Throws `cleave::ValueError` for another
/// word and `cleave::DeviceError` when there is no CUDA device.
[[nodiscard]] inline at::Device device_of(const std::string& text) {
  if (text == "cpu") return at::kCPU;
  if (text.rfind("cuda", 0) != 0)
    throw cleave::ValueError(fmt::format("--device {}: allowed are cpu, cuda and cuda:N", text));
  if (!torch::cuda::is_available())
    throw cleave::DeviceError(fmt::format(
        "--device {}: this LibTorch finds no CUDA device; use --device cpu, or install the CUDA "
        "build with `scripts/setup --cuda`", text));
  return at::Device(text);
}

}  // namespace example
