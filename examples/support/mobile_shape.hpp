#pragma once

#include <cstddef>

namespace example {

/// Strides for images of a size: those of ImageNet from 64 pixels on, fewer below.
template <class Shape>
void fit_strides(Shape& shape, std::size_t image) {
  shape.image = image;
  if (image >= 64) return;
  shape.first_stride = 1;
  shape.strides[0] = 1;
  if (image < 16) shape.strides[2] = 1;
}

}  // namespace example
