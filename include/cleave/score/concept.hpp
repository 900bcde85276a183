#pragma once

#include <cleave/score/gradient_view.hpp>
#include <concepts>
#include <string_view>

namespace cleave::score {

template <class S>
concept HasName = requires {
  { S::name } -> std::convertible_to<std::string_view>;
};

template <class S>
concept ScoresGradients = requires(const S& score, const GradientView& view) {
  { score(view) } -> std::same_as<at::Tensor>;
};

/// How alike the children's gradients are.
///
/// Requirements on a const object: `S::name`, and `score(view)` giving a symmetric [O, O] tensor
/// of doubles on the device of the rows; larger means more alike. Called once per repeat and
/// decision; it must not synchronise with the host.
/// Laws: symmetric; invariant under a permutation of the options that permutes rows and columns;
/// finite whenever the gradients are.
/// Accepted: `struct Dot { static constexpr std::string_view name = "dot"; at::Tensor
/// operator()(const GradientView& v) const { return v.rows.mm(v.rows.t()).to(at::kDouble); } };`
/// (all weights, shared or not). Rejected: the same returning a double.
/// Models: Cosine, PerFilterCosine, SquaredDistance. Paper: GM-NAS (ICLR 2022), section 3.
template <class S>
concept GradientSimilarity = HasName<S> && ScoresGradients<S>;

}  // namespace cleave::score
