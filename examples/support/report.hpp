#pragma once

#include <cleave/engine/result.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "run_directory.hpp"

// What programs leave in their run folders. The templates are compiled in report.cpp, for the four
// spaces: JSON costs every program that writes it a tenth of its time to compile.

namespace example {

/// What a run was asked for.
struct Asked {
  std::string program;
  std::string command_line;                     ///< `CommandLine::json`
  std::map<std::string, std::string> settings;  ///< every one that the result depends on
};

/// What a search found.
template <class Space>
[[nodiscard]] nlohmann::json json_of(const cleave::SearchResult<Space>& result);

/// result.json of a search: versions, what was asked, what was found, and what stopped it, if anything
/// did. `amend` may add to it.
template <class Space>
void write_result(const RunDirectory& directory, const Asked& asked,
                  const cleave::SearchResult<Space>& result, const std::string& trouble,
                  const std::function<void(nlohmann::json&)>& amend = {});

/// Heat maps of every split that measured similarities, one picture per split.
template <class Space>
void write_heat_maps(const RunDirectory& directory, const std::string& prefix,
                     const cleave::SearchResult<Space>& result);

/// retrained.json of a network trained alone. `genotype` goes under `key`.
void write_retrained(const RunDirectory& directory, const Asked& asked, const std::string& key,
                     const std::string& genotype, std::uint64_t multiply_adds,
                     const cleave::RetrainRecord& record, double seconds);

}  // namespace example
