#pragma once

#include <cleave/engine/stage_clock.hpp>
#include <cleave/network/training.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

/// A genotype's stand-alone network before the first step of its retraining. Everything random
/// comes from `stream`; `where` names it in messages.
template <Network N, class Optimiser = strategy::Sgd>
[[nodiscard]] network::Training<N, Optimiser> start_retraining(
    const Genotype<typename N::Space>& genotype, const typename N::Config& config,
    const network::RecipeWith<Optimiser>& recipe, Stream stream, std::string where) {
  return {N(genotype, config, stream.fork("weights")), recipe, stream.fork("training"),
          std::move(where)};
}

/// Takes a retraining to its end, on the whole train part, and tests the network. What was done
/// before is not done again: a stopped retraining goes on. The stage is recorded in `stages`.
template <Network N, class Optimiser, data::DataSet D>
[[nodiscard]] RetrainRecord finish_retraining(network::Training<N, Optimiser>& training,
                                              const D& data, const RunControl& control,
                                              std::vector<StageRecord>& stages,
                                              const std::string& where) {
  const auto images = network::all_images(data, data::Part::Train);
  const auto steps = data::EpochOrder::batches_in(images.size(), training.recipe().batch);
  StageClock clock(control, stages, Stage::Retraining, where, training.recipe().epochs * steps,
                   training.steps_done(steps));
  training.train_until(training.recipe().epochs, data, images,
                       [&](std::size_t count) { clock.tick(count); });
  RetrainRecord record;
  record.parameters = network::parameters(training.net());
  const auto tests = network::all_images(data, data::Part::Test);
  record.test_images = tests.size();
  record.test_accuracy = tests.empty() ? 0 : training.accuracy(data, data::Part::Test, tests);
  return record;
}

/// A retraining without a search, between two steps. A checkpoint writes this value.
template <Network N, class Optimiser = strategy::Sgd>
struct RetrainRun {
  network::Training<N, Optimiser> training;
  std::vector<StageRecord> stages{};
  std::optional<RetrainRecord> record{};  ///< once it is complete

  template <class F>
  void fields(F&& field) {
    field("training", training);
    field("stages", stages);
    field("record", record);
  }

  /// Goes on to the end.
  template <data::DataSet D>
  void finish(const D& data, const RunControl& control, const std::string& where) {
    if (!record) record = finish_retraining(training, data, control, stages, where);
  }
};

/// Both, for an architecture from anywhere.
template <Network N, data::DataSet D, class Optimiser = strategy::Sgd>
[[nodiscard]] RetrainRecord retrain(const Genotype<typename N::Space>& genotype,
                                    const typename N::Config& config,
                                    const network::RecipeWith<Optimiser>& recipe, const D& data,
                                    Stream stream,
                                    const RunControl& control, std::vector<StageRecord>& stages,
                                    const std::string& where) {
  auto training = start_retraining<N>(genotype, config, recipe, stream, where);
  return finish_retraining(training, data, control, stages, where);
}

}  // namespace cleave
