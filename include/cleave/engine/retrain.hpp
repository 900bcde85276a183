#pragma once

#include <cleave/engine/stage_clock.hpp>
#include <cleave/network/training.hpp>
#include <string>
#include <vector>

namespace cleave {

/// What retraining gave.
struct RetrainRecord {
  double test_accuracy = 0;  ///< in [0, 1], on the whole test part, looked at once, at the end
  std::size_t parameters = 0;
  std::size_t test_images = 0;
};

/// Trains the genotype's stand-alone network from fresh weights on the whole train part and tests
/// it. The stages it records go to `stages`. Everything random comes from `stream`.
template <Network N, data::DataSet D>
[[nodiscard]] RetrainRecord retrain(const Genotype<typename N::Space>& genotype,
                                    const typename N::Config& config,
                                    const network::Recipe& recipe, const D& data, Stream stream,
                                    const RunControl& control, std::vector<StageRecord>& stages,
                                    const std::string& where) {
  N net(genotype, config, stream.fork("weights"));
  RetrainRecord record;
  record.parameters = static_cast<std::size_t>(net.arena().size());
  network::Training<N> training(std::move(net), recipe, stream.fork("training"), where);
  const auto images = network::all_images(data, data::Part::Train);
  const auto steps = data::EpochOrder::batches_in(images.size(), recipe.batch);
  StageClock clock(control, stages, Stage::Retraining, where, recipe.epochs * steps);
  training.train_until(recipe.epochs, data, images,
                       [&](std::size_t count) { clock.tick(count); });
  const auto tests = network::all_images(data, data::Part::Test);
  record.test_images = tests.size();
  record.test_accuracy = tests.empty() ? 0 : training.accuracy(data, data::Part::Test, tests);
  return record;
}

}  // namespace cleave
