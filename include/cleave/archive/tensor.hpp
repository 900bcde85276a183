#pragma once

#include <cleave/archive/codecs.hpp>
#include <cleave/archive/shapes.hpp>
#include <cleave/torch.hpp>
#include <cstdint>
#include <cstring>
#include <string>

namespace cleave::archive {

/// A tensor by scalar type, shape and contiguous bytes. Reading into a tensor that is defined
/// copies into it, so views, device and `requires_grad` stay, and demands its type and shape;
/// reading into an undefined one makes a tensor on the host.
template <>
struct Codec<at::Tensor> {
  static void write(Writer& to, const at::Tensor& value) {
    to.put(Tag::Tensor);
    to.raw(value.defined() ? number_of(value) : TensorShape::undefined);
    if (!value.defined()) {
      to.raw(std::uint8_t{0});
      return;
    }
    const auto host = value.detach().to(at::kCPU).contiguous();
    to.raw(static_cast<std::uint8_t>(host.dim()));
    for (const auto extent : host.sizes()) to.raw(std::int64_t{extent});
    to.bytes({static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()});
  }

  static void read(Reader& from, at::Tensor& value) {
    from.expect(Tag::Tensor);
    const auto shape = read_tensor_shape(from);
    if (value.defined() && (shape.scalar != number_of(value) ||
                            value.sizes() != at::IntArrayRef(shape.sizes)))
      from.fail("a tensor " + shape_of(value).text(), shape.text());
    if (shape.scalar == TensorShape::undefined) return;
    const auto data = from.bytes(shape.bytes);
    const auto there = at::empty(shape.sizes, static_cast<at::ScalarType>(shape.scalar));
    if (!data.empty()) std::memcpy(there.mutable_data_ptr(), data.data(), data.size());
    if (!value.defined()) {
      value = there;
      return;
    }
    const at::NoGradGuard no_grad;
    value.detach().copy_(there);
  }

 private:
  /// Throws `ValueError` for a type that no state is made of.
  static std::uint8_t number_of(const at::Tensor& tensor) {
    const auto number = static_cast<std::uint8_t>(tensor.scalar_type());
    if (TensorShape::find(number) == nullptr)
      throw ValueError(fmt::format("archive: tensors of {} are not written",
                                   c10::toString(tensor.scalar_type())));
    return number;
  }
  static TensorShape shape_of(const at::Tensor& tensor) {
    return {number_of(tensor), tensor.sizes().vec(), tensor.nbytes()};
  }
};

}  // namespace cleave::archive
