#pragma once

// Catch2 of either major version, and where the tests find their data. Include it after
// torch/torch.h, which defines a CHECK of its own.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace cleave::testing {

/// A file of reference numbers: in $CLEAVE_FIXTURES, else among the committed test data.
inline std::filesystem::path fixture_path(const std::string& name) {
  const char* folder = std::getenv("CLEAVE_FIXTURES");
  return std::filesystem::path(folder != nullptr ? folder : CLEAVE_TEST_DATA "/reference") / name;
}

/// A file of the large data sets, in $CLEAVE_DATA, else beside the checkout; nothing if absent.
inline std::optional<std::filesystem::path> data_path(const std::string& name) {
  const char* folder = std::getenv("CLEAVE_DATA");
  const auto path =
      std::filesystem::path(folder != nullptr ? folder : CLEAVE_TEST_DATA "/../../../shared/data") /
      name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

/// The text with the first `from` in it exchanged.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace cleave::testing
