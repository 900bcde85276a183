// Numbers of the reference fixtures; CLEAVE_FIXTURES may point to another set of them.

#include <cleave/space/darts.hpp>
#include <cleave/space/darts_cost.hpp>
#include <cleave/space/mobile_network_json.hpp>
#include <cleave/space/nasbench201_index.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave_test.hpp>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace cleave;
using namespace cleave::space;
using nlohmann::json;
using Catch::Matchers::Contains;

namespace {

json fixture(const std::string& name) {
  std::ifstream file(testing::fixture_path(name));
  REQUIRE(file);
  return json::parse(file);
}

DartsGenotype::Cell cell(const json& edges) {
  REQUIRE(edges.size() == 8);
  DartsGenotype::Cell result;
  for (std::size_t e = 0; e < result.size(); ++e) {
    std::size_t o = 0;
    while (darts_operation_names.at(o) != edges[e][0].get<std::string>()) ++o;
    result[e] = {static_cast<DartsOperation>(o), edges[e][1].get<std::uint8_t>()};
  }
  return result;
}

/// The Proxyless or Ofa architecture whose network has these blocks.
Architecture<Proxyless> proxyless(const MobileNetwork& network) {
  Architecture<Proxyless> result;
  for (std::size_t d = 0; d < Proxyless::decision_count; ++d) {
    const auto& block = network.blocks[d + 1];
    result.set(DecisionId(d),
               OptionId((block.expand == 6 ? 3 : 0) + (block.kernel - 3) / 2));
  }
  return result;
}

Architecture<Ofa> ofa(const MobileNetwork& network) {
  Architecture<Ofa> result;
  for (std::size_t i = 0; i < Ofa::images.size(); ++i)
    if (Ofa::images[i] == network.image) result.set(Ofa::image(), OptionId(i));
  std::size_t stage = 0;
  std::size_t layer = 0;
  for (std::size_t i = 1; i < network.blocks.size(); ++i, ++layer) {
    const auto& block = network.blocks[i];
    if (!block.shortcut && i != 1) {
      result.set(Ofa::depth(stage++), OptionId(layer - 2));
      layer = 0;
    }
    const std::size_t place = Ofa::layers_per_stage * stage + layer;
    result.set(Ofa::kernel(place), OptionId((block.kernel - 3) / 2));
    result.set(Ofa::expand(place), OptionId(block.expand == 6 ? 2 : block.expand - 3));
  }
  return result.set(Ofa::depth(stage), OptionId(layer - 2));
}

}  // namespace

TEST_CASE("reference: nasbench201 operations, edges and connected architectures") {
  const auto data = fixture("nasbench201.json");
  for (std::size_t o = 0; o < 5; ++o)
    CHECK(NasBench201::operations[o] == data["ops"][o].get<std::string>());
  for (std::size_t e = 0; e < 6; ++e)
    CHECK(decision_name<NasBench201>(DecisionId(e)) == data["edges"][e].get<std::string>());
  const Restriction<NasBench201> all;
  CHECK(connected_count(all) == data["connected_architectures"].get<std::size_t>());
  std::vector<std::size_t> first;
  for (Count i = 0; first.size() < data["connected_first_100_indices"].size(); ++i)
    if (is_connected(all.at(i))) first.push_back(static_cast<std::size_t>(i));
  CHECK(first == data["connected_first_100_indices"].get<std::vector<std::size_t>>());
  CHECK(lexicographic_index(all.at(25)) == 25);
}

