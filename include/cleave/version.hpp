#pragma once

/// The version's only home: CMake reads these three lines.
#define CLEAVE_VERSION_MAJOR 0
#define CLEAVE_VERSION_MINOR 1
#define CLEAVE_VERSION_PATCH 0

#define CLEAVE_TEXT_OF(x) #x
#define CLEAVE_VERSION_TEXT_OF(a, b, c) CLEAVE_TEXT_OF(a) "." CLEAVE_TEXT_OF(b) "." CLEAVE_TEXT_OF(c)

namespace cleave {

/// The library's version as `major.minor.patch`, for reports and checkpoints.
inline constexpr const char* version_text =
    CLEAVE_VERSION_TEXT_OF(CLEAVE_VERSION_MAJOR, CLEAVE_VERSION_MINOR, CLEAVE_VERSION_PATCH);

}  // namespace cleave
