#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

/// What is wrong with an XML text as far as this library's drawings go: elements nest, attributes
/// are quoted and named once, character data holds no raw markup. Empty when nothing is.
inline std::string xml_problem(std::string_view text) {
  std::vector<std::string> open;
  bool had_root = false;
  const auto entity = [&](std::size_t at) {
    for (const std::string_view known : {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"})
      if (text.substr(at).starts_with(known)) return true;
    return false;
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r')
      return "control character";
    if (c == '&' && !entity(i)) return "raw & in text";
    if (c == '>') return "raw > in text";
    if (c != '<') {
      if (open.empty() && std::isspace(static_cast<unsigned char>(c)) == 0)
        return "text outside the root";
      ++i;
      continue;
    }
    const bool closing = text.substr(i).starts_with("</");
    i += closing ? 2 : 1;
    std::string name;
    while (i < text.size() && std::isalpha(static_cast<unsigned char>(text[i])) != 0)
      name += text[i++];
    if (name.empty()) return "a tag without a name";
    std::vector<std::string> attributes;
    while (i < text.size() && text[i] == ' ') {
      std::string attribute;
      ++i;
      while (i < text.size() && text[i] != '=' && text[i] != '>') attribute += text[i++];
      if (i + 1 >= text.size() || text[i] != '=' || text[i + 1] != '"') return "a bare attribute";
      for (const auto& other : attributes)
        if (other == attribute) return "attribute " + attribute + " twice";
      attributes.push_back(attribute);
      for (i += 2; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '<') return "raw < in attribute " + attribute;
        if (text[i] == '&' && !entity(i)) return "raw & in attribute " + attribute;
      }
      ++i;
    }
    const bool empty = text.substr(i).starts_with("/>");
    i += empty ? 1 : 0;
    if (i >= text.size() || text[i] != '>') return "tag " + name + " does not end";
    ++i;
    if (closing) {
      if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
      open.pop_back();
    } else if (!empty) {
      if (open.empty() && had_root) return "two roots";
      had_root = true;
      open.push_back(name);
    }
  }
  if (!open.empty()) return open.back() + " is not closed";
  return had_root ? "" : "no element";
}

/// How often `part` occurs in `text`.
inline std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}
