// What is read into LibTorch's world: the first byte picks the reader, the rest is its input, as it
// stands behind a checksum that a forger has made right. A reader must throw one of the library's
// errors or give something that can be used: a run that goes on for a few steps, a network that
// answers. Anything else that is thrown is a finding. Capital letters take a good value made here,
// so that no change of the format makes the corpus worthless, and the input says what to change in
// it: which value, then place (2 bytes) and new byte, again and again.

#include <cleave/data/digits.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/file.hpp>
#include <cleave/network/latency_table_json.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/testing/toy_chain.hpp>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace {

using namespace cleave;
using Space = testing::ToyPath;
using Net = NetworkFor<Space>::type;
using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced,
                                         split::LowestNormalisedCut, split::FixedRepeats>;
using Search = FewShotSearch<Space, strategy::Darts<strategy::FirstOrder>, Matching>;
using Input = std::span<const std::byte>;

const data::InMemory& digits() {
  static const auto data = [] {
    at::set_num_threads(1);
    return data::digits().take(40, 10);
  }();
  return data;
}

const Search& search() {
  static const Search search = [] {
    Search::Settings settings;
    settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1, .restart = Restart::None};
    settings.supernet.channels = settings.network.channels = 2;
    settings.batch = 8;
    settings.trial.batch = settings.retraining.batch = 16;
    settings.retraining.epochs = 1;
    return Search(settings, {}, {.repeats = {.count = 2}}, {.rungs = {1, 2}});
  }();
  return search;
}

/// Runs as they are saved, from the first step to the last.
std::vector<std::vector<std::byte>> good_runs() {
  std::vector<std::vector<std::byte>> saved;
  auto state = search().start();
  for (std::size_t stop = 1;; stop += 2) {
    std::size_t ticks = 0;
    const RunControl some{.stop_requested = [&] { return ++ticks == stop; }};
    bool complete = false;
    try {
      search().run(digits(), some, state);
      search().retrain(digits(), some, state);
      complete = true;
    } catch (const Interrupted&) {
    }
    archive::Writer writer;
    write_run(writer, state);
    saved.emplace_back(writer.buffer().begin(), writer.buffer().end());
    if (complete) return saved;
  }
}

RetrainRun<Net> fresh_retraining() {
  return {start_retraining<Net>(Architecture<Space>(), {.channels = 2}, {.epochs = 1, .batch = 16},
                                Stream(1), "network")};
}

std::vector<std::vector<std::byte>> good_retrainings() {
  auto run = fresh_retraining();
  archive::Writer writer;
  archive::Codec<RetrainRun<Net>>::write(writer, run);
  return {{writer.buffer().begin(), writer.buffer().end()}};
}

struct Good {
  std::vector<std::vector<std::byte>> runs = good_runs();
  std::vector<std::vector<std::byte>> retrainings = good_retrainings();
};
const Good& good() {
  static const Good made;
  return made;
}

/// One of the good values with the changes that the input asks for.
std::vector<std::byte> changed(const std::vector<std::vector<std::byte>>& good, Input input) {
  if (input.empty()) return good.front();
  auto bytes = good[static_cast<std::size_t>(input[0]) % good.size()];
  for (auto edits = input.subspan(1); edits.size() >= 3; edits = edits.subspan(3)) {
    const auto place =
        256 * static_cast<std::size_t>(edits[0]) + static_cast<std::size_t>(edits[1]);
    bytes[place % bytes.size()] = edits[2];
  }
  return bytes;
}

/// A few steps of whatever comes next, and the report on it.
void checkpoint(Input input) {
  archive::Reader reader(input, "fuzz");
  auto state = read_run(reader, search().plan());
  std::size_t ticks = 0;
  const RunControl few{.stop_requested = [&] { return ++ticks == 4; }};
  try {
    search().run(digits(), few, state);
    search().retrain(digits(), few, state);
  } catch (const Error&) {
  }
  (void)report::to_json(state.result)
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  archive::Writer writer;
  write_run(writer, state);
}

void retraining(Input input) {
  archive::Reader reader(input, "fuzz");
  auto run = fresh_retraining();
  archive::Codec<RetrainRun<Net>>::read(reader, run);
  std::size_t ticks = 0;
  run.finish(digits(), {.stop_requested = [&] { return ++ticks == 2; }}, "network");
}

void network_file(Input input) {
  archive::Reader reader(input, "fuzz");
  const auto net = network::read<Net>(reader, {.channels = 2});
  const at::NoGradGuard no_grad;
  if (net.forward(at::zeros({1, 1, 8, 8}), false).numel() == 0) std::abort();
}

void latencies(std::string_view text) {
  const auto table = network::latency_table_from_json_text(text);
  const auto again = network::latency_table_from_json_text(network::to_json(table).dump());
  if (again.milliseconds != table.milliseconds || again.threads != table.threads) std::abort();
}

}  // namespace

/// A second of work that no input is to be blamed for.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  (void)good();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto input = std::as_bytes(std::span(data + 1, size - 1));
  try {
    switch (data[0]) {
      case 'C':
        checkpoint(changed(good().runs, input));
        break;
      case 'R':
        retraining(changed(good().retrainings, input));
        break;
      case 'r':
        retraining(input);
        break;
      case 'n':
        network_file(input);
        break;
      case 'l':
        latencies({reinterpret_cast<const char*>(data + 1), size - 1});
        break;
      default:
        checkpoint(input);
        break;
    }
  } catch (const Error&) {
  }
  return 0;
}
