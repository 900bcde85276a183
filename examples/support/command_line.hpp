#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace example {

/// What an option takes; anything of its type where nothing is said.
struct Anything {};
struct AtLeast {
  std::uint64_t least;
};
template <class Number>
struct Between {
  Number least, most;
};
using Allowed = std::variant<Anything, AtLeast, Between<std::int64_t>, Between<double>,
                             std::vector<std::string>>;

[[nodiscard]] inline Allowed at_least(std::uint64_t least) { return AtLeast{least}; }
template <class Number>
[[nodiscard]] Allowed between(Number least, Number most) {
  using Kind = std::conditional_t<std::is_integral_v<Number>, std::int64_t, double>;
  return Between<Kind>{least, most};
}
[[nodiscard]] inline Allowed one_of(std::vector<std::string> words) { return words; }

/// A program's command line. CLI11 does the work, in command_line.cpp: it takes as long to compile as
/// a third of LibTorch's headers, so the programs do it once for all of them.
class CommandLine {
 public:
  /// title: the first line of --help. Has the program keep its memory (keep_memory.hpp).
  explicit CommandLine(const std::string& title);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// What the result depends on: `json` names it. `value` is the default, and must live as long as
  /// this. T: std::string, double, int, std::int64_t, std::size_t, bool (a flag), or std::vector of
  /// std::string or std::size_t (one or more).
  template <class T>
  void setting(const std::string& name, T& value, const std::string& help,
               const Allowed& allowed = {});
  /// The same, for what has no default.
  void required(const std::string& name, std::string& value, const std::string& help);
  /// What the result does not depend on: where it goes, what is shown meanwhile.
  template <class T>
  void option(const std::string& name, T& value, const std::string& help,
              const Allowed& allowed = {});

  /// Ends the program after --help, and for a command line that makes no sense, saying why.
  void parse(int argc, char** argv);
  /// The settings and their values, a JSON object: `{"split_epochs": [4, 8], ...}`.
  [[nodiscard]] std::string json() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The value of one option, known before the others are read because it decides what they start from;
/// `otherwise` where it is not given.
[[nodiscard]] std::string look_ahead(int argc, char** argv, const std::string& name,
                                     std::string otherwise);

}  // namespace example
