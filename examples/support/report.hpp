#pragma once

#include <torch/version.h>

#include <cleave/version.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace example {

/// What a search program writes as result.json: versions, what the command line said, every setting
/// that the result depends on by its name, what was found, and what stopped it, if anything did.
[[nodiscard]] inline nlohmann::json report_of(const std::string& program,
                                              nlohmann::json command_line,
                                              const std::map<std::string, std::string>& settings,
                                              nlohmann::json search, const std::string& trouble) {
  nlohmann::json report = {{"program", program},
                           {"cleave", cleave::version_text},
                           {"libtorch", TORCH_VERSION},
                           {"complete", trouble.empty()},
                           {"settings", std::move(command_line)},
                           {"all_settings", settings},
                           {"search", std::move(search)}};
  if (!trouble.empty()) report["stopped_by"] = trouble;
  return report;
}

}  // namespace example
