// What keeping numbers as bfloat16 changes. The digits supernet, trained in float32, is split by
// gradient matching as it is and as bfloat16, with the same contexts and batches; and whole one-shot
// searches are run in float32, as bfloat16, and, for what rounding alone does, in float32 by plain
// operations: `benchmark_precision [FIRST LAST EPOCHS REPEATS]`, a line a seed.
// docs/performance.md holds figures and the command.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <cleave/split/exhaustive.hpp>

#include "../supernet_step/trained.hpp"

namespace {

using namespace scenes;
using supernet::FusedBFloat16;
using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                         split::LowestNormalisedCut, split::FixedRepeats>;

template <class Mixer>
SplitOutcome decide(const SplitScene<Trained>& scene, std::size_t repeats) {
  auto net = in_another_way<Mixer>(scene.net());
  SplitMemory memory;
  const SplitScene<decltype(net)> same(
      net, scene.open(), scene.groups(),
      {[&](Stream stream) { return scene.context(stream); },
       [&](Stream stream) { return scene.batch(stream); }},
      memory, scene.stream());
  return Matching{.repeats = {repeats}}(same);
}

struct Comparison {
  double largest = 0;   ///< difference of two cosines
  double spread = 0;    ///< of float32's cosines: how far apart the largest and the least are
  int decisions = 0;
  int partitions = 0;   ///< decisions with the same best partition
  bool edge = false;    ///< the same chosen edge
};

Comparison compare(const SplitOutcome& a, const SplitOutcome& b) {
  Comparison result;
  result.edge = a.split.decision == b.split.decision;
  for (std::size_t d = 0; d < a.evidence.size(); ++d) {
    const auto& x = a.evidence[d];
    const auto& y = b.evidence[d];
    ++result.decisions;
    result.partitions += x.groups == y.groups ? 1 : 0;
    double least = 1;
    double most = -1;
    for (Eigen::Index i = 0; i < x.similarity.rows(); ++i)
      for (Eigen::Index j = 0; j < i; ++j) {
        result.largest = std::max(result.largest, std::abs(x.similarity(i, j) - y.similarity(i, j)));
        least = std::min(least, x.similarity(i, j));
        most = std::max(most, x.similarity(i, j));
      }
    result.spread = std::max(result.spread, most - least);
  }
  return result;
}

struct Searched {
  Architecture<Space> architecture;
  double accuracy;  ///< of the supernet, on validation images
};

template <class Mixer>
Searched search(std::uint64_t seed, std::size_t epochs, const data::InMemory& data) {
  using Search = FewShotSearch<Space, strategy::Darts<strategy::FirstOrder>, split::Exhaustive,
                               select::SuccessiveHalving, supernet::NasBench201<Mixer>>;
  typename Search::Settings settings;
  settings.supernet = digits.config();
  settings.network = settings.supernet;
  settings.schedule = {.final_epochs = epochs};
  settings.seed = seed;
  const auto result = Search(settings, {.alpha = {.rate = 3e-3}}).run(data);
  return {result.genotype(), result.leaves.at(0).supernet_accuracy};
}

int edges_apart(const Searched& a, const Searched& b) {
  int apart = 0;
  for (std::size_t d = 0; d < Space::decision_count; ++d)
    apart += a.architecture[DecisionId(d)] == b.architecture[DecisionId(d)] ? 0 : 1;
  return apart;
}

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int i, std::size_t otherwise) {
    return count > i ? std::strtoull(arguments[i], nullptr, 10) : otherwise;
  };
  const auto data = data::digits();
  const auto epochs = number(3, 15);
  for (auto seed = number(1, 0); seed < number(2, 10); ++seed) {
    Comparison split;
    with_trained<strategy::Darts<strategy::FirstOrder>>(
        epochs, data,
        [&](const SplitScene<Trained>& scene) {
          const auto repeats = number(4, 20);
          split = compare(decide<supernet::Fused>(scene, repeats),
                          decide<FusedBFloat16>(scene, repeats));
        },
        seed);
    const auto single = search<supernet::Fused>(seed, epochs, data);
    const auto half = search<FusedBFloat16>(seed, epochs, data);
    const auto plain = search<supernet::Composed>(seed, epochs, data);
    fmt::print("seed {}: cosines differ by {:.4f} at most, spread {:.3f}; same partition {} of {}, "
               "edge {}; derived edges apart: bfloat16 {}, plain float32 {}; accuracies {:.3f} "
               "{:.3f} {:.3f}\n",
               seed, split.largest, split.spread, split.partitions, split.decisions,
               split.edge ? "same" : "another", edges_apart(single, half),
               edges_apart(single, plain), single.accuracy, half.accuracy, plain.accuracy);
    std::fflush(stdout);
  }
}
