#pragma once

#include <cleave_test.hpp>
#include <string>

/// The part when the text holds it, else the whole text, so that a failing comparison
/// `part_of(text, part) == part` shows what was found. The same for either Catch2.
inline std::string part_of(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos ? part : text;
}

inline void check_part(const std::string& text, const std::string& part) {
  CHECK(part_of(text, part) == part);
}
