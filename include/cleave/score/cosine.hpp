#pragma once

#include <cleave/score/concept.hpp>

namespace cleave::score {

/// (M + Mᵀ) / 2 over the last two dimensions, in double: a float32 product of a matrix and its
/// transpose is symmetric only to rounding, the blocked kernels sum in different orders.
[[nodiscard]] inline at::Tensor symmetric(const at::Tensor& product) {
  const auto exact = product.to(at::kDouble);
  return exact.add(exact.transpose(-1, -2)).mul(0.5);
}

/// G = sum over shared columns of rows rowsᵀ: all dot products at once, [O, O] in double.
[[nodiscard]] inline at::Tensor gram(const GradientView& view) {
  const auto options = view.rows.size(0);
  auto total = view.rows.new_zeros({options, options}, at::kDouble);
  for (const auto& range : view.shared) {
    const auto part = view.rows.narrow(1, range.begin, range.size());
    total.add_(symmetric(part.mm(part.t())));
  }
  return total;
}

/// Cosines from dot products: G_ij / sqrt(G_ii G_jj); a zero gradient has cosine 0 with all
/// others and 1 with itself (method.md section 1), so the diagonal is exactly 1.
[[nodiscard]] inline at::Tensor cosines_of(const at::Tensor& gram) {
  const auto norms = gram.diagonal(0, -2, -1).clamp_min(0).sqrt();
  // 1 / 0 never enters: a zero norm divides by 1, and its dot products are 0.
  const auto safe = norms.add(norms.eq(0).to(norms.scalar_type()));
  // One division by the product: two divisions would round (i, j) and (j, i) differently.
  auto result = gram.div(safe.unsqueeze(-1).mul(safe.unsqueeze(-2)));
  result.diagonal(0, -2, -1).fill_(1.0);
  return result;
}

/// The paper's score: the cosine of the children's gradients on all shared weights together.
struct Cosine {
  static constexpr std::string_view name = "cosine";
  [[nodiscard]] at::Tensor operator()(const GradientView& view) const {
    return cosines_of(gram(view));
  }
};

static_assert(GradientSimilarity<Cosine>);

}  // namespace cleave::score
