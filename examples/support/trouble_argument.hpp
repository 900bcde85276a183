#pragma once

#include <cleave/strategy/trouble.hpp>
#include <string>

#include <CLI/CLI.hpp>

namespace example {

inline void declare_trouble(CLI::App& app, std::string& text) {
  app.add_option("--trouble", text,
                 "what to do about a loss or gradient that is not finite: stop, skip (the step), "
                 "rollback (to the beginning of the epoch, with half the learning rate)")
      ->check(CLI::IsMember({"stop", "skip", "rollback"}))
      ->capture_default_str();
}

[[nodiscard]] inline cleave::strategy::NonFinite trouble_of(const std::string& text) {
  using cleave::strategy::NonFinite;
  return text == "skip" ? NonFinite::SkipStep
         : text == "rollback" ? NonFinite::RollBack
                              : NonFinite::Stop;
}

}  // namespace example
