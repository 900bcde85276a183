#include "command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "keep_memory.hpp"

namespace example {

struct CommandLine::Impl {
  CLI::App app;
  std::vector<std::pair<std::string, std::function<nlohmann::json()>>> settings{};
};

namespace {

/// CLI11 itself takes -1 for a huge unsigned number, and its own positive numbers end at 1.8e308.
CLI::Validator check_of(const AtLeast& range) {
  const auto allowed = fmt::format("a whole number, at least {}", range.least);
  return CLI::Validator(
      [=](const std::string& text) {
        std::uint64_t value = 0;
        const auto* end = text.data() + text.size();
        const auto [stopped, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stopped == end && value >= range.least) return std::string();
        return fmt::format("{} is not {}", text, allowed);
      },
      fmt::format(">= {}", range.least));
}
template <class Number>
CLI::Validator check_of(const Between<Number>& range) {
  return CLI::Range(range.least, range.most);
}
CLI::Validator check_of(const std::vector<std::string>& words) { return CLI::IsMember(words); }

void read(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
}

/// `--split-epochs,!--other` as a key: split_epochs.
std::string key_of(const std::string& name) {
  auto key = name.substr(0, name.find(','));
  key.erase(0, key.find_first_not_of('-'));
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

}  // namespace

CommandLine::CommandLine(const std::string& title) : impl_(new Impl{CLI::App(title)}) {
  keep_memory();
}
CommandLine::~CommandLine() = default;

template <class T>
void CommandLine::setting(const std::string& name, T& value, const std::string& help,
                          const Allowed& allowed) {
  option(name, value, help, allowed);
  impl_->settings.emplace_back(key_of(name), [&value] { return nlohmann::json(value); });
}

void CommandLine::required(const std::string& name, std::string& value, const std::string& help) {
  impl_->app.add_option(name, value, help)->required();
  impl_->settings.emplace_back(key_of(name), [&value] { return nlohmann::json(value); });
}

template <class T>
void CommandLine::option(const std::string& name, T& value, const std::string& help,
                         const Allowed& allowed) {
  if constexpr (std::is_same_v<T, bool>) {
    impl_->app.add_flag(name, value, help);
  } else {
    auto* added = impl_->app.add_option(name, value, help)->capture_default_str();
    std::visit(
        [&](const auto& range) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(range)>, Anything>)
            added->check(check_of(range));
        },
        allowed);
  }
}

void CommandLine::parse(int argc, char** argv) { read(impl_->app, argc, argv); }

std::string CommandLine::json() const {
  auto values = nlohmann::json::object();
  for (const auto& [key, value] : impl_->settings) values[key] = value();
  return values.dump();
}

std::string look_ahead(int argc, char** argv, const std::string& name, std::string otherwise) {
  CLI::App app;
  app.allow_extras();
  app.set_help_flag();
  app.add_option(name, otherwise);
  read(app, argc, argv);
  return otherwise;
}

#define EXAMPLE_OPTION_OF(...)                                                                \
  template void CommandLine::setting(const std::string&, __VA_ARGS__&, const std::string&,    \
                                     const Allowed&);                                         \
  template void CommandLine::option(const std::string&, __VA_ARGS__&, const std::string&,     \
                                    const Allowed&);
EXAMPLE_OPTION_OF(std::string)
EXAMPLE_OPTION_OF(double)
EXAMPLE_OPTION_OF(int)
EXAMPLE_OPTION_OF(std::int64_t)
EXAMPLE_OPTION_OF(std::size_t)
EXAMPLE_OPTION_OF(bool)
EXAMPLE_OPTION_OF(std::vector<std::string>)
EXAMPLE_OPTION_OF(std::vector<std::size_t>)
#undef EXAMPLE_OPTION_OF

}  // namespace example
