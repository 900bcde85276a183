#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/space/toy.hpp>
#include <cleave_test.hpp>
#include <string>

using namespace cleave;
using namespace cleave::space;
using Catch::Matchers::Contains;
using cleave::testing::replaced;

namespace {

Architecture<Ofa> largest() {
  Architecture<Ofa> architecture;
  for (std::size_t d = 0; d < Ofa::decision_count; ++d)
    architecture.set(DecisionId(d), OptionId(Ofa::option_count(DecisionId(d)) - 1));
  return architecture;
}

}  // namespace

TEST_CASE("channel counts round as in the MobileNet family") {
  CHECK(make_divisible(8) == 8);
  CHECK(make_divisible(1) == 8);
  CHECK(make_divisible(19.2) == 24);  // 16 would lose more than a tenth
  CHECK(make_divisible(28.8) == 32);
  CHECK(make_divisible(134.4) == 136);
  CHECK(make_divisible(12) == 16);
  CHECK(make_divisible(44) == 48);
  CHECK_THROWS_AS(make_divisible(-1), ValueError);
  CHECK_THROWS_AS(make_divisible(std::nan("")), ValueError);
}

TEST_CASE("proxyless: 6 or 7 options by whether the block keeps the shape") {
  std::size_t seven = 0;
  for (std::size_t d = 0; d < Proxyless::decision_count; ++d)
    seven += Proxyless::option_count(DecisionId(d)) == 7 ? 1U : 0U;
  CHECK(seven == 15);
  for (const unsigned d : {0U, 4U, 8U, 12U, 16U, 20U})
    CHECK(Proxyless::option_count(DecisionId(d)) == 6);
  CHECK(to_string(Restriction<Proxyless>().count()) == "221502229807900608");  // 6^6 * 7^15
  CHECK(Proxyless::option_name(DecisionId(0), OptionId(5)) == "k7_e6");
  CHECK((Proxyless::kernel(OptionId(1)) == 5 && Proxyless::expand(OptionId(1)) == 3));
}

TEST_CASE("proxyless: a block left out is missing from the network and costs nothing") {
  Architecture<Proxyless> full;
  const auto whole = network(full);
  REQUIRE(whole.blocks.size() == 22);
  auto less = full;
  less.set(DecisionId(1), Proxyless::zero);
  CHECK(network(less).blocks.size() == 21);
  std::size_t size = 56;
  const auto saved = cost(whole.blocks[2], size);
  CHECK(cost(full).params - cost(less).params == saved.params);
  CHECK(cost(full).macs - cost(less).macs == saved.macs);
  CHECK_THROWS_AS(full.set(DecisionId(0), Proxyless::zero), ValueError);
}

TEST_CASE("proxyless: the width multiplies channels; the feature mix only grows") {
  const Architecture<Proxyless> architecture;
  CHECK(network(architecture, {.width = 0.5}).feature_mix_out == 1280);
  CHECK(network(architecture, {.width = 0.5}).first_conv_out == 16);
  CHECK(network(architecture, {.width = 1.4}).feature_mix_out == 1792);
  CHECK(network(architecture, {.width = 1.4}).blocks.back().out == 448);
  CHECK(cost(architecture, {.width = 1.4}).params > cost(architecture).params);
  CHECK_THROWS_AS(network(architecture, {.width = 0.0}), ValueError);
}

TEST_CASE("ofa: names and places") {
  CHECK(decision_name<Ofa>(DecisionId(3)) == "kernel 3");
  CHECK(decision_name<Ofa>(DecisionId(23)) == "expand 3");
  CHECK(decision_name<Ofa>(DecisionId(42)) == "depth 2");
  CHECK(Ofa::option_name(DecisionId(0), OptionId(2)) == "k7");
  CHECK(Ofa::option_name(DecisionId(20), OptionId(1)) == "e4");
  CHECK(Ofa::option_name(DecisionId(44), OptionId(0)) == "d2");
  CHECK(decision_name<Ofa>(DecisionId(45)) == "image");
  CHECK(Ofa::option_name(DecisionId(45), OptionId(3)) == "r224");
}

TEST_CASE("ofa: text both ways, as JSON and as Python prints it") {
  Stream stream(8);
  const auto architecture = Restriction<Ofa>().sample(stream);
  const auto text = Ofa::to_text(architecture);
  CHECK(Ofa::parse(text) == architecture);
  std::string python = replaced(text, "{", "{\"wid\": None, ");
  for (auto& c : python)
    if (c == '"') c = '\'';
  CHECK(Ofa::parse(" " + python + "\n") == architecture);
  CHECK(Ofa::parse(replaced(text, "{", "{ \"wid\" :[0, 1],")) == architecture);
  CHECK(Ofa::to_text(largest()).starts_with("{\"ks\": [7, 7, "));
  const auto ks = text.substr(1, text.find(", \"e\"") - 1);
  const auto rest = text.substr(text.find("\"e\""), text.size() - text.find("\"e\"") - 1);
  CHECK(Ofa::parse("{" + rest + ", " + ks + "}") == architecture);
  // The image: a list of one, a number, nothing.
  const auto full = Ofa::to_text(largest());
  for (const auto* r : {"224", "null", "None", "[ 224 ]"})
    CHECK(Ofa::parse(replaced(full, "[224]", r)) == largest());
  CHECK(Ofa::parse(replaced(full, ", \"r\": [224]", "")) == largest());
  CHECK(Ofa::parse(replaced(full, "[224]", "160"))[Ofa::image()] == OptionId(1));
}

