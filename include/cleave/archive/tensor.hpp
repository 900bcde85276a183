#pragma once

#include <torch/torch.h>

#include <cleave/archive/codecs.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace cleave::archive {

/// A tensor by scalar type, shape and contiguous bytes. Reading into a tensor that is defined
/// copies into it, so views, device and `requires_grad` stay, and demands its type and shape;
/// reading into an undefined one makes a tensor on the host.
template <>
struct Codec<at::Tensor> {
  static void write(Writer& to, const at::Tensor& value) {
    to.put(Tag::Tensor);
    if (!value.defined()) {
      to.raw(undefined);
      to.raw(std::uint8_t{0});
      return;
    }
    const auto host = value.detach().to(at::kCPU).contiguous();
    to.raw(static_cast<std::uint8_t>(host.scalar_type()));
    to.raw(static_cast<std::uint8_t>(host.dim()));
    for (const auto extent : host.sizes()) to.raw(std::int64_t{extent});
    to.bytes({static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()});
  }

  static void read(Reader& from, at::Tensor& value) {
    from.expect(Tag::Tensor);
    const auto type = from.raw<std::uint8_t>();
    const auto rank = from.raw<std::uint8_t>();
    if (type == undefined && rank == 0) {
      if (value.defined()) from.fail(fmt::format("a tensor {}", shape(value)), "an undefined one");
      return;
    }
    if (!known(type)) from.fail("a scalar type", fmt::format("{}", type));
    const auto scalar = static_cast<at::ScalarType>(type);
    std::vector<std::int64_t> sizes(rank);
    std::uint64_t bytes = c10::elementSize(scalar);
    for (auto& extent : sizes) {
      extent = from.raw<std::int64_t>();
      // Checked before the product: it cannot overflow below what is left.
      if (extent < 0 || (extent > 0 && bytes > from.left() / static_cast<std::uint64_t>(extent)))
        from.fail(fmt::format("at most {} bytes", from.left()), fmt::format("extent {}", extent));
      bytes *= static_cast<std::uint64_t>(extent);
    }
    const auto data = from.bytes(bytes);
    const auto there = torch::empty(sizes, scalar);
    if (!data.empty()) std::memcpy(there.mutable_data_ptr(), data.data(), data.size());
    if (!value.defined()) {
      value = there;
      return;
    }
    if (value.scalar_type() != scalar || value.sizes() != at::IntArrayRef(sizes))
      from.fail(fmt::format("a tensor {}", shape(value)), shape(there));
    const at::NoGradGuard no_grad;
    value.detach().copy_(there);
  }

 private:
  static constexpr std::uint8_t undefined = 0xff;

  static bool known(std::uint8_t type) {
    switch (static_cast<at::ScalarType>(type)) {
      case at::kByte:
      case at::kInt:
      case at::kLong:
      case at::kBFloat16:
      case at::kFloat:
      case at::kDouble:
        return true;
      default:
        return false;
    }
  }
  static std::string shape(const at::Tensor& tensor) {
    std::string text;
    for (const auto extent : tensor.sizes()) text += (text.empty() ? "" : ", ") + std::to_string(extent);
    return fmt::format("[{}] of {}", text, c10::toString(tensor.scalar_type()));
  }
};

}  // namespace cleave::archive
