#pragma once

#include <cleave/engine/result.hpp>
#include <cleave/select/best_validation.hpp>
#include <cleave/split/tree_json.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cleave::report {

/// A matrix as rows of numbers.
[[nodiscard]] inline nlohmann::json to_json(const Eigen::MatrixXd& matrix) {
  auto rows = nlohmann::json::array();
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    auto row = nlohmann::json::array();
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) row.push_back(matrix(i, j));
    rows.push_back(std::move(row));
  }
  return rows;
}

/// Names of options, in id order.
template <SearchSpace S>
[[nodiscard]] std::vector<std::string> option_names(DecisionId decision, OptionSet options) {
  std::vector<std::string> names;
  for (const auto option : options) names.emplace_back(S::option_name(decision, option));
  return names;
}

/// Everything a search found, as JSON: splits with their similarity matrices, leaves, trials,
/// what retraining gave (null before), stages with seconds and images. Decisions, options and
/// architectures stand by name; nodes by path ("" is the root).
template <SearchSpace S>
[[nodiscard]] nlohmann::json to_json(const SearchResult<S>& result) {
  using nlohmann::json;
  json splits = json::array();
  for (const auto& record : result.splits) {
    const auto& outcome = record.outcome;
    const auto groups_of = [](DecisionId decision, const std::vector<OptionSet>& groups) {
      json list = json::array();
      for (const auto group : groups) list.push_back(option_names<S>(decision, group));
      return list;
    };
    json evidence = json::array();
    for (const auto& seen : outcome.evidence)
      evidence.push_back({{"decision", decision_name<S>(seen.decision)},
                          {"options", option_names<S>(seen.decision, seen.options)},
                          {"similarity", to_json(seen.similarity)},
                          {"groups", groups_of(seen.decision, seen.groups)},
                          {"cut", seen.cut},
                          {"within", seen.within},
                          {"normalised_cut", seen.normalised_cut}});
    splits.push_back({{"node", result.tree[record.node].path},
                      {"decision", decision_name<S>(outcome.split.decision)},
                      {"groups", groups_of(outcome.split.decision, outcome.split.groups)},
                      {"repeats", outcome.repeats},
                      {"passes", outcome.passes},
                      {"evidence", std::move(evidence)}});
  }
  json leaves = json::array();
  for (const auto& leaf : result.leaves) {
    json entry = {{"node", result.tree[leaf.node].path},
                  {"architecture", to_text<S>(leaf.genotype)},
                  {"connected", is_network<S>(leaf.genotype)},
                  {"supernet_validation_accuracy", leaf.supernet_accuracy}};
    if (leaf.alpha)
      entry["alpha"] = {{"entropy", leaf.alpha->entropy},
                        {"skip_share", leaf.alpha->skip_share},
                        {"none_share", leaf.alpha->none_share}};
    if (leaf.alpha && leaf.alpha->sharpness) entry["alpha"]["sharpness"] = *leaf.alpha->sharpness;
    leaves.push_back(std::move(entry));
  }
  json trials = json::array();
  for (const auto& trial : result.trials)
    trials.push_back({{"leaf", trial.candidate},
                      {"epochs", trial.epochs},
                      {"validation_accuracy", trial.accuracy}});
  json stages = json::array();
  for (const auto& stage : result.stages)
    stages.push_back({{"stage", std::string(stage_name(stage.stage))},
                      {"where", stage.where},
                      {"steps", stage.steps},
                      {"images", stage.images},
                      {"seconds", stage.seconds}});
  json retrained;
  if (result.retrained)
    retrained = {{"test_accuracy", result.retrained->test_accuracy},
                 {"test_images", result.retrained->test_images},
                 {"parameters", result.retrained->parameters}};
  json trouble = json::object();
  for (const auto& [where, what] : result.trouble)
    trouble[where] = {{"last", what.last},
                      {"skipped_steps", what.skipped},
                      {"rolled_back", what.rolled_back}};
  return {{"split_tree", cleave::to_json(result.tree)},
          {"splits", std::move(splits)},
          {"leaves", std::move(leaves)},
          {"trials", std::move(trials)},
          {"chosen_leaf", result.chosen ? json(*result.chosen) : json()},
          {"best_leaf_in_supernet",
           result.chosen ? json(result.chosen_by(select::BestValidation{})) : json()},
          {"chosen_architecture",
           result.chosen ? json(to_text<S>(result.genotype())) : json()},
          {"retrained", std::move(retrained)},
          {"trouble", std::move(trouble)},
          {"stages", std::move(stages)}};
}

}  // namespace cleave::report