TEST_CASE("ofa: a network looks at a share of the image, and costs what that costs") {
  auto architecture = largest();
  const OfaShape small{.width = 0.25, .image = 28, .first_stride = 1};
  const std::array<std::size_t, 4> sizes{16, 20, 24, 28};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    architecture.set(Ofa::image(), OptionId(i));
    CHECK(network(architecture).image == Ofa::images[i]);
    CHECK(network(architecture, small).image == sizes[i]);
    CHECK(cost(architecture, small).params == cost(largest(), small).params);
    CHECK((cost(architecture, small).macs < cost(largest(), small).macs) == (i != 3));
    CHECK(network(architecture, {.image = 1}).image == 1);
  }
}

TEST_CASE("ofa: bad text gets a position and what was expected") {
  const auto good = Ofa::to_text(largest());
  const auto fails = [](const std::string& text, const std::string& part) {
    CHECK_THROWS_AS(Ofa::parse(text), ParseError);
    CHECK_THROWS_WITH(Ofa::parse(text), Contains(part));
  };
  fails(replaced(good, "[7", "[6"), "at byte 8: expected one of 3, 5, 7, found '6, 7");
  fails(replaced(good, "[7", "[9"), "at byte 8: expected one of 3, 5, 7");
  fails(replaced(good, "[7", "[7.0"), "at byte 9: expected ',' and 20 numbers in all");
  fails(replaced(good, "[7, ", "["), "expected ',' and 20 numbers in all");
  fails(replaced(good, "[7, ", "[7, 7, "), "expected ']' after 20 numbers");
  fails(replaced(good, "[4, ", "["), "',' and 5 numbers in all");
  fails(replaced(good, "\"e\"", "\"x\""), "one of the keys ks, e, d, r, wid");
  fails(replaced(good, "\"e\"", "\"ks\""), "expected key 'ks' once");
  fails(R"({"wid": null})", "and the key \"ks\"");
  fails(R"({"wid": {}})", "null, an integer");
  fails(R"({"r": [5000]})", "one of 128, 160, 192, 224");
  fails(R"({"r": [128, 160]})", "expected ']' after 1 numbers");
  fails(R"({"wid": [5000]})", "an integer up to 4096");
  fails(good + "]", "expected end of text");
  fails(replaced(good, "ks", std::string("k\0s", 3)), "\\x00");
  fails(std::string(5000, '{'), "at most 4096 bytes");
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    CHECK_THROWS_AS(Ofa::parse(good.substr(0, cut)), ParseError);
}

TEST_CASE("ofa: a network has the layers its depths say, and no more") {
  auto architecture = largest();
  CHECK(network(architecture).blocks.size() == 21);
  const auto full = cost(architecture);
  architecture.set(Ofa::depth(1), OptionId(0));
  const auto shallow = network(architecture);
  CHECK(shallow.blocks.size() == 19);
  CHECK(cost(architecture).params < full.params);
  // Layers beyond the depth mean nothing.
  architecture.set(Ofa::kernel(7), OptionId(0)).set(Ofa::expand(6), OptionId(0));
  CHECK(network(architecture) == shallow);
  architecture.set(Ofa::kernel(5), OptionId(0));
  CHECK_FALSE(network(architecture) == shallow);
  CHECK(network(architecture, {.width = 1.0}).feature_mix_out == 1280);
}

TEST_CASE("mobile networks whose blocks do not fit are refused") {
  const auto good = network(Architecture<Proxyless>());
  const auto fails = [&good](auto change, const std::string& part) {
    auto bad = good;
    change(bad);
    CHECK_THROWS_WITH(cost(bad), Contains(part));
  };
  CHECK_NOTHROW(cost(good));
  fails([](auto& n) { n.blocks[3].in = 25; }, "block 3: in 25, allowed 24");
  fails([](auto& n) { n.blocks[3].kernel = 4; }, "block 3: kernel 4");
  fails([](auto& n) { n.blocks[3].stride = 0; }, "block 3: stride 0");
  fails([](auto& n) { n.blocks[1].shortcut = true; }, "block 1: shortcut");
  fails([](auto& n) { n.blocks[0].mid = 7; }, "block 0: mid 7, allowed 32");
  fails([](auto& n) { n.blocks.clear(); }, "blocks: 0");
  fails([](auto& n) { n.image = 0; }, "image size: 0");
}

TEST_CASE("ofa: a layer beyond every allowed depth decides nothing") {
  const Restriction<Ofa> all;
  const auto shallow = all.with(Ofa::depth(1), OptionSet{OptionId(0)});   // depth 2
  const auto middle = all.with(Ofa::depth(1), OptionSet{OptionId(0), OptionId(1)});
  for (std::size_t layer = 0; layer < Ofa::layer_count; ++layer)
    for (const auto decision : {Ofa::kernel(layer), Ofa::expand(layer)}) {
      CHECK(is_used(all, decision));
      CHECK(is_used(shallow, decision) == (layer != 6 && layer != 7));
      CHECK(is_used(middle, decision) == (layer != 7));
    }
  CHECK(is_used(shallow, Ofa::depth(1)));
  CHECK(is_used(Restriction<Toy>(), DecisionId(0)));
}
