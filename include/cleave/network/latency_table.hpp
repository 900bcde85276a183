#pragma once

#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cleave/network/mobile_network.hpp>
#include <cstddef>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cleave::network {

/// What a part of a MobileNet is called in a latency table: everything its time depends on. The
/// first is the first convolution, the last the head, in between the blocks.
[[nodiscard]] inline std::vector<std::string> latency_parts(const space::MobileNetwork& network) {
  std::size_t size = (network.image + network.first_stride - 1) / network.first_stride;
  std::vector<std::string> parts{fmt::format("first {}>{} s{} @{}", network.image_channels,
                                             network.first_conv_out, network.first_stride,
                                             network.image)};
  for (const auto& block : network.blocks) {
    parts.push_back(fmt::format("block {}>{} k{} s{} m{} e{}{}{} {} @{}", block.in, block.out,
                                block.kernel, block.stride, block.mid, block.expand == 1 ? 0 : 1,
                                block.squeeze ? " squeeze" : "", block.shortcut ? " shortcut" : "",
                                space::name_of(block.activation), size));
    size = (size + block.stride - 1) / block.stride;
  }
  parts.push_back(fmt::format("head {}>{}>{}>{} {} @{}", network.blocks.back().out,
                              network.final_expand, network.feature_mix_out, network.classes,
                              network.mix_after_pooling ? "late" : "early", size));
  return parts;
}

/// Milliseconds of every part of the MobileNets of a space, measured on one machine with one number
/// of threads and one batch size; a network takes the sum of its parts. Measured by
/// `add_latencies`, kept in files by network/latency_table_json.hpp.
struct LatencyTable {
  std::string device = "cpu";
  std::size_t threads = 1;
  std::size_t batch = 1;
  std::map<std::string, double> milliseconds{};

  /// Throws `ValueError` naming a part that was not measured.
  [[nodiscard]] double predict(const space::MobileNetwork& network) const {
    double sum = 0;
    for (const auto& part : latency_parts(network)) {
      const auto found = milliseconds.find(part);
      if (found == milliseconds.end())
        throw ValueError(
            fmt::format("latency table: it has no '{}'; measure it with this space, "
                        "width, image size and number of channels and classes",
                        part));
      sum += found->second;
    }
    return sum;
  }
};

/// How latencies are measured: in every round all networks run one after the other, each once
/// unseen and then `passes` times, so a machine that is slower for some seconds is so for a few
/// passes of every network, not for all passes of one. What counts is the mean over the fastest
/// tenth of a network's passes: disturbances only ever slow it down, and unlike medians of parts,
/// means add up.
struct LatencyMeasurement {
  std::size_t batch = 1;
  std::size_t rounds = 20;
  std::size_t passes = 2;
  at::Device device = at::kCPU;

  /// Milliseconds.
  struct Result {
    std::vector<std::vector<double>> parts;  ///< [network][part], parts as `latency_parts` has them
    std::vector<double> whole;               ///< of each network that was measured as a whole
  };

  /// Evaluation of random images, weights and images in channels-last order. Throws `ValueError`
  /// for 0 rounds, passes or images.
  [[nodiscard]] Result operator()(std::span<const space::MobileNetwork> in_parts,
                                  std::span<const space::MobileNetwork> whole = {}) const {
    if (rounds == 0 || passes == 0 || batch == 0)
      throw ValueError(
          fmt::format("latency measurement: {} rounds of {} passes of {} images, at "
                      "least 1 each is needed",
                      rounds, passes, batch));
    const at::NoGradGuard no_grad;
    std::vector<MobileNet> nets;
    for (const auto& list : {in_parts, whole})
      for (const auto& network : list)
        nets.emplace_back(network, at::TensorOptions(device).dtype(at::kFloat), Stream(1));
    std::vector<std::vector<std::vector<double>>> times(nets.size());  // [network][pass][part]
    for (std::size_t round = 0; round < rounds; ++round)
      for (std::size_t n = 0; n < nets.size(); ++n) {
        const auto images = images_for(nets[n].description());
        for (std::size_t pass = 0; pass < 1 + passes; ++pass) {
          std::vector<double> took;
          auto before = std::chrono::steady_clock::now();
          const auto ended = [&] {
            if (device.is_cuda()) torch::cuda::synchronize();
            const auto now = std::chrono::steady_clock::now();
            took.push_back(std::chrono::duration<double, std::milli>(now - before).count());
            before = now;
          };
          if (n < in_parts.size()) {
            (void)nets[n].forward_in_parts(images, ended);
          } else {
            (void)nets[n].forward(images, false);
            ended();
          }
          if (pass > 0) times[n].push_back(took);  // the first finds memory and caches
        }
      }
    Result result;
    for (std::size_t n = 0; n < nets.size(); ++n) {
      auto means = mean_of_fastest(times[n]);
      if (n < in_parts.size())
        result.parts.push_back(std::move(means));
      else
        result.whole.push_back(means.front());
    }
    return result;
  }

