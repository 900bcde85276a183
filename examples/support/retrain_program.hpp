#pragma once

#include <cleave/network/file.hpp>
#include <cleave/version.hpp>
#include <filesystem>
#include <string>

#include "program.hpp"
#include "resumable.hpp"

namespace example {

/// Trains a genotype's stand-alone network from fresh weights, tests it, and leaves retrained.json
/// and retrained.network in the run folder. `settings` are those of the run; `report` is what the
/// program itself has to say. Options: out, quiet, resume, seed.
template <class Net, class Recipe, class Options, class Data>
void retrain_and_report(const std::string& program, const Options& o,
                        const cleave::Genotype<typename Net::Space>& genotype,
                        const typename Net::Config& config, const Recipe& recipe, const Data& data,
                        const cleave::SettingsList& settings, nlohmann::json report) {
  RunDirectory directory(o.out);
  ProgressLine progress(o.quiet);
  check_resume(directory, o.resume, "retrained.json");
  ResumableRetraining<Net, decltype(recipe.optimiser)> retraining(
      {cleave::start_retraining<Net>(genotype, config, recipe,
                                     cleave::Stream(o.seed).fork("retrain"), "network")},
      settings, directory, o.resume);
  retraining.run(data, watched(directory, progress, "retrain"));
  const auto& record = *retraining.state().record;
  report.update({{"program", program},
                 {"cleave", cleave::version_text},
                 {"libtorch", TORCH_VERSION},
                 {"all_settings", settings.values()},
                 {"parameters", record.parameters},
                 {"seconds", retraining.state().stages.back().seconds},
                 {"test_accuracy", record.test_accuracy},
                 {"test_images", record.test_images}});
  cleave::network::save(directory.path() / "retrained.network", retraining.net());
  directory.write("retrained.json", report.dump(1) + "\n");
  forget_checkpoints(directory);
  fmt::print("{} epochs: test accuracy {:.2f} % on {} images, {} parameters\nresults: {}\n",
             recipe.epochs, 100 * record.test_accuracy, record.test_images, record.parameters,
             std::filesystem::absolute(directory.path()).string());
}

}  // namespace example
