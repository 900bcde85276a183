#pragma once

#include <cleave/core/error.hpp>
#include <string>

namespace cleave {

/// An exact number of architectures. The DARTS space alone has 8^28, far above 2^64.
/// (`__extension__`: g++ warns of the type under -Wpedantic.)
__extension__ using Count = unsigned __int128;

/// Decimal digits of a count (fmt 9 prints no 128-bit integers portably).
[[nodiscard]] inline std::string to_string(Count value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  return digits;
}

/// a * b. Throws `ValueError` when the product needs more than 128 bits.
[[nodiscard]] constexpr Count checked_product(Count a, Count b) {
  if (b != 0 && a > ~Count{0} / b) throw ValueError("count: more than 2^128 architectures");
  return a * b;
}

}  // namespace cleave
