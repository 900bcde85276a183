#pragma once

#include <c10/core/Device.h>

#include <string>

namespace example {

/// The device that `--device` names: cpu, cuda or cuda:N; on a CUDA device everything is
/// deterministic from now on. Throws `cleave::ValueError` for another word and for `--capture-steps`
/// on the CPU, `cleave::DeviceError` for a CUDA device that is not there.
[[nodiscard]] at::Device device_of(const std::string& text, bool capture_steps = false);

}  // namespace example
