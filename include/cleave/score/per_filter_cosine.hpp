#pragma once

#include <cleave/score/cosine.hpp>

namespace cleave::score {

/// The mean over all filters (leading slices of every shared weight) of the cosine of that
/// filter's gradients: every filter counts alike, however long its gradient. The public code sums
/// instead of averaging; the mean compares decisions whose shared weights differ in number.
struct PerFilterCosine {
  static constexpr std::string_view name = "per-filter cosine";
  [[nodiscard]] at::Tensor operator()(const GradientView& view) const {
    const auto options = view.rows.size(0);
    auto sum = view.rows.new_zeros({options, options}, at::kDouble);
    std::int64_t filters = 0;
    for (const auto& slice : view.slices) {
      // [O, F, K] -> [F, O, K] -> [F, O, O]
      const auto part = view.rows.narrow(1, slice.range.begin, slice.range.size())
                            .reshape({options, slice.filters, -1})
                            .transpose(0, 1);
      sum.add_(cosines_of(symmetric(part.bmm(part.transpose(1, 2)))).sum(0));
      filters += slice.filters;
    }
    // The sum over filters runs in another order for (i, j) than for (j, i).
    return symmetric(filters == 0 ? sum : sum.div_(static_cast<double>(filters)));
  }
};

static_assert(GradientSimilarity<PerFilterCosine>);

}  // namespace cleave::score
