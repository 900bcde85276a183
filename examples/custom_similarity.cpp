// A gradient similarity of one's own: do the children agree on the direction of most weights?

#include <ATen/ops/minimum.h>  // an operation that cleave itself does not call

#include <cleave/cleave.hpp>

/// The share of shared weights on which two children's gradients point the same way, from -1
/// (nowhere) to 1 (everywhere). Long gradients count no more than short ones.
struct SignAgreement {
  static constexpr std::string_view name = "sign agreement";

  at::Tensor operator()(const cleave::score::GradientView& view) const {
    const auto options = view.rows.size(0);
    auto agreement = view.rows.new_zeros({options, options}, at::kDouble);
    auto weights = view.rows.new_zeros({options, 1}, at::kDouble);
    for (const auto& range : view.shared) {
      const auto signs = view.rows.narrow(1, range.begin, range.size()).sign().to(at::kDouble);
      agreement += signs.mm(signs.t());
      weights += signs.abs().sum(1, /*keepdim=*/true);
    }
    // A weight that a child does not use has gradient 0 and no vote.
    return agreement / at::minimum(weights, weights.t()).clamp_min(1);
  }
};
static_assert(cleave::score::GradientSimilarity<SignAgreement>);

int main() {
  using Space = cleave::space::NasBench201;
  using Search = cleave::FewShotSearch<Space, cleave::strategy::Darts<cleave::strategy::FirstOrder>,
                                       cleave::split::GradientMatching<SignAgreement>>;
  Search::Settings settings;
  settings.supernet = settings.network = {.channels = 4, .cells = 1, .image_channels = 1};
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  const Search search(settings, {}, {.repeats = {.least = 2, .limit = 4}}, {.rungs = {1}});
  const auto result = search.run(cleave::data::digits());

  const auto& outcome = result.splits.front().outcome;
  bool in_range = true;
  for (const auto& seen : outcome.evidence) {
    const bool inside = seen.similarity.cwiseAbs().maxCoeff() <= 1.0;
    in_range = in_range && inside && seen.similarity.diagonal().isOnes();
    fmt::print("{}: mean agreement across its cut {:.3f}\n",
               cleave::decision_name<Space>(seen.decision), seen.normalised_cut);
  }
  fmt::print("{} edges scored, agreement {}, split {}\n", outcome.evidence.size(),
             in_range ? "between -1 and 1" : "out of range",
             cleave::decision_name<Space>(outcome.split.decision));
}