 private:
  /// runs: [pass][part] -> [part].
  static std::vector<double> mean_of_fastest(std::vector<std::vector<double>>& runs) {
    const auto total = [](const std::vector<double>& run) {
      return std::accumulate(run.begin(), run.end(), 0.0);
    };
    std::sort(runs.begin(), runs.end(),
              [&](const auto& a, const auto& b) { return total(a) < total(b); });
    runs.resize((runs.size() + 9) / 10);
    std::vector<double> mean(runs.front().size());
    for (const auto& run : runs)
      for (std::size_t i = 0; i < mean.size(); ++i)
        mean[i] += run[i] / static_cast<double>(runs.size());
    return mean;
  }
  [[nodiscard]] at::Tensor images_for(const space::MobileNetwork& network) const {
    const auto size = static_cast<std::int64_t>(network.image);
    return at::rand({static_cast<std::int64_t>(batch),
                     static_cast<std::int64_t>(network.image_channels), size, size})
        .to(device)
        .contiguous(at::MemoryFormat::ChannelsLast);
  }
};

/// Adds the parts of these networks that the table does not know yet; a part that comes up several
/// times takes the mean. Returns the milliseconds of `whole`, networks that are measured in the
/// same rounds, to compare with what the table predicts.
inline std::vector<double> add_latencies(LatencyTable& table,
                                         std::span<const space::MobileNetwork> networks,
                                         const LatencyMeasurement& measure,
                                         std::span<const space::MobileNetwork> whole = {}) {
  const auto found = measure(networks, whole);
  std::map<std::string, std::pair<double, double>> sums;  // milliseconds, how often
  for (std::size_t n = 0; n < networks.size(); ++n) {
    const auto parts = latency_parts(networks[n]);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      sums[parts[i]].first += found.parts[n][i];
      sums[parts[i]].second += 1;
    }
  }
  for (const auto& [part, sum] : sums) table.milliseconds.emplace(part, sum.first / sum.second);
  return found.whole;
}

/// Networks that have every block of a space between them: one for every image size,
/// kernel and expansion.
[[nodiscard]] inline std::vector<space::MobileNetwork> covering(const space::OfaShape& shape) {
  using Space = space::Ofa;
  std::vector<space::MobileNetwork> all;
  Architecture<Space> architecture;
  for (std::size_t stage = 0; stage < Space::stage_count; ++stage)
    architecture.set(Space::depth(stage), OptionId(Space::depths.size() - 1));
  for (std::size_t image = 0; image < Space::images.size(); ++image)
    for (std::size_t kernel = 0; kernel < Space::kernels.size(); ++kernel)
      for (std::size_t expand = 0; expand < Space::expansions.size(); ++expand) {
        architecture.set(Space::image(), OptionId(image));
        for (std::size_t layer = 0; layer < Space::layer_count; ++layer)
          architecture.set(Space::kernel(layer), OptionId(kernel))
              .set(Space::expand(layer), OptionId(expand));
        all.push_back(space::network(architecture, shape));
      }
  return all;
}
[[nodiscard]] inline std::vector<space::MobileNetwork> covering(
    const space::ProxylessShape& shape) {
  using Space = space::Proxyless;
  std::vector<space::MobileNetwork> all;
  for (std::size_t option = 0; option < Space::zero.index(); ++option) {
    Architecture<Space> architecture;
    for (std::size_t d = 0; d < Space::decision_count; ++d)
      architecture.set(DecisionId(d), OptionId(option));
    all.push_back(space::network(architecture, shape));
  }
  return all;
}

}  // namespace cleave::network
