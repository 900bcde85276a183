#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

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

/// Reads the command line in two passes: the preset first, then everything given by hand over it.
/// `declare(app, options)` declares all options, `--preset` into `options.preset` among them. Ends the
/// program after --help and for a command line that makes no sense, as CLI11 does.
template <class Options, class Declare>
[[nodiscard]] Options read_options(int argc, char** argv, const std::string& title,
                                   const Presets<Options>& presets, Declare declare) {
  Options options;
  const auto parse = [&](CLI::App& app) {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      std::exit(app.exit(error));
    }
  };
  CLI::App first;
  first.allow_extras();
  first.set_help_flag();
  std::string preset = options.preset;
  first.add_option("--preset", preset);
  parse(first);
  if (const auto found = presets.find(preset); found != presets.end()) found->second(options);
  CLI::App app{title};
  declare(app, options);
  parse(app);
  return options;
}

}  // namespace example
