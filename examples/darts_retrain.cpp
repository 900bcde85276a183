// Trains the stand-alone network of a DARTS genotype and tests it: `darts_retrain --genotype
// genotype.txt --data cifar10:DIR` is the papers' recipe of 600 epochs.

#include <cleave/engine/retrain.hpp>
#include <cleave/network/darts.hpp>
#include <cleave/space/darts_cost.hpp>
#include <fstream>
#include <iterator>
#include <vector>

#include "support/any_data.hpp"
#include "support/command_line.hpp"
#include "support/device_argument.hpp"
#include "support/retrain_program.hpp"

namespace {

struct Options {
  std::string settings;  ///< of the command line, as JSON
  std::string genotype;
  std::string data = "digits";
  std::size_t take = 0;
  std::size_t epochs = 600;
  std::size_t batch = 96;
  std::int64_t channels = 36;
  std::int64_t cells = 20;
  double drop_path = 0.2;
  double auxiliary = 0.4;
  int cutout = 16;
  std::uint64_t seed = 0;
  std::string device = "cpu";
  int threads = 0;
  std::string out = "cleave-run";
  bool quiet = false;
  example::ResumeOptions resume{};
};

/// The text itself, or that of the file it names.
cleave::space::DartsGenotype genotype_of(const std::string& text) {
  if (text.starts_with("Genotype(")) return cleave::space::parse_darts_genotype(text);
  std::ifstream file(text, std::ios::binary);
  if (!file)
    throw cleave::IoError(fmt::format("--genotype {}: neither a genotype nor a file that can be "
                                      "read", text));
  return cleave::space::parse_darts_genotype(std::string(std::istreambuf_iterator<char>(file), {}));
}

void run(const Options& o) {
  if (o.threads > 0) at::set_num_threads(o.threads);
  const auto genotype = genotype_of(o.genotype);
  const auto device = example::device_of(o.device);
  const auto data = example::load(o.data, o.take).to(device).with_cutout(o.cutout);

  // [network]
  const cleave::network::DartsConfig config{
      .sizes = {.channels = o.channels,
                .cells = o.cells,
                .image_channels = data.shape().channels,
                .classes = data.classes(),
                .device = device},
      .drop_path = o.drop_path,
      .auxiliary_weight = o.auxiliary};
  auto recipe = cleave::network::Recipe::darts();
  recipe.epochs = o.epochs;
  recipe.batch = o.batch;
  // [network]
  const auto cost = cleave::space::cost(
      genotype, {.channels = static_cast<std::size_t>(o.channels),
                 .cells = static_cast<std::size_t>(o.cells),
                 .image = static_cast<std::size_t>(data.shape().height),
                 .classes = static_cast<std::size_t>(data.classes()),
                 .image_channels = static_cast<std::size_t>(data.shape().channels)});
  fmt::print("{} parameters ({} with the auxiliary head), {} multiply-adds per image\n",
             cost.network.params, cost.params_with_auxiliary, cost.network.macs);

  using Net = cleave::network::Darts;
  auto settings = cleave::settings_of<Net>(genotype, config, recipe, o.seed, data);
  settings("cutout", o.cutout);
  example::retrain_and_report<Net>("darts_retrain", o, genotype, config, recipe, data, settings,
                                   "genotype", cost.network.macs);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  example::CommandLine line(
      "Trains the stand-alone network of a DARTS genotype from fresh weights and tests it. "
      "The defaults are the papers' recipe for CIFAR-10: 36 channels, 20 cells, 600 epochs");
  const auto size = [&](const char* name, auto& value, std::int64_t least, const char* help) {
    line.setting(name, value, help, example::between(least, std::int64_t{1} << 20));
  };
  line.required("--genotype", o.genotype,
                "Genotype(normal=[...], ...), or a file with that text, such as the genotype.txt "
                "of darts_search");
  line.setting("--data", o.data, example::data_help);
  size("--take", o.take, 0, "use only so many train images (a stratified part); 0 = all");
  size("--epochs", o.epochs, 1, "epochs; learning rate and drop-path run over them");
  size("--batch", o.batch, 2, "images per step");
  size("--channels", o.channels, 2, "channels of the first cells");
  size("--cells", o.cells, 1, "cells");
  line.setting("--drop-path", o.drop_path, "drop-path probability at the end of training");
  line.setting("--auxiliary", o.auxiliary, "weight of the auxiliary head; 0: none");
  size("--cutout", o.cutout, 0, "side of the cutout; 0: none (digits of 8 x 8 pixels want 0)");
  example::declare_run(
      line, o, "run folder: retrained.json, retrained.network (the weights), events.jsonl");
  line.parse(argc, argv);
  o.settings = line.json();
  return example::exit_code_of("darts_retrain", o.out, [&] { run(o); });
}
