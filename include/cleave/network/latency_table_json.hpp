#pragma once

#include <algorithm>
#include <chrono>
#include <cleave/network/mobile_network.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <torch/cuda.h>
#include <vector>

namespace cleave::network {

/// What a part of a MobileNet is called in a latency table: everything its time depends on. The first
/// is the first convolution, the last the head, in between the blocks.
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
/// of threads and one batch size; a network takes the sum of its parts.
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
        throw ValueError(fmt::format("latency table: it has no '{}'; measure it with this width, "
                                     "image size and number of classes", part));
      sum += found->second;
    }
    return sum;
  }

  /// Adds the parts of a network that are not known yet, each with the median of `repeats` runs
  /// inside the whole network, where caches are as they will be.
  void measure(const space::MobileNetwork& network, std::size_t repeats, at::Device on) {
    const auto parts = latency_parts(network);
    if (std::all_of(parts.begin(), parts.end(),
                    [&](const auto& part) { return milliseconds.contains(part); }))
      return;
    const MobileNet net(network, at::TensorOptions(on).dtype(at::kFloat), Stream(1));
    const auto size = static_cast<std::int64_t>(network.image);
    const auto images =
        at::zeros({static_cast<std::int64_t>(batch),
                      static_cast<std::int64_t>(network.image_channels), size, size},
                     at::TensorOptions(on));
    const at::NoGradGuard no_grad;
    std::vector<std::vector<double>> times(parts.size());
    for (std::size_t r = 0; r < repeats + 1; ++r) {
      auto before = std::chrono::steady_clock::now();
      std::size_t part = 0;
      (void)net.forward_in_parts(images, [&] {
        if (on.is_cuda()) torch::cuda::synchronize();
        const auto now = std::chrono::steady_clock::now();
        if (r > 0)  // the first run finds memory
          times[part].push_back(std::chrono::duration<double, std::milli>(now - before).count());
        ++part;
        before = now;
      });
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      auto& of_part = times[i];
      const auto middle = of_part.begin() + static_cast<std::ptrdiff_t>(of_part.size() / 2);
      std::nth_element(of_part.begin(), middle, of_part.end());
      milliseconds.emplace(parts[i], *middle);
    }
  }

  [[nodiscard]] nlohmann::json to_json() const {
    return {{"device", device}, {"threads", threads}, {"batch", batch},
            {"milliseconds", milliseconds}};
  }
  /// Throws `DataError` naming the member for anything `to_json` does not write.
  [[nodiscard]] static LatencyTable from_json(const nlohmann::json& json) {
    const auto fail = [](std::string_view member, std::string_view expected) {
      throw DataError(fmt::format("latency table/{}: {} expected", member, expected));
    };
    const auto member = [&](const char* name) {
      const auto found = json.find(name);
      return found == json.end() ? nlohmann::json() : *found;
    };
    if (!json.is_object()) fail("", "an object");
    const auto count = [&](const char* name) {
      const auto value = member(name);
      if (!value.is_number_unsigned() || value == 0) fail(name, "a whole number, at least 1,");
      return value.get<std::size_t>();
    };
    LatencyTable table;
    if (!member("device").is_string()) fail("device", "a text");
    table.device = member("device");
    table.threads = count("threads");
    table.batch = count("batch");
    const auto parts = member("milliseconds");
    if (!parts.is_object()) fail("milliseconds", "an object");
    for (const auto& [part, value] : parts.items()) {
      if (!value.is_number() || !(value.get<double>() >= 0))
        fail("milliseconds/" + part, "a number, at least 0,");
      table.milliseconds.emplace(part, value.get<double>());
    }
    return table;
  }
  /// Reads JSON text. As `from_json`; text that is not JSON is a `DataError` as well.
  [[nodiscard]] static LatencyTable from_json_text(std::string_view text) {
    try {
      return from_json(nlohmann::json::parse(text));
    } catch (const nlohmann::json::exception& error) {
      throw DataError(fmt::format("latency table: {}", error.what()));
    }
  }
};

/// Networks that have every block of a space between them: one for every kernel and expansion.
[[nodiscard]] inline std::vector<space::MobileNetwork> covering(const space::OfaShape& shape) {
  using Space = space::Ofa;
  std::vector<space::MobileNetwork> all;
  for (std::size_t kernel = 0; kernel < 3; ++kernel)
    for (std::size_t expand = 0; expand < 3; ++expand) {
      Architecture<Space> architecture;
      for (std::size_t layer = 0; layer < Space::layer_count; ++layer)
        architecture.set(Space::kernel(layer), OptionId(kernel))
            .set(Space::expand(layer), OptionId(expand));
      for (std::size_t stage = 0; stage < Space::stage_count; ++stage)
        architecture.set(Space::depth(stage), OptionId(2));
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
