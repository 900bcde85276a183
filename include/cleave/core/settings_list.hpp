#pragma once

#include <fmt/format.h>

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace cleave {

/// Settings as text, by dotted name: what a checkpoint keeps to tell whether a run that goes on is
/// the run that was stopped. A visitor: a struct lists its settings by `fields(visitor)`, and a
/// policy is known by its `name`.
class SettingsList {
 public:
  /// Numbers and texts as they are, enumerations and ids by number, lists in brackets, a policy by name,
  /// what is in a struct under `name.`
  template <class T>
  void operator()(std::string_view name, const T& value) {
    if constexpr (std::same_as<T, bool>) {
      put(name, value ? "yes" : "no");
    } else if constexpr (std::is_enum_v<T>) {
      put(name, fmt::format("{}", static_cast<unsigned long long>(value)));
    } else if constexpr (std::is_arithmetic_v<T>) {
      put(name, fmt::format("{}", value));
    } else if constexpr (std::convertible_to<T, std::string_view>) {
      put(name, std::string(std::string_view(value)));
    } else if constexpr (requires { value.index(); }) {
      put(name, fmt::format("{}", value.index()));
    } else if constexpr (requires { value.begin(); value.end(); }) {
      std::string text;
      for (const auto& item : value) {
        SettingsList one;
        one("", item);
        one.append_to(text);
      }
      put(name, "[" + text + "]");
    } else {
      if constexpr (requires { { T::name } -> std::convertible_to<std::string_view>; })
        put(name, std::string(T::name));
      if constexpr (requires { value.fields(*this); }) {
        const auto outer = prefix_.size();
        prefix_ += std::string(name) + ".";
        value.fields(*this);
        prefix_.resize(outer);
      }
    }
  }

  [[nodiscard]] const std::map<std::string, std::string>& values() const noexcept {
    return values_;
  }
  [[nodiscard]] std::map<std::string, std::string>& values() noexcept { return values_; }

 private:
  void put(std::string_view name, std::string value) {
    values_[prefix_ + std::string(name)] = std::move(value);
  }

  /// As an item of a list.
  void append_to(std::string& text) const {
    for (const auto& [key, part] : values_)
      text += (text.empty() ? "" : ", ") + (key.empty() ? part : key.substr(1) + " " + part);
  }

  std::string prefix_;
  std::map<std::string, std::string> values_;
};

/// "epochs: 30 there, 40 here" for every name whose text differs or that only one list has, but for
/// the names in `may_change` (a name covers what is under it).
[[nodiscard]] inline std::vector<std::string> differences(
    const std::map<std::string, std::string>& there, const std::map<std::string, std::string>& here,
    const std::vector<std::string>& may_change = {}) {
  const auto free = [&](const std::string& name) {
    for (const auto& allowed : may_change)
      if (name == allowed || name.starts_with(allowed + ".")) return true;
    return false;
  };
  std::vector<std::string> result;
  std::map<std::string, std::string> all = there;
  all.insert(here.begin(), here.end());
  for (const auto& [name, unused] : all) {
    const auto a = there.find(name);
    const auto b = here.find(name);
    const bool same = a != there.end() && b != here.end() && a->second == b->second;
    if (same || free(name)) continue;
    result.push_back(fmt::format("{}: {} there, {} here", name,
                                 a == there.end() ? "nothing" : a->second,
                                 b == here.end() ? "nothing" : b->second));
  }
  return result;
}

}  // namespace cleave