TEST_CASE("reference: the literal rule derives every genotype of the fixture") {
  const auto data = fixture("darts.json");
  for (std::size_t o = 0; o < Darts::operations; ++o)
    CHECK(Darts::option_name(DecisionId(0), OptionId(o)) == data["ops"][o].get<std::string>());
  REQUIRE_FALSE(data["genotypes"].empty());
  for (const auto& item : data["genotypes"]) {
    Restriction<Darts> allowed;
    std::vector<double> weights(Darts::decision_count * Darts::operations);
    for (std::size_t d = 0; d < Darts::decision_count; ++d) {
      const bool reduction = d >= Darts::edges_per_cell;
      const auto& alpha = item[reduction ? "alpha_reduce" : "alpha_normal"];
      const auto& mask = item[reduction ? "allowed_reduce" : "allowed_normal"];
      const std::size_t edge = d % Darts::edges_per_cell;
      OptionSet options;
      double sum = 0.0;
      for (std::size_t o = 0; o < Darts::operations; ++o) {
        if (mask[edge][o] == 0) continue;
        options.insert(OptionId(o));
        sum += std::exp(alpha[edge][o].get<double>());
      }
      allowed = allowed.with(DecisionId(d), options);
      for (const auto o : options)
        weights[d * Darts::operations + o.index()] =
            std::exp(alpha[edge][o.index()].get<double>()) / sum;
    }
    const auto genotype = Darts::derive_literal(weights, allowed);
    REQUIRE(genotype.normal == cell(item["normal"]));
    REQUIRE(genotype.reduce == cell(item["reduce"]));
    REQUIRE(genotype.normal_concat == item["concat"].get<std::vector<std::size_t>>());
    REQUIRE(allows<Darts>(allowed, Darts::derive(weights, allowed)));
  }
}

TEST_CASE("reference: cost of the published DARTS-space networks") {
  const auto data = fixture("darts_networks.json");
  const DartsShape shape{.channels = data["C"],
                         .cells = data["layers"],
                         .image = data["image"],
                         .classes = data["classes"]};
  REQUIRE_FALSE(data["networks"].empty());
  for (const auto& item : data["networks"]) {
    const DartsGenotype genotype{cell(item["normal"]), item["normal_concat"],
                                 cell(item["reduce"]), item["reduce_concat"]};
    INFO(item["name"]);
    const auto found = cost(genotype, shape);
    CHECK(found.network.params == item["params"].get<std::uint64_t>());
    CHECK(found.params_with_auxiliary == item["params_with_auxiliary"].get<std::uint64_t>());
    CHECK(found.network.macs == item["macs"].get<std::uint64_t>());
    CHECK(parse_darts_genotype(to_text(genotype)) == genotype);
  }
}

TEST_CASE("reference: cost of the published mobile networks, described and searched") {
  const auto data = fixture("mobilenet.json");
  REQUIRE_FALSE(data["networks"].empty());
  for (const auto& item : data["networks"]) {
    INFO(item["name"]);
    const NetworkCost published{item["params"], item["macs"]};
    const auto listed = mobile_network_from_json(item);
    CHECK(cost(listed) == published);
    if (item["space"] == "OFAMobileNetV3") {
      const auto architecture = ofa(listed);
      CHECK(network(architecture) == listed);
      CHECK(cost(architecture) == published);
      CHECK(network(Ofa::parse(Ofa::to_text(architecture))) == listed);
    } else {
      const auto architecture = proxyless(listed);
      CHECK(network(architecture) == listed);
      CHECK(cost(architecture) == published);
    }
  }
}

TEST_CASE("mobile network description: what is wrong is named") {
  const auto good = fixture("mobilenet.json")["networks"][0];
  const auto fails = [&good](auto change, const std::string& part) {
    auto bad = good;
    change(bad);
    CHECK_THROWS_WITH(mobile_network_from_json(bad), Contains(part));
  };
  fails([](json& n) { n.erase("image"); }, "no 'image'");
  fails([](json& n) { n["image"] = -1; }, "mobile network/image");
  fails([](json& n) { n["space"] = "ResNet"; }, "OFAMobileNetV3 or ProxylessNASNets");
  fails([](json& n) { n["blocks"] = json::object(); }, "mobile network/blocks");
  fails([](json& n) { n["blocks"][2] = 5; }, "mobile network/blocks/2: an object");
  fails([](json& n) { n["blocks"][2]["act"] = "gelu"; }, "mobile network/blocks/2/act");
  fails([](json& n) { n["blocks"][2]["se"] = 1; }, "mobile network/blocks/2/se");
  const auto before = good["blocks"][1]["out"].get<std::size_t>();
  fails([&](json& n) { n["blocks"][2]["in"] = before + 1; },
        fmt::format("block 2: in {}, allowed {}", before + 1, before));
  CHECK_THROWS_AS(mobile_network_from_json(json::array()), DataError);
}
