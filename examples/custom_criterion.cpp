// A split criterion of one's own: options are told apart by how much the supernet loses when a
// decision is held at them. Better options go to one side, worse ones to the other.

#include <algorithm>
#include <cleave/cleave.hpp>
#include <utility>
#include <vector>

// [criterion]
/// Ranks the options of every open decision by the loss with the decision held at that option, and
/// cuts the ranking of the decision where losses differ most into equal parts.
struct LossGap {
  static constexpr std::string_view name = "loss gap";

  template <class Net>
  cleave::SplitOutcome operator()(const cleave::SplitScene<Net>& scene) const {
    const at::NoGradGuard no_grad;  // only forward passes
    const cleave::data::Batch batch = scene.batch(scene.stream().fork("batch"));
    const auto context = scene.context(scene.stream().fork("context"));
    cleave::SplitOutcome outcome;
    double widest = -1;
    for (const auto decision : scene.open()) {
      std::vector<std::pair<double, cleave::OptionId>> ranking;
      for (const auto option : scene.options(decision)) {
        const auto child = scene.net().probe(context, decision, option, cleave::Probe::Hard);
        const at::Tensor logits = scene.net().forward(batch.images, child);
        ranking.emplace_back(at::cross_entropy_loss(logits, batch.labels).item<double>(), option);
      }
      std::sort(ranking.begin(), ranking.end());
      outcome.passes += ranking.size();
      const double gap = ranking.back().first - ranking.front().first;
      if (gap <= widest) continue;
      widest = gap;
      outcome.split = {decision, std::vector<cleave::OptionSet>(scene.groups())};
      for (std::size_t i = 0; i < ranking.size(); ++i)
        outcome.split.groups[i * scene.groups() / ranking.size()].insert(ranking[i].second);
    }
    return outcome;
  }
};
// [criterion]

int main() {
  // [search]
  using Space = cleave::space::NasBench201;
  using Search =
      cleave::FewShotSearch<Space, cleave::strategy::Darts<cleave::strategy::FirstOrder>, LossGap>;
  static_assert(cleave::split::SplitCriterion<LossGap, cleave::SupernetFor<Space>::type>);

  Search::Settings settings;
  settings.supernet = settings.network = {.channels = 4, .cells = 1, .image_channels = 1};
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  const Search search(settings, {}, {}, {.rungs = {1}});
  const auto result = search.run(cleave::data::digits());
  // [search]

  const auto& split = result.splits.front().outcome;
  for (const auto group : split.split.groups)
    fmt::print("{} options of {}\n", group.size(),
               cleave::decision_name<Space>(split.split.decision));
  fmt::print("split after {} passes, chosen {}\n", split.passes,
             cleave::to_text<Space>(result.genotype()));
}
