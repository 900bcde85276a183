// A leaf selection of one's own: a cheap favourite keeps its place unless a trial says otherwise.

#include <algorithm>
#include <cleave/cleave.hpp>
#include <numeric>
#include <vector>

/// Trains the architectures of the `count` leaves that do best inside their supernets, and
/// takes the one that does best alone: the supernets propose, trials decide.
struct TrialOfFavourites {
  static constexpr std::string_view name = "trial of favourites";
  std::size_t count = 2;
  std::size_t epochs = 2;

  template <class Space>
  std::size_t operator()(std::span<const cleave::LeafCandidate<Space>> candidates,
                         const cleave::Trials& trials) const {
    std::vector<std::size_t> order(candidates.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return candidates[a].supernet_accuracy > candidates[b].supernet_accuracy;
    });
    order.resize(std::clamp<std::size_t>(count, 1, order.size()));
    std::size_t best = order.front();
    double highest = -1;
    for (const auto i : order) {
      const double accuracy = trials.validation_after(i, epochs, epochs);
      if (accuracy <= highest) continue;
      highest = accuracy;
      best = i;
    }
    return best;
  }
};

int main() {
  using Space = cleave::space::NasBench201;
  using Search = cleave::FewShotSearch<Space, cleave::strategy::Darts<cleave::strategy::FirstOrder>,
                                       cleave::split::Exhaustive, TrialOfFavourites>;
  static_assert(cleave::select::LeafSelection<TrialOfFavourites, Space>);

  Search::Settings settings;
  settings.supernet = settings.network = {.channels = 4, .cells = 1, .image_channels = 1};
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  settings.trial.batch = 32;
  const auto result = Search(settings, {}, {}, {.count = 3}).run(cleave::data::digits());

  for (const auto& trial : result.trials)
    fmt::print("leaf {}: {:.3f} after {} epochs alone\n",
               result.tree[result.leaves[trial.candidate].node].path, trial.accuracy, trial.epochs);
  fmt::print("{} leaves, {} tried, chosen {}\n", result.leaves.size(), result.trials.size(),
             cleave::to_text<Space>(result.genotype()));
}
