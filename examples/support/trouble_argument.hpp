#pragma once

#include <cleave/strategy/trouble.hpp>
#include <string>

#include "command_line.hpp"

namespace example {

inline void declare_trouble(CommandLine& line, std::string& text) {
  line.setting("--trouble", text,
               "what to do about a loss or gradient that is not finite: stop, skip (the step), "
               "rollback (to the beginning of the epoch, with half the learning rate)",
               one_of({"stop", "skip", "rollback"}));
}

[[nodiscard]] inline cleave::strategy::NonFinite trouble_of(const std::string& text) {
  using cleave::strategy::NonFinite;
  return text == "skip" ? NonFinite::SkipStep
         : text == "rollback" ? NonFinite::RollBack
                              : NonFinite::Stop;
}

}  // namespace example
