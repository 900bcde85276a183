#pragma once

#include <cleave/data/raw_images.hpp>

namespace cleave::data {

/// The two official parts of a set, as a reader returns them.
struct RawParts {
  RawImages train;
  RawImages test;
};

}  // namespace cleave::data
