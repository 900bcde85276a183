#pragma once

#include <cleave/data/digits.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <functional>

#include "scenes.hpp"

namespace scenes {

using Trained = supernet::NasBench201<supernet::Fused>;

/// A split criterion that hands out the trained supernet's scene and ends the search.
struct HandOut {
  static constexpr std::string_view name = "hand out";
  std::function<void(const SplitScene<Trained>&)> take;

  SplitOutcome operator()(const SplitScene<Trained>& scene) const {
    take(scene);
    throw Interrupted("the benchmark has what it needs");
  }
};

/// Trains the digits supernet for some epochs and calls `take` with what a criterion would see.
template <class Strategy>
void with_trained(std::size_t epochs, const data::InMemory& data,
                  const std::function<void(const SplitScene<Trained>&)>& take,
                  std::uint64_t seed = 0) {
  using Search = FewShotSearch<Space, Strategy, HandOut>;
  typename Search::Settings settings;
  settings.supernet = digits.config();
  settings.network = settings.supernet;
  settings.seed = seed;
  settings.schedule = {.splits = {{epochs, 2}}, .final_epochs = 1};
  try {
    (void)Search(settings, {}, HandOut{take}).run(data);
  } catch (const Interrupted&) {
  }
}

/// The same weights in a supernet that computes in another way.
template <class Mixer>
supernet::NasBench201<Mixer> in_another_way(const Trained& net) {
  supernet::NasBench201<Mixer> other(net.restriction(), digits.config(), Stream(1));
  const at::NoGradGuard no_grad;
  at::Tensor(other.arena().values()).copy_(net.arena().values());
  return other;
}

}  // namespace scenes
