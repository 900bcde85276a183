#pragma once

#include <cleave/core/error.hpp>
#include <cleave/data/photo.hpp>
#include <cstdint>
#include <string_view>

namespace cleave::data {

/// What may be decoded.
struct DecodeLimits {
  /// Refused by the header, before memory is taken: a few bytes can announce 65,535 x 65,535.
  std::int64_t max_pixels = std::int64_t{1} << 26;
  /// Take a JPEG about which the decoder complains (cut short, damaged) as far as it goes.
  bool accept_damaged = false;

  /// Throws `DataError` for a file, called `what`, whose header announces more.
  void check(const PhotoSize& size, std::string_view what) const {
    if (size.width < 1 || size.height < 1 || size.width > max_pixels / size.height)
      throw DataError(
          fmt::format("{}: its header announces {} x {} pixels, at most {} in all are allowed",
                      what, size.width, size.height, max_pixels));
  }
};

}  // namespace cleave::data
