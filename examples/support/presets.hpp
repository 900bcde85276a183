#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "command_line.hpp"

namespace example {

/// Starting points by name: each sets the options of a recipe.
template <class Options>
using Presets = std::map<std::string, std::function<void(Options&)>>;

template <class Options>
[[nodiscard]] std::vector<std::string> names_of(const Presets<Options>& presets) {
  std::vector<std::string> names;
  for (const auto& [name, set] : presets) names.push_back(name);
  return names;
}

/// Reads the command line: the preset first, then everything given by hand over it. `declare(line,
/// options)` declares all options, `--preset` into `options.preset` among them; `options.settings`
/// becomes what `CommandLine::json` says.
template <class Options, class Declare>
[[nodiscard]] Options read_options(int argc, char** argv, const std::string& title,
                                   const Presets<Options>& presets, Declare declare) {
  Options options;
  const auto preset = presets.find(look_ahead(argc, argv, "--preset", options.preset));
  if (preset != presets.end()) preset->second(options);
  CommandLine line(title);
  declare(line, options);
  line.parse(argc, argv);
  options.settings = line.json();
  return options;
}

}  // namespace example
