#pragma once

#include <cleave/split/tree.hpp>
#include <cleave/split/tree_text.hpp>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cleave {

/// The version this code writes and the only one it reads.
inline constexpr std::size_t split_tree_schema_version = 1;

/// The tree as JSON. Options and decisions stand by name, so that files outlive a renumbering:
///
///     { "schema": "cleave.split_tree", "version": 1, "space": "nasbench201",
///       "root":   [ { "decision": "1<-0", "options": ["none", ...] }, ... ],      every decision
///       "splits": [ { "node": "", "decision": "1<-0", "groups": [["none"], ...] }, ... ],
///       "leaves": [ { "node": "0", "architectures": "3125" }, ... ] }
///
/// `splits` are in the order in which they were made; `node` is a path of child numbers ("1.0",
/// "" for the root). Counts are strings because they may need 128 bits.
template <SearchSpace S>
[[nodiscard]] nlohmann::json to_json(const SplitTree<S>& tree) {
  using nlohmann::json;
  const auto names = [](DecisionId decision, OptionSet options) {
    json list = json::array();
    for (const auto option : options) list.push_back(std::string(S::option_name(decision, option)));
    return list;
  };
  json root = json::array();
  for (std::size_t d = 0; d < S::decision_count; ++d)
    root.push_back({{"decision", decision_name<S>(DecisionId(d))},
                    {"options", names(DecisionId(d), tree[0].restriction[DecisionId(d)])}});
  json splits = json::array();
  for (const auto number : splits_in_order(tree)) {
    const auto& split = *tree[number].split;
    json groups = json::array();
    for (const auto group : split.groups) groups.push_back(names(split.decision, group));
    splits.push_back({{"node", tree[number].path},
                      {"decision", decision_name<S>(split.decision)},
                      {"groups", std::move(groups)}});
  }
  json leaves = json::array();
  for (const auto number : tree.leaves())
    leaves.push_back({{"node", tree[number].path},
                      {"architectures", to_string(tree[number].restriction.count())}});
  return {{"schema", "cleave.split_tree"},
          {"version", split_tree_schema_version},
          {"space", std::string(S::name)},
          {"root", std::move(root)},
          {"splits", std::move(splits)},
          {"leaves", std::move(leaves)}};
}

namespace detail {

/// Levels of the schema: root, list, split, groups, group, name.
inline constexpr int tree_json_depth = 6;

[[noreturn]] inline void bad_tree(const std::string& where, std::string_view expected) {
  throw DataError(fmt::format("split tree: {}: expected {}", where, expected));
}

/// A member of an object; the object must have it.
inline const nlohmann::json& tree_member(const nlohmann::json& object, const char* key,
                                         const std::string& where) {
  if (!object.is_object()) bad_tree(where, "an object");
  const auto found = object.find(key);
  if (found == object.end()) bad_tree(where, fmt::format("a member '{}'", key));
  return *found;
}

inline const std::string& tree_string(const nlohmann::json& object, const char* key,
                                      const std::string& where) {
  const auto& member = tree_member(object, key, where);
  if (!member.is_string()) bad_tree(fmt::format("{}/{}", where, key), "a string");
  return member.get_ref<const std::string&>();
}

inline const nlohmann::json& tree_list(const nlohmann::json& object, const char* key,
                                       const std::string& where) {
  const auto& member = tree_member(object, key, where);
  if (!member.is_array()) bad_tree(fmt::format("{}/{}", where, key), "a list");
  return member;
}

/// Refuses members that are not known: a typing error must not read as "absent".
inline void tree_members_are(const nlohmann::json& object, std::size_t known,
                             const std::string& where) {
  if (object.size() != known) bad_tree(where, fmt::format("{} members, no others", known));
}

template <SearchSpace S>
DecisionId tree_decision(const nlohmann::json& object, const std::string& where) {
  const auto& name = tree_string(object, "decision", where);
  for (std::size_t d = 0; d < S::decision_count; ++d)
    if (decision_name<S>(DecisionId(d)) == name) return DecisionId(d);
  bad_tree(where + "/decision", fmt::format("a decision of {}", S::name));
}

template <SearchSpace S>
OptionSet tree_options(const nlohmann::json& list, DecisionId decision, const std::string& where) {
  if (!list.is_array() || list.empty()) bad_tree(where, "a list of option names");
  OptionSet options;
  for (const auto& item : list) {
    std::size_t o = 0;
    while (o < S::option_count(decision) &&
           !(item.is_string() && item.get_ref<const std::string&>() ==
                                     std::string_view(S::option_name(decision, OptionId(o)))))
      ++o;
    if (o == S::option_count(decision))
      bad_tree(where, fmt::format("options of {}, each once", decision_name<S>(decision)));
    if (options.contains(OptionId(o))) bad_tree(where, "each option once");
    options.insert(OptionId(o));
  }
  return options;
}

}  // namespace detail

