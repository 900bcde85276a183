// Measures every block of a MobileNet space on this machine and writes the latencies as JSON, for
// `ofa_search --latency-table` and `proxyless_search --latency-table`; then compares what the table
// predicts for random networks with what they took in the same rounds of measuring.

#include <cleave/network/latency_table_json.hpp>
#include <vector>

#include "support/command_line.hpp"
#include "support/device_argument.hpp"
#include "support/mobile_shape.hpp"
#include "support/program.hpp"

namespace {

struct Options {
  std::string space = "ofa";
  double width = 1.0;
  std::vector<std::size_t> images{224};
  std::size_t channels = 3;
  std::size_t classes = 1000;
  std::size_t batch = 1;
  std::size_t rounds = 20;
  std::size_t check = 20;
  double within = 0;  ///< percent; 0: whatever comes
  std::uint64_t seed = 7;
  std::string device = "cpu";
  int threads = 0;
  std::string out = "latency.json";
};

template <class Space, class Shape>
void work(const Options& o, Shape shape) {
  const cleave::network::LatencyMeasurement measure{
      .batch = o.batch, .rounds = o.rounds, .device = example::device_of(o.device)};
  cleave::network::LatencyTable table{
      .device = o.device,
      .threads = static_cast<std::size_t>(at::get_num_threads()),
      .batch = o.batch};
  shape.image_channels = o.channels;
  cleave::Stream stream(o.seed);
  std::vector<cleave::space::MobileNetwork> networks;
  std::vector<double> measured;
  for (std::size_t i = 0; i < o.images.size(); ++i) {
    example::fit_strides(shape, o.images[i]);
    std::vector<cleave::space::MobileNetwork> some;  // random ones, an equal share of every size
    while (some.size() < o.check * (i + 1) / o.images.size() - networks.size())
      some.push_back(
          cleave::space::network(cleave::Restriction<Space>().sample(stream), shape));
    const auto took =
        cleave::network::add_latencies(table, cleave::network::covering(shape), measure, some);
    networks.insert(networks.end(), some.begin(), some.end());
    measured.insert(measured.end(), took.begin(), took.end());
  }
  cleave::network::write_latency_table(o.out, table);
  const auto read = cleave::network::read_latency_table(o.out);
  fmt::print("{} parts in {}, {} thread(s), batch {}\n", read.milliseconds.size(), o.out,
             read.threads, read.batch);
  if (o.check == 0) return;

  double worst = 0;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const double predicted = read.predict(networks[i]);
    const double error = 100 * (predicted / measured[i] - 1);
    worst = std::max(worst, std::abs(error));
    fmt::print("image {:3}: predicted {:8.2f} ms, measured {:8.2f} ms, {:+.1f} %\n",
               networks[i].image, predicted, measured[i], error);
  }
  fmt::print("of {} random networks the worst is {:.1f} % off\n", o.check, worst);
  if (o.within > 0 && worst > o.within)
    throw cleave::NumericalError(fmt::format(
        "a prediction is {:.1f} % off, {} % were allowed; was the machine busy?", worst, o.within));
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  example::CommandLine line("Measures the latency of every block of a MobileNet space on this machine");
  line.setting("--space", o.space, "ofa or proxyless", example::one_of({"ofa", "proxyless"}));
  line.setting("--width", o.width, "multiplier of every channel count");
  line.setting("--image", o.images, "heights and widths of images, one or more",
               example::between(1, 4096));
  line.setting("--channels", o.channels, "channels of an image", example::at_least(1));
  line.setting("--classes", o.classes, "number of classes", example::at_least(1));
  line.setting("--batch", o.batch, "images at once", example::at_least(1));
  line.setting("--rounds", o.rounds, "rounds through all networks; the fastest tenth counts",
               example::at_least(1));
  line.option("--check", o.check, "random networks to compare with", example::at_least(0));
  line.option("--within", o.within,
              "fail when a prediction is off by more than so many percent; 0 = never",
              example::between(0.0, 1e6));
  line.setting("--seed", o.seed, "seed of the random networks", example::at_least(0));
  line.setting("--device", o.device, "cpu, cuda or cuda:N");
  line.option("--threads", o.threads, "0 = one per core", example::between(0, 1024));
  line.option("--out", o.out, "the table, JSON");
  line.parse(argc, argv);
  return example::exit_code_of("latency_table", o.out, [&] {
    if (o.threads > 0) at::set_num_threads(o.threads);
    if (o.space == "ofa")
      work<cleave::space::Ofa>(
          o, cleave::space::OfaShape{.width = o.width, .classes = o.classes});
    else
      work<cleave::space::Proxyless>(
          o, cleave::space::ProxylessShape{.width = o.width, .classes = o.classes});
  });
}
