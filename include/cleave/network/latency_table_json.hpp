#pragma once

#include <cleave/core/replace_file.hpp>
#include <cleave/network/latency_table.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace cleave::network {

/// `{"device": "cpu", "threads": 1, "batch": 1, "milliseconds": {"PART": 0.25, ...}}`.
[[nodiscard]] inline nlohmann::json to_json(const LatencyTable& table) {
  return {{"device", table.device},
          {"threads", table.threads},
          {"batch", table.batch},
          {"milliseconds", table.milliseconds}};
}

/// Throws `DataError` naming the member of anything that `to_json` does not write.
[[nodiscard]] inline LatencyTable latency_table_from_json(const nlohmann::json& json) {
  const auto fail = [](std::string_view member, std::string_view expected) {
    throw DataError(fmt::format("latency table/{}: {} expected", member, expected));
  };
  const auto member = [&](const char* name) {
    const auto found = json.find(name);
    return found == json.end() ? nlohmann::json() : *found;
  };
  if (!json.is_object()) fail("", "an object");
  const auto count = [&](const char* name) {
    const auto value = member(name);
    if (!value.is_number_unsigned() || value == 0) fail(name, "a whole number, at least 1,");
    return value.get<std::size_t>();
  };
  LatencyTable table;
  if (!member("device").is_string()) fail("device", "a text");
  table.device = member("device");
  table.threads = count("threads");
  table.batch = count("batch");
  const auto parts = member("milliseconds");
  if (!parts.is_object()) fail("milliseconds", "an object");
  for (const auto& [part, value] : parts.items()) {
    if (!value.is_number() || !(value.get<double>() >= 0) || !std::isfinite(value.get<double>()))
      fail("milliseconds/" + part, "a number, at least 0,");
    table.milliseconds.emplace(part, value.get<double>());
  }
  return table;
}

/// Reads JSON text. As above; text that is not JSON is a `DataError` as well.
[[nodiscard]] inline LatencyTable latency_table_from_json_text(std::string_view text) {
  try {
    return latency_table_from_json(nlohmann::json::parse(text));
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("latency table: {}", error.what()));
  }
}

/// Throws `IoError`.
inline void write_latency_table(const std::filesystem::path& path, const LatencyTable& table) {
  const auto text = to_json(table).dump(1) + "\n";
  replace_file(path, {std::as_bytes(std::span(text))});
}

/// Throws `IoError`, and `DataError` naming the file for one that holds no table.
[[nodiscard]] inline LatencyTable read_latency_table(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw IoError(fmt::format("{}: cannot read this latency table", path.string()));
  try {
    return latency_table_from_json_text(std::string(std::istreambuf_iterator<char>(file), {}));
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

}  // namespace cleave::network
