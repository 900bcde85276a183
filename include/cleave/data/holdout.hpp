#pragma once

#include <algorithm>
#include <cleave/core/random.hpp>
#include <cleave/data/stratified.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::data {

/// How the official train part is cut for a search.
struct HoldoutOptions {
  double validation = 0.1;  ///< fraction of the train part held out to compare leaves; in [0, 1)
  double search = 0.5;      ///< fraction of the rest that trains alphas; in [0, 1)
  bool stratified = true;   ///< keep the class proportions in each part, to within one image
  template <class F>
  void fields(F&& field) const {
    field("validation", validation);
    field("search", search);
    field("stratified", stratified);
  }
};

/// Three disjoint lists of image numbers, ascending, that cover the train part exactly.
///
/// `weights` trains the supernet's weights, `search` its architecture parameters, and
/// `validation` is seen by neither: it alone chooses between leaves. The test part is read once,
/// after the choice. (The public code has no such part: it compares leaves by the benchmark's
/// own numbers or by test accuracy, method.md section 5, item 4.)
struct Holdout {
  std::vector<std::int64_t> weights;
  std::vector<std::int64_t> search;
  std::vector<std::int64_t> validation;

  friend bool operator==(const Holdout&, const Holdout&) = default;
};

namespace detail {
/// Moves `count` random members out of the groups: all images in one group, or one per class.
inline std::vector<std::int64_t> draw_part(std::vector<std::vector<std::int64_t>>& groups,
                                           std::size_t count, const Stream& stream) {
  std::vector<std::size_t> sizes;
  for (const auto& group : groups) sizes.push_back(group.size());
  const auto counts = proportional_counts(sizes, count);
  std::vector<std::int64_t> part;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    auto order = stream.fork(g);
    order.shuffle(groups[g]);
    const auto cut = groups[g].end() - static_cast<std::ptrdiff_t>(counts[g]);
    part.insert(part.end(), cut, groups[g].end());
    groups[g].erase(cut, groups[g].end());
  }
  std::sort(part.begin(), part.end());
  return part;
}
}  // namespace detail

/// Cuts the train part with `labels` into weights, search and validation: round(n * validation)
/// images are held out, then round(rest * search) go to the search half. Random, from `stream`
/// alone. Throws `ValueError` for a fraction outside [0, 1) and when a part whose fraction is
/// positive, or `weights`, would be empty.
[[nodiscard]] inline Holdout split_train(std::span<const std::int64_t> labels,
                                         const HoldoutOptions& options, Stream stream) {
  const auto check_fraction = [](std::string_view name, double value) {
    if (!(value >= 0.0 && value < 1.0))
      throw ValueError(fmt::format("holdout: {} is {}, allowed 0 up to but not 1", name, value));
  };
  check_fraction("validation", options.validation);
  check_fraction("search", options.search);

  const auto part_of = [](std::size_t count, double fraction) {
    return static_cast<std::size_t>(std::llround(static_cast<double>(count) * fraction));
  };
  const std::size_t validation = part_of(labels.size(), options.validation);
  const std::size_t search = part_of(labels.size() - validation, options.search);
  const auto check_size = [&](std::string_view name, std::size_t size, double fraction) {
    if (size == 0 && fraction > 0.0)
      throw ValueError(
          fmt::format("holdout: the {} part of {} images would be empty "
                      "(validation {}, search {})",
                      name, labels.size(), options.validation, options.search));
  };
  check_size("validation", validation, options.validation);
  check_size("search", search, options.search);
  check_size("weights", labels.size() - validation - search, 1.0);

  std::vector<std::vector<std::int64_t>> groups;
  if (options.stratified) {
    groups = by_class(labels);
  } else {
    groups.emplace_back(labels.size());
    std::iota(groups[0].begin(), groups[0].end(), std::int64_t{0});
  }
  Holdout result;
  result.validation = detail::draw_part(groups, validation, stream.fork("validation"));
  result.search = detail::draw_part(groups, search, stream.fork("search"));
  for (const auto& group : groups)
    result.weights.insert(result.weights.end(), group.begin(), group.end());
  std::sort(result.weights.begin(), result.weights.end());
  return result;
}

}  // namespace cleave::data
