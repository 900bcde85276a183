#pragma once

#include <fmt/ranges.h>

#include <cleave/space/mobile_network.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace cleave::space {

namespace detail {

inline std::size_t json_number(const nlohmann::json& object, const std::string& key,
                               const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) throw DataError(fmt::format("{}: no '{}'", where, key));
  if (!found->is_number_integer() || *found < 0)
    throw DataError(fmt::format("{}/{}: a whole number from 0 expected, found a {}", where, key,
                                found->type_name()));
  return found->get<std::size_t>();
}

inline bool json_flag(const nlohmann::json& object, const std::string& key,
                      const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_boolean())
    throw DataError(fmt::format("{}/{}: true or false expected", where, key));
  return found->get<bool>();
}

}  // namespace detail

/// A network listed block by block, as this project's reference numbers and its reports write
/// published networks: `space` ("OFAMobileNetV3" or "ProxylessNASNets"), `image`, `classes`,
/// `first_conv_out`, `feature_mix_out` and `blocks` with the members of MobileBlock (`se` for
/// squeeze, `act` for activation). Other members are ignored. An OFA network's final expansion
/// is six times its last width. Throws `DataError` naming the member that is wrong, `ValueError`
/// when the blocks do not fit each other.
[[nodiscard]] inline MobileNetwork mobile_network_from_json(const nlohmann::json& description) {
  constexpr std::size_t ofa_final_expand = 6;
  if (!description.is_object()) throw DataError("mobile network: an object expected");
  const auto family = description.value("space", nlohmann::json());
  const bool ofa = family == "OFAMobileNetV3";
  if (!ofa && family != "ProxylessNASNets")
    throw DataError("mobile network/space: OFAMobileNetV3 or ProxylessNASNets expected");
  const std::string where = "mobile network";
  const auto outer = ofa ? Activation::h_swish : Activation::relu6;
  MobileNetwork network{.image = detail::json_number(description, "image", where),
                        .classes = detail::json_number(description, "classes", where),
                        .first_conv_out = detail::json_number(description, "first_conv_out", where),
                        .first_activation = outer,
                        .blocks = {},
                        .feature_mix_out =
                            detail::json_number(description, "feature_mix_out", where),
                        .mix_after_pooling = ofa,
                        .head_activation = outer};
  const auto blocks = description.find("blocks");
  if (blocks == description.end() || !blocks->is_array() || blocks->empty())
    throw DataError("mobile network/blocks: a list with at least one block expected");
  for (std::size_t i = 0; i < blocks->size(); ++i) {
    const auto& block = (*blocks)[i];
    const auto at = fmt::format("mobile network/blocks/{}", i);
    if (!block.is_object()) throw DataError(at + ": an object expected");
    const auto activation = block.value("act", nlohmann::json());
    std::size_t a = 0;
    while (a < activation_names.size() && activation != activation_names[a]) ++a;
    if (a == activation_names.size())
      throw DataError(
          fmt::format("{}/act: one of {} expected", at, fmt::join(activation_names, ", ")));
    network.blocks.push_back({.in = detail::json_number(block, "in", at),
                              .out = detail::json_number(block, "out", at),
                              .kernel = detail::json_number(block, "kernel", at),
                              .stride = detail::json_number(block, "stride", at),
                              .expand = detail::json_number(block, "expand", at),
                              .mid = detail::json_number(block, "mid", at),
                              .squeeze = detail::json_flag(block, "se", at),
                              .activation = static_cast<Activation>(a),
                              .shortcut = detail::json_flag(block, "shortcut", at)});
  }
  if (ofa) network.final_expand = ofa_final_expand * network.blocks.back().out;
  validate(network);
  return network;
}

}  // namespace cleave::space