/// Reads `to_json` back to an equal tree and checks everything on the way: schema, version,
/// space, names, that groups cover their parent, that the leaves and their counts are those of
/// the splits. Throws `DataError` naming the member, or `ValueError` for groups that do not cover.
template <SearchSpace S>
[[nodiscard]] SplitTree<S> tree_from_json(const nlohmann::json& json) {
  if (detail::tree_string(json, "schema", "/") != "cleave.split_tree")
    detail::bad_tree("/schema", "cleave.split_tree");
  if (detail::tree_member(json, "version", "/") != split_tree_schema_version)
    detail::bad_tree("/version", fmt::format("{}", split_tree_schema_version));
  if (detail::tree_string(json, "space", "/") != std::string_view(S::name))
    detail::bad_tree("/space", S::name);
  detail::tree_members_are(json, 6, "/");

  const auto& root_list = detail::tree_list(json, "root", "/");
  if (root_list.size() != S::decision_count)
    detail::bad_tree("/root", fmt::format("{} decisions", S::decision_count));
  Restriction<S> root;
  for (std::size_t i = 0; i < root_list.size(); ++i) {
    const auto where = fmt::format("/root/{}", i);
    const auto decision = detail::tree_decision<S>(root_list[i], where);
    if (decision.index() != i) detail::bad_tree(where, "the decisions in their order");
    detail::tree_members_are(root_list[i], 2, where);
    root = root.with(decision, detail::tree_options<S>(detail::tree_list(root_list[i], "options",
                                                                         where),
                                                       decision, where + "/options"));
  }

  SplitTree<S> tree(root);
  std::map<std::string, std::size_t, std::less<>> by_path{{"", 0}};
  const auto& splits = detail::tree_list(json, "splits", "/");
  for (std::size_t i = 0; i < splits.size(); ++i) {
    const auto where = fmt::format("/splits/{}", i);
    const auto node = by_path.find(detail::tree_string(splits[i], "node", where));
    if (node == by_path.end() || tree[node->second].split)
      detail::bad_tree(where + "/node", "the path of a leaf so far");
    Split split{detail::tree_decision<S>(splits[i], where), {}};
    const auto& groups = detail::tree_list(splits[i], "groups", where);
    for (std::size_t g = 0; g < groups.size(); ++g)
      split.groups.push_back(detail::tree_options<S>(
          groups[g], split.decision, fmt::format("{}/groups/{}", where, g)));
    detail::tree_members_are(splits[i], 3, where);
    for (const auto child : tree.split(node->second, std::move(split)))
      by_path.emplace(tree[child].path, child);
  }

  const auto leaves = tree.leaves();
  const auto& listed = detail::tree_list(json, "leaves", "/");
  if (listed.size() != leaves.size())
    detail::bad_tree("/leaves", fmt::format("{} leaves, as the splits make", leaves.size()));
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const auto where = fmt::format("/leaves/{}", i);
    const auto& leaf = tree[leaves[i]];
    if (detail::tree_string(listed[i], "node", where) != leaf.path)
      detail::bad_tree(where + "/node", fmt::format("'{}'", leaf.path));
    const auto count = to_string(leaf.restriction.count());
    if (detail::tree_string(listed[i], "architectures", where) != count)
      detail::bad_tree(where + "/architectures", fmt::format("'{}'", count));
    detail::tree_members_are(listed[i], 2, where);
  }
  return tree;
}

/// Reads JSON text. As `tree_from_json`, and `ParseError` with the byte for text that is not
/// JSON, that names a member twice, nests deeper than the schema does or is above 1 MiB.
template <SearchSpace S>
[[nodiscard]] SplitTree<S> tree_from_json_text(std::string_view text) {
  constexpr std::size_t longest = 1 << 20;
  const Scanner size_check("split tree", text, longest);
  std::vector<std::set<std::string>> keys;
  const auto watch = [&keys](int depth, nlohmann::json::parse_event_t event,
                             nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > detail::tree_json_depth)
      detail::bad_tree("/", fmt::format("at most {} levels", detail::tree_json_depth));
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second)
      detail::bad_tree("/" + value.get<std::string>(), "each member once");
    return true;
  };
  try {
    return tree_from_json<S>(nlohmann::json::parse(text, watch));
  } catch (const nlohmann::json::parse_error& error) {
    const std::size_t at = error.byte > 0 ? error.byte - 1 : 0;
    throw ParseError("split tree", at, "JSON", Scanner::describe(text, at));
  } catch (const nlohmann::json::exception& error) {  // a number no double can hold
    throw DataError(fmt::format("split tree: {}", error.what()));
  }
}

}  // namespace cleave
