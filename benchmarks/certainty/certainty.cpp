// Does gradient matching that stops when certain split as 100 fixed repeats do, and what does it
// save? Trains the digits supernet for every seed, scores it with both rules from the same stream,
// and prints one line a seed: `certainty FIRST LAST [EPOCHS]`.

#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cstdlib>
#include <memory>

namespace {

using Space = cleave::space::NasBench201;
template <class Repeat>
using Matching = cleave::split::GradientMatching<cleave::score::Cosine, cleave::graph::ExactBalanced,
                                                 cleave::split::LowestNormalisedCut, Repeat>;

/// Splits as 100 fixed repeats say, and notes what the other rule would have said.
struct Both {
  static constexpr std::string_view name = "both";
  std::shared_ptr<cleave::SplitOutcome> fixed = std::make_shared<cleave::SplitOutcome>();
  std::shared_ptr<cleave::SplitOutcome> certain = std::make_shared<cleave::SplitOutcome>();

  template <class Net>
  cleave::SplitOutcome operator()(const cleave::SplitScene<Net>& scene) const {
    *certain = Matching<cleave::split::UntilCertain>{}(scene);
    scene.memory().clear();  // the same stream from the start
    *fixed = Matching<cleave::split::FixedRepeats>{}(scene);
    return *fixed;
  }
};

}  // namespace

int main(int count, char** arguments) {
  const auto number = [&](int i, std::uint64_t otherwise) {
    return count > i ? std::strtoull(arguments[i], nullptr, 10) : otherwise;
  };
  const auto data = cleave::data::digits();
  std::size_t same = 0;
  std::size_t seeds = 0;
  double passes = 0;
  for (auto seed = number(1, 0); seed < number(2, 20); ++seed) {
    using Search = cleave::FewShotSearch<Space, cleave::strategy::Darts<>, Both>;
    Search::Settings settings;
    settings.supernet = {.channels = 16, .cells = 1, .image_channels = 1};
    settings.network = settings.supernet;
    settings.seed = seed;
    settings.schedule = {.splits = {{number(3, 15), 2}}, .final_epochs = 1};
    const Both both;
    bool scored = false;
    cleave::SearchResult<Space> result;
    const cleave::RunControl control{
        .observe =
            [&](const cleave::Progress& p) {
              scored |= p.stage == cleave::Stage::Scoring && p.kind == cleave::Progress::Kind::Ended;
            },
        .stop_requested = [&] { return scored; }};
    try {
      Search(settings, {}, both).run(data, control, result);
    } catch (const cleave::Interrupted&) {
    }
    const bool agree = both.certain->split == both.fixed->split;
    const double share = static_cast<double>(both.certain->passes) /
                         static_cast<double>(both.fixed->passes);
    fmt::print("seed {}: {} after {} repeats, {:.1f} % of the passes\n", seed,
               agree ? "same" : "another split", both.certain->repeats, 100 * share);
    std::fflush(stdout);
    same += agree;
    passes += share;
    ++seeds;
  }
  fmt::print("{} of {} seeds the same, {:.1f} % of the passes\n", same, seeds,
             100 * passes / static_cast<double>(seeds));
}
