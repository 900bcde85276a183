#include "device_argument.hpp"

#include <torch/cuda.h>

#include <cleave/core/error.hpp>
#include <cleave/engine/deterministic.hpp>

namespace example {

at::Device device_of(const std::string& text, bool capture_steps) {
  if (text == "cpu" && capture_steps)
    throw cleave::ValueError("--capture-steps is for --device cuda; a CPU has no graphs");
  if (text == "cpu") return at::kCPU;
  const bool numbered = text.starts_with("cuda:") && text.size() > 5 && text.size() < 9 &&
                        text.find_first_not_of("0123456789", 5) == std::string::npos;
  if (text != "cuda" && !numbered)
    throw cleave::ValueError(fmt::format("--device {}: allowed are cpu, cuda and cuda:N", text));
  if (!torch::cuda::is_available())
    throw cleave::DeviceError(fmt::format(
        "--device {}: this LibTorch finds no CUDA device; use --device cpu, or install the CUDA "
        "build with `scripts/setup --cuda`", text));
  const int number = numbered ? std::stoi(text.substr(5)) : 0;
  if (number >= torch::cuda::device_count())
    throw cleave::DeviceError(fmt::format("--device {}: there are {} CUDA devices, numbered from 0",
                                          text, torch::cuda::device_count()));
  cleave::use_deterministic_algorithms();
  return {at::kCUDA, static_cast<at::DeviceIndex>(number)};
}

}  // namespace example
