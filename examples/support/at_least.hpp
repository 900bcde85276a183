#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>

namespace example {

/// Whole numbers from `least` on. (CLI11 itself takes -1 for a huge unsigned number, and its own
/// positive numbers end at 1.8e308.)
[[nodiscard]] inline CLI::Validator at_least(std::uint64_t least) {
  const auto allowed = fmt::format("a whole number, at least {}", least);
  return CLI::Validator(
      [=](const std::string& text) {
        std::uint64_t value = 0;
        const auto* end = text.data() + text.size();
        const auto [stopped, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stopped == end && value >= least) return std::string();
        return fmt::format("{} is not {}", text, allowed);
      },
      fmt::format(">= {}", least));
}

}  // namespace example
