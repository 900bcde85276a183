#pragma once

#include <array>
#include <cleave/archive/reader.hpp>
#include <cstdint>
#include <fmt/ranges.h>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::archive {

/// Reads the shape of the matrix whose tag was read; its numbers are there for sure.
struct MatrixShape {
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
};
[[nodiscard]] inline MatrixShape read_matrix_shape(Reader& from) {
  const auto rows = from.raw<std::uint64_t>();
  const auto columns = from.raw<std::uint64_t>();
  const auto most = from.left() / sizeof(double);
  if (rows > most || columns > most || (rows > 0 && columns > most / rows))
    from.fail(fmt::format("at most {} numbers", most), fmt::format("{} x {}", rows, columns));
  return {rows, columns};
}

/// What stands before a tensor's bytes. Scalar types are numbered as LibTorch numbers them, so that
/// a file can be looked into without it.
struct TensorShape {
  static constexpr std::uint8_t undefined = 0xff;

  std::uint8_t scalar = undefined;
  std::vector<std::int64_t> sizes{};
  std::uint64_t bytes = 0;

  struct Scalar {
    std::uint8_t number;
    std::uint8_t bytes;
    std::string_view name;
  };
  /// The types a run's state is made of.
  static constexpr std::array<Scalar, 6> scalars{{{0, 1, "Byte"},
                                                  {3, 4, "Int"},
                                                  {4, 8, "Long"},
                                                  {6, 4, "Float"},
                                                  {7, 8, "Double"},
                                                  {15, 2, "BFloat16"}}};
  [[nodiscard]] static const Scalar* find(std::uint8_t number) {
    for (const auto& scalar : scalars)
      if (scalar.number == number) return &scalar;
    return nullptr;
  }

  [[nodiscard]] std::string text() const {
    if (scalar == undefined) return "undefined";
    return fmt::format("[{}] of {}", fmt::join(sizes, ", "), find(scalar)->name);
  }
};

/// Reads the shape of the tensor whose tag was read; its bytes are there for sure.
[[nodiscard]] inline TensorShape read_tensor_shape(Reader& from) {
  TensorShape shape;
  shape.scalar = from.raw<std::uint8_t>();
  const auto rank = from.raw<std::uint8_t>();
  if (shape.scalar == TensorShape::undefined && rank == 0) return shape;
  const auto* scalar = TensorShape::find(shape.scalar);
  if (scalar == nullptr) from.fail("a scalar type", fmt::format("{}", shape.scalar));
  shape.bytes = scalar->bytes;
  for (std::uint8_t d = 0; d < rank; ++d) {
    const auto extent = from.raw<std::int64_t>();
    // Checked before the product, which can then not overflow.
    if (extent < 0 ||
        (extent > 0 && shape.bytes > from.left() / static_cast<std::uint64_t>(extent)))
      from.fail(fmt::format("at most {} bytes", from.left()), fmt::format("extent {}", extent));
    shape.bytes *= static_cast<std::uint64_t>(extent);
    shape.sizes.push_back(extent);
  }
  return shape;
}

}  // namespace cleave::archive
