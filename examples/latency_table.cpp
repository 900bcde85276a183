// Measures every block of a MobileNet space on this machine and writes the latencies as JSON; then
// compares what the table predicts for random networks with what they take.

#include <cleave/network/latency_table_json.hpp>
#include <fstream>

#include <CLI/CLI.hpp>

#include "support/at_least.hpp"
#include "support/device_argument.hpp"
#include "support/program.hpp"

namespace {

struct Options {
  std::string space = "ofa";
  double width = 1.0;
  std::size_t image = 224;
  std::size_t classes = 1000;
  std::size_t batch = 1;
  std::size_t repeats = 30;
  std::size_t check = 20;
  std::string device = "cpu";
  int threads = 0;
  std::string out = "latency.json";
};

double whole(const cleave::space::MobileNetwork& network, const Options& o, at::Device device) {
  const cleave::network::MobileNet net(network, at::TensorOptions(device), cleave::Stream(1));
  const auto size = static_cast<std::int64_t>(network.image);
  const auto images = at::zeros({static_cast<std::int64_t>(o.batch), 3, size, size}).to(device);
  const at::NoGradGuard no_grad;
  std::vector<double> times;
  for (std::size_t r = 0; r < o.repeats + 1; ++r) {
    const auto before = std::chrono::steady_clock::now();
    (void)net.forward(images, false);
    if (device.is_cuda()) torch::cuda::synchronize();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - before;
    if (r > 0) times.push_back(took.count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                   times.end());
  return times[times.size() / 2];
}

template <class Space, class Shape>
void work(const Options& o, const Shape& shape) {
  const auto device = example::device_of(o.device);
  cleave::network::LatencyTable table{
      .device = o.device,
      .threads = static_cast<std::size_t>(at::get_num_threads()),
      .batch = o.batch};
  for (const auto& network : cleave::network::covering(shape))
    table.measure(network, o.repeats, device);
  std::ofstream file(o.out);
  file << table.to_json().dump(1) << '\n';
  file.close();
  if (!file) throw cleave::IoError(fmt::format("{}: cannot write it", o.out));
  std::ifstream back(o.out);
  const auto read = cleave::network::LatencyTable::from_json_text(
      std::string(std::istreambuf_iterator<char>(back), {}));
  cleave::Stream stream(7);
  double worst = 0;
  for (std::size_t i = 0; i < o.check; ++i) {
    const auto network =
        cleave::space::network(cleave::Restriction<Space>().sample(stream), shape);
    const double predicted = read.predict(network);
    const double measured = whole(network, o, device);
    worst = std::max(worst, std::abs(predicted / measured - 1));
    fmt::print("predicted {:8.2f} ms, measured {:8.2f} ms, {:+.1f} %\n", predicted, measured,
               100 * (predicted / measured - 1));
  }
  fmt::print("{} parts in {}; of {} random networks the worst is {:.1f} % off\n",
             read.milliseconds.size(), o.out, o.check, 100 * worst);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"Measures the latency of every block of a MobileNet space on this machine"};
  app.add_option("--space", o.space, "ofa or proxyless")
      ->check(CLI::IsMember({"ofa", "proxyless"}))
      ->capture_default_str();
  app.add_option("--width", o.width, "multiplier of every channel count")->capture_default_str();
  app.add_option("--image", o.image, "height and width of an image")->capture_default_str();
  app.add_option("--classes", o.classes, "number of classes")->capture_default_str();
  app.add_option("--batch", o.batch, "images at once")->check(example::at_least(1))->capture_default_str();
  app.add_option("--repeats", o.repeats, "runs, of which the median counts")
      ->check(example::at_least(1))
      ->capture_default_str();
  app.add_option("--check", o.check, "random networks to compare with")->capture_default_str();
  app.add_option("--device", o.device, "cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--threads", o.threads, "0 = one per core")->check(CLI::Range(0, 1024))->capture_default_str();
  app.add_option("--out", o.out, "the table, JSON")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return example::exit_code_of("latency_table", o.out, [&] {
    if (o.threads > 0) at::set_num_threads(o.threads);
    if (o.space == "ofa")
      work<cleave::space::Ofa>(
          o, cleave::space::OfaShape{.width = o.width, .image = o.image, .classes = o.classes});
    else
      work<cleave::space::Proxyless>(
          o, cleave::space::ProxylessShape{.width = o.width, .image = o.image, .classes = o.classes});
  });
}
