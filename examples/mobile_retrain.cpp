// Trains the stand-alone network of a ProxylessNAS or Once-for-All architecture and tests it.
// `mobile_retrain --space ofa --architecture network.txt --data imagefolder:DIR` is the papers' recipe
// of 450 epochs: RMSprop, the mean of the weights, dropout, drop-connect, RandAugment, random erasing,
// label smoothing.

#include <cleave/data/rand_augment.hpp>
#include <cleave/data/random_erasing.hpp>
#include <cleave/engine/retrain.hpp>
#include <cleave/network/mobile_network.hpp>
#include <fstream>
#include <iterator>

#include "support/any_data.hpp"
#include "support/device_argument.hpp"
#include "support/mobile_shape.hpp"
#include "support/presets.hpp"
#include "support/retrain_program.hpp"

namespace {

using cleave::data::Augmented;
using cleave::data::RandAugment;
using cleave::data::RandomErasing;

struct Options {
  std::string settings;  ///< of the command line, as JSON
  std::string preset = "imagenet";
  std::string space = "ofa";
  std::string architecture;
  std::string data = "digits";
  std::size_t take = 0;
  std::int64_t size = 0;
  double width = 1.0;
  std::size_t epochs = 450;
  std::size_t batch = 256;
  double rate = 0.064;
  double averaging = 0.9999;
  double dropout = 0.2;
  double drop_connect = 0.2;
  double label_smoothing = 0.1;
  double magnitude = 9;
  double erasing = 0.2;
  std::uint64_t seed = 0;
  std::string device = "cpu";
  int threads = 0;
  std::string out = "cleave-run";
  bool quiet = false;
  example::ResumeOptions resume{};
};

const example::Presets<Options> presets{
    {"imagenet", [](Options&) {}},
    // For few small images: a step of a network that has seen 450 epochs may forget more slowly, and
    // augmentation that is made for photographs makes digits into other digits.
    {"small",
     [](Options& o) {
       o.width = 0.25;
       o.epochs = 20;
       o.batch = 64;
       o.rate = 0.004;
       o.averaging = 0.99;
       o.magnitude = 0;
     }},
};

/// The text itself, or that of the file it names, without the end of the line.
std::string text_of(const std::string& argument) {
  std::ifstream file(argument, std::ios::binary);
  std::string text = file ? std::string(std::istreambuf_iterator<char>(file), {}) : argument;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

template <class Space>
void run(const Options& o) {
  using Net = typename cleave::NetworkFor<Space>::type;
  using cleave::strategy::RmsProp;
  if (o.threads > 0) at::set_num_threads(o.threads);
  const auto architecture = cleave::parse<Space>(text_of(o.architecture));
  const auto device = example::device_of(o.device);
  auto set = example::load(o.data, o.take).at_size(o.size).to(device);

  // [recipe]
  typename Net::Config config{.dropout = o.dropout, .drop_connect = o.drop_connect};
  auto& shape = config.sizes.shape;
  shape.width = o.width;
  example::fit_strides(shape, static_cast<std::size_t>(set.shape().height));
  shape.image_channels = static_cast<std::size_t>(set.shape().channels);
  shape.classes = static_cast<std::size_t>(set.classes());
  config.sizes.device = device;
  auto recipe = cleave::network::RecipeWith<RmsProp>::mobile();
  recipe.optimiser.rate = {.first = o.rate, .factor = 0.97,
                           .falls = static_cast<double>(o.epochs) / 2.4};
  recipe.epochs = o.epochs;
  recipe.batch = o.batch;
  recipe.averaging = o.averaging;
  recipe.label_smoothing = o.label_smoothing;
  const RandAugment rand_augment{.operations = o.magnitude > 0 ? 2U : 0U, .magnitude = o.magnitude};
  const RandomErasing erasing{.probability = o.erasing};
  const auto normalisation = set.normalisation();
  if (o.magnitude > 0) set = set.without_jitter();
  const Augmented data(Augmented(set, rand_augment, normalisation), erasing, normalisation);
  // [recipe]
  const auto cost = cleave::space::cost(architecture, shape);
  fmt::print("{} parameters, {} multiply-adds per image\n", cost.params, cost.macs);

  auto settings = cleave::settings_of<Net>(architecture, config, recipe, o.seed, data);
  settings("rand_augment", rand_augment);
  settings("random_erasing", erasing);
  example::retrain_and_report<Net>("mobile_retrain", o, architecture, config, recipe, data, settings,
                                   "architecture", cost.macs);
}

void declare(example::CommandLine& line, Options& o) {
  const auto number = [&](const char* name, auto& value, double least, double most,
                          const char* help) {
    line.setting(name, value, help, example::between(least, most));
  };
  const auto count = [&](const char* name, auto& value, std::uint64_t least, const char* help) {
    line.setting(name, value, help, example::at_least(least));
  };
  line.setting("--preset", o.preset, "starting point; what else is given goes before it",
               example::one_of(example::names_of(presets)));
  line.setting("--space", o.space, "ofa or proxyless", example::one_of({"ofa", "proxyless"}));
  line.required("--architecture", o.architecture,
                "an architecture, or a file with its text, such as the network.txt of the "
                "searches");
  line.setting("--data", o.data, example::data_help);
  count("--take", o.take, 0, "use only so many train images (a stratified part); 0 = all");
  count("--size", o.size, 0, "shrink the images to so many pixels a side; 0 = as they are");
  number("--width", o.width, 0.05, 4, "multiplier of every channel count (Once-for-All's paper: 1.2)");
  count("--epochs", o.epochs, 1, "epochs; the rate falls by 3 % every 2.4 of them");
  count("--batch", o.batch, 2, "images per step");
  number("--rate", o.rate, 1e-9, 1e6, "RMSprop's first rate");
  number("--averaging", o.averaging, 0, 1, "memory of the mean weights that are tested; 0 = none");
  number("--dropout", o.dropout, 0, 1, "share of the classifier's features that a step leaves out");
  number("--drop-connect", o.drop_connect, 0, 1, "how often an image goes around the last block");
  number("--label-smoothing", o.label_smoothing, 0, 1, "share of the labels spread over all classes");
  number("--rand-augment", o.magnitude, 0, 10, "magnitude of RandAugment; 0 = none");
  number("--erasing", o.erasing, 0, 1, "probability of random erasing");
  example::declare_run(
      line, o, "run folder: retrained.json, retrained.network (the mean weights), events.jsonl");
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = example::read_options(
      argc, argv, "Trains the stand-alone network of a MobileNet architecture", presets, declare);
  return example::exit_code_of("mobile_retrain", options.out, [&] {
    if (options.space == "ofa")
      run<cleave::space::Ofa>(options);
    else
      run<cleave::space::Proxyless>(options);
  });
}
