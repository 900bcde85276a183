#pragma once

#include <cleave/network/file.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

#include "program.hpp"
#include "report.hpp"
#include "resumable.hpp"

namespace example {

/// Trains a genotype's stand-alone network from fresh weights, tests it, and leaves retrained.json
/// and retrained.network in the run folder. `settings` are those of the run; the report has the
/// genotype under `key`. Options: out, quiet, resume, seed, settings.
template <class Net, class Recipe, class Options, class Data>
void retrain_and_report(const std::string& program, const Options& o,
                        const cleave::Genotype<typename Net::Space>& genotype,
                        const typename Net::Config& config, const Recipe& recipe, const Data& data,
                        const cleave::SettingsList& settings, const std::string& key,
                        std::uint64_t multiply_adds) {
  RunDirectory directory(o.out);
  ProgressLine progress(o.quiet);
  check_resume(directory, o.resume, "retrained.json");
  ResumableRetraining<Net, decltype(recipe.optimiser)> retraining(
      {cleave::start_retraining<Net>(genotype, config, recipe,
                                     cleave::Stream(o.seed).fork("retrain"), "network")},
      settings, directory, o.resume);
  retraining.run(data, watched(directory, progress, "retrain"));
  const auto& record = *retraining.state().record;
  cleave::network::save(directory.path() / "retrained.network", retraining.net());
  write_retrained(directory, {program, o.settings, settings.values()}, key,
                  cleave::to_text<typename Net::Space>(genotype), multiply_adds, record,
                  retraining.state().stages.back().seconds);
  forget_checkpoints(directory);
  fmt::print("{} epochs: test accuracy {:.2f} % on {} images, {} parameters\nresults: {}\n",
             recipe.epochs, 100 * record.test_accuracy, record.test_images, record.parameters,
             std::filesystem::absolute(directory.path()).string());
}

}  // namespace example
