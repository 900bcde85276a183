#pragma once

#include <cleave/core/error.hpp>
#include <cstdint>
#include <string_view>

namespace cleave::supernet {

/// Throws `ValueError` for a size below 1, named with the network it belongs to.
inline void check_positive(std::string_view network, std::string_view size, std::int64_t value) {
  if (value < 1)
    throw ValueError(
        fmt::format("{} network: {} is {}, at least 1 is needed", network, size, value));
}

}  // namespace cleave::supernet
