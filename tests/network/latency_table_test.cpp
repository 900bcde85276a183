#include <cleave/network/latency_table_json.hpp>
#include <cleave_test.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "temporary_folder.hpp"

using namespace cleave;
using Catch::Matchers::Contains;

namespace {

/// A table in which part number i of all that the networks have takes 2^-(i % 8) ms.
network::LatencyTable table_of(const std::vector<space::MobileNetwork>& networks) {
  network::LatencyTable table{.device = "cpu", .threads = 2, .batch = 4};
  for (const auto& network : networks)
    for (const auto& part : network::latency_parts(network))
      table.milliseconds.emplace(part, std::ldexp(1.0, -int(table.milliseconds.size() % 8)));
  return table;
}

template <class Space, class Shape>
void check_that_it_covers(const Shape& shape) {
  const auto table = table_of(network::covering(shape));
  Stream stream(3);
  for (int i = 0; i < 30; ++i) {
    const auto network = space::network(Restriction<Space>().sample(stream), shape);
    double sum = 0;
    for (const auto& part : network::latency_parts(network)) sum += table.milliseconds.at(part);
    CHECK(table.predict(network) == sum);
    CHECK(network::latency_parts(network).size() == network.blocks.size() + 2);
  }
}

}  // namespace

TEST_CASE("a few networks cover every part of a space; a prediction is the sum of the parts") {
  check_that_it_covers<space::Ofa>(space::OfaShape{.width = 1.0});
  check_that_it_covers<space::Ofa>(space::OfaShape{.width = 0.25, .image = 20, .first_stride = 1});
  check_that_it_covers<space::Proxyless>(space::ProxylessShape{.width = 0.5});
  const auto table = table_of(network::covering(space::OfaShape{.width = 1.0}));
  const Architecture<space::Ofa> any;
  CHECK_THROWS_WITH(table.predict(space::network(any, {.width = 1.2})),
                    Contains("it has no 'first 3>24"));
  CHECK_THROWS_AS(table.predict(space::network(any, {.width = 1.0, .image = 192})), ValueError);
}

TEST_CASE("latencies are measured part by part and as a whole") {
  at::set_num_threads(1);
  const space::ProxylessShape shape{.width = 0.25, .image = 8, .image_channels = 1, .classes = 4};
  const auto networks = network::covering(shape);
  network::LatencyTable table;
  const network::LatencyMeasurement measure{.rounds = 2, .passes = 1};
  const auto whole = network::add_latencies(table, std::span(networks).first(2), measure,
                                            std::span(networks).last(3));
  REQUIRE(whole.size() == 3);
  for (const double took : whole) CHECK(took > 0);
  for (const auto& [part, took] : table.milliseconds) CHECK(took > 0);
  CHECK_NOTHROW(table.predict(networks[1]));
  CHECK_THROWS_AS(table.predict(networks[2]), ValueError);
  const auto known = table.milliseconds;
  network::add_latencies(table, networks, measure);
  for (const auto& [part, took] : known) CHECK(table.milliseconds.at(part) == took);
  CHECK_THROWS_AS(network::LatencyMeasurement{.rounds = 0}(networks), ValueError);
}

TEST_CASE("a latency table is written and read back; what is none is refused with a reason") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "latency.json";
  const auto table = table_of(network::covering(space::OfaShape{.width = 1.0}));
  network::write_latency_table(path, table);
  const auto back = network::read_latency_table(path);
  CHECK(back.milliseconds == table.milliseconds);
  CHECK((back.device == "cpu" && back.threads == 2 && back.batch == 4));
  for (const auto& [text, reason] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{", "parse error"},
           {"[]", "an object expected"},
           {R"({"device": "cpu", "threads": 1, "batch": 1})", "milliseconds: an object"},
           {R"({"device": "cpu", "threads": 0, "batch": 1, "milliseconds": {}})", "threads: a whole"},
           {R"({"device": "cpu", "threads": 1, "batch": -1, "milliseconds": {}})", "batch: a whole"},
           {R"({"device": "cpu", "threads": 1, "batch": 1, "milliseconds": {"a": -2}})",
            "milliseconds/a: a number"},
           {R"({"device": 3, "threads": 1, "batch": 1, "milliseconds": {}})", "device: a text"}}) {
    std::ofstream(path) << text;
    CAPTURE(text);
    CHECK_THROWS_WITH(network::read_latency_table(path), Contains(reason) && Contains("latency.json"));
    CHECK_THROWS_AS(network::read_latency_table(path), DataError);
  }
  CHECK_THROWS_AS(network::read_latency_table(folder.path() / "missing.json"), IoError);
}
