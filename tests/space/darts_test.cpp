#include <cleave/space/darts.hpp>
#include <cleave/space/darts_cost.hpp>
#include <cleave_test.hpp>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace cleave;
using namespace cleave::space;
using Catch::Matchers::Contains;
using cleave::testing::replaced;

namespace {

const std::string published =
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])";

/// Uniform weights, 1/n over the allowed options of every edge.
template <class S>
std::vector<double> uniform_weights(const Restriction<S>& restriction) {
  std::vector<double> weights(S::decision_count * S::operations);
  for (std::size_t d = 0; d < S::decision_count; ++d)
    for (const auto option : restriction[DecisionId(d)])
      weights[d * S::operations + option.index()] =
          1.0 / static_cast<double>(restriction[DecisionId(d)].size());
  return weights;
}

std::set<std::size_t> predecessors(const DartsGenotype::Cell& cell, std::size_t node) {
  return {cell[2 * (node - 2)].predecessor, cell[2 * (node - 2) + 1].predecessor};
}

}  // namespace

TEST_CASE("darts: decisions and edges number each other") {
  std::size_t d = 0;
  for (const bool reduction : {false, true})
    for (std::size_t to = 2; to < 6; ++to)
      for (std::size_t from = 0; from < to; ++from, ++d) {
        CHECK(Darts::decision(reduction, to, from) == DecisionId(d));
        const auto edge = Darts::edge(DecisionId(d));
        CHECK((edge.reduction == reduction && edge.to == to && edge.from == from));
      }
  CHECK(d == Darts::decision_count);
  CHECK(decision_name<Darts>(DecisionId(27)) == "reduce 5<-4");
  CHECK(Darts::option_name(DecisionId(0), OptionId(0)) == "max_pool_3x3");
  CHECK(DartsWithNone::option_name(DecisionId(0), OptionId(0)) == "none");
  CHECK(DartsWithNone::option_name(DecisionId(0), OptionId(7)) == "dil_conv_5x5");
}

TEST_CASE("darts: genotype text both ways") {
  const auto genotype = parse_darts_genotype(published);
  CHECK(to_text(genotype) == published);
  CHECK(genotype.normal[7].operation == DartsOperation::dil_conv_3x3);
  CHECK(genotype.normal[7].predecessor == 2);
  auto python = replaced(published, "normal_concat=[2, 3, 4, 5]", "normal_concat=range(2, 6)");
  CHECK(parse_darts_genotype(python) == genotype);
  python = replaced(published, "normal=[('sep_conv_3x3', 0),",
                    "normal = [ ( \"sep_conv_3x3\" ,0 ) ,\n");
  CHECK(parse_darts_genotype(" " + python + "\n") == genotype);
  const auto few = replaced(published, "reduce_concat=[2, 3, 4, 5]", "reduce_concat=[3, 5]");
  CHECK(to_text(parse_darts_genotype(few)) == few);
}

TEST_CASE("darts: bad genotypes get a position and what was expected") {
  const auto fails = [](const std::string& text, const std::string& part) {
    CHECK_THROWS_AS(parse_darts_genotype(text), ParseError);
    CHECK_THROWS_WITH(parse_darts_genotype(text), Contains(part));
  };
  fails(replaced(published, "sep_conv_3x3", "sep_conv_7x7"),
        "at byte 19: expected one of max_pool");
  fails(replaced(published, "'sep_conv_3x3'", "'none'"), "at byte 19: expected one of max_pool");
  fails(replaced(published, "('sep_conv_3x3', 0)", "('sep_conv_3x3', 2)"),
        "expected a predecessor of node 2, 0 to 1, found '2)");
  fails(replaced(published, "('sep_conv_3x3', 0)", "('sep_conv_3x3', 1)"),
        "expected an edge into node 2 from another node than 1");
  fails(replaced(published, ", ('dil_conv_3x3', 2)]", "]"), "expected ',', found '], normal_con");
  fails(replaced(published, "('dil_conv_3x3', 2)]", "('dil_conv_3x3', 2), ('dil_conv_3x3', 3)]"),
        "expected ']'");
  fails(replaced(published, "[2, 3, 4, 5]", "[2, 3, 3]"), "a joined node, 4 to 5, found '3]");
  fails(replaced(published, "[2, 3, 4, 5]", "[2, 6]"), "a joined node");
  fails(replaced(published, "[2, 3, 4, 5]", "[]"), "a joined node");
  fails(replaced(published, "[2, 3, 4, 5]", "range(4, 4)"), "an end above 4");
  fails(replaced(published, "[2, 3, 4, 5]", "range(1, 6)"), "first joined node");
  fails(published + "x", "expected end of text, found 'x'");
  fails(replaced(published, "reduce=", std::string("red\0uce=", 8)), "\\x00");
  fails(std::string(5000, ' '), "at most 4096 bytes, found 5000 bytes");
  for (std::size_t cut = 0; cut < published.size(); cut += 3)
    CHECK_THROWS_AS(parse_darts_genotype(published.substr(0, cut)), ParseError);
}

TEST_CASE("darts: allows looks at the kept edges only") {
  const auto genotype = parse_darts_genotype(published);
  const auto skip = OptionSet{Darts::option(DartsOperation::skip_connect)};
  CHECK(Darts::allows({}, genotype));
  // Edge 5<-4 of the normal cell is not kept, 2<-0 is.
  CHECK(Darts::allows(Restriction<Darts>().with(Darts::decision(false, 5, 4), skip), genotype));
  CHECK_FALSE(Darts::allows(Restriction<Darts>().with(Darts::decision(false, 2, 0), skip),
                            genotype));
  CHECK_FALSE(Darts::allows(Restriction<Darts>().with(Darts::decision(true, 5, 1), skip),
                            genotype));
}

TEST_CASE("darts: samples have two different predecessors, all pairs and operations alike") {
  Stream stream(6);
  std::map<std::set<std::size_t>, int> pairs;
  std::map<DartsOperation, int> operations;
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) {
    const auto genotype = DartsWithNone::sample({}, stream);
    ++pairs[predecessors(genotype.reduce, 5)];
    ++operations[genotype.normal[3].operation];
  }
  REQUIRE(pairs.size() == 10);
  REQUIRE(operations.size() == 7);
  double chi_square = 0.0;
  for (const auto& [pair, count] : pairs) chi_square += (count - 2e3) * (count - 2e3) / 2e3;
  CHECK(chi_square < 27.9);  // 9 degrees of freedom, p = 0.001
  chi_square = 0.0;
  for (const auto& [operation, count] : operations) {
    const double expected = draws / 7.0;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  CHECK(chi_square < 22.5);  // 6 degrees of freedom, p = 0.001
}

TEST_CASE("darts: edges that allow only none are never kept") {
  Stream stream(7);
  const auto none = OptionSet{OptionId(0)};
  Restriction<DartsWithNone> some;
  for (const unsigned from : {0U, 2U, 4U})
    some = some.with(DartsWithNone::decision(false, 5, from), none);
  const auto weights = uniform_weights(some);
  for (int i = 0; i < 50; ++i)
    CHECK(predecessors(DartsWithNone::sample(some, stream).normal, 5) ==
          std::set<std::size_t>{1, 3});
  CHECK(predecessors(DartsWithNone::derive(weights, some).normal, 5) ==
        std::set<std::size_t>{1, 3});
  some = some.with(DartsWithNone::decision(false, 5, 1), none);
  CHECK_THROWS_WITH(DartsWithNone::sample(some, stream),
                    Contains("node 5 of the normal cell has 1 edges"));
  CHECK_THROWS_AS(DartsWithNone::derive(weights, some), ValueError);
}

TEST_CASE("darts: the fair rule is not fooled by how many options an edge has left") {
  // Node 3 of the normal cell: 3<-0 was split and has 3 untrained options (1/3 each); 3<-1 and
  // 3<-2 have seven and a clear winner.
  Restriction<Darts> some;
  const auto split = Darts::decision(false, 3, 0);
  some = some.with(split, OptionSet::first(3));
  auto weights = uniform_weights(some);
  const auto set = [&weights](std::size_t from, DartsOperation best, double weight) {
    const auto row = Darts::decision(false, 3, from).index() * Darts::operations;
    for (std::size_t o = 0; o < Darts::operations; ++o) weights[row + o] = (1.0 - weight) / 6.0;
    weights[row + static_cast<std::size_t>(best)] = weight;
  };
  set(1, DartsOperation::sep_conv_5x5, 0.30);
  set(2, DartsOperation::dil_conv_3x3, 0.25);
  CHECK(predecessors(Darts::derive_literal(weights, some).normal, 3) ==
        std::set<std::size_t>{0, 1});
  const auto fair = Darts::derive(weights, some);
  CHECK(predecessors(fair.normal, 3) == std::set<std::size_t>{1, 2});
  CHECK(fair.normal[2].operation == DartsOperation::sep_conv_5x5);
  CHECK(fair.normal[3].operation == DartsOperation::dil_conv_3x3);

  // A decided split edge is kept: 0.9 against 0.05 each is clearer than 0.5 against 0.083. The
  // product n p would not see it: 3 * 0.9 < 7 * 0.5.
  set(1, DartsOperation::sep_conv_5x5, 0.5);
  set(2, DartsOperation::dil_conv_3x3, 0.5);
  const auto row = split.index() * Darts::operations;
  weights[row] = 0.9;
  weights[row + 1] = weights[row + 2] = 0.05;
  CHECK(Darts::derive(weights, some).normal[2].predecessor == 0);
}

TEST_CASE("darts: equal alpha gaps rank equally whatever the number of options") {
  for (std::size_t options = 2; options <= 7; ++options) {
    Restriction<Darts> some;
    some = some.with(Darts::decision(true, 3, 1), OptionSet::first(options));
    auto weights = uniform_weights(some);
    const auto set = [&](std::size_t from, double gap) {
      const auto id = Darts::decision(true, 3, from);
      const double n = static_cast<double>(some[id].size());
      for (const auto option : some[id])
        weights[id.index() * Darts::operations + option.index()] =
            (option.index() == 0 ? std::exp(gap) : 1.0) / (n - 1.0 + std::exp(gap));
    };
    set(0, 0.5);
    set(1, 0.6);
    set(2, 0.7);
    const auto cell = Darts::derive(weights, some).reduce;
    CHECK((cell[2].predecessor == 2 && cell[3].predecessor == 1));
  }
}

TEST_CASE("darts: an edge left with one option is ranked by its neighbours") {
  // Few-shot leaves fix one operation: p = 1 would always win by the literal rule.
  auto some = Restriction<Darts>().with(Darts::decision(false, 4, 1), OptionSet{OptionId(2)});
  auto weights = uniform_weights(some);
  for (const unsigned from : {0U, 2U, 3U}) {
    const auto row = Darts::decision(false, 4, from).index() * Darts::operations;
    weights[row + from] = from == 3 ? 0.6 : from == 2 ? 0.5 : 0.2;
  }
  CHECK(predecessors(Darts::derive(weights, some).normal, 4) == std::set<std::size_t>{2, 3});
  CHECK(Darts::derive_literal(weights, some).normal[4].predecessor == 1);
  // With nothing to compare anywhere, ties go to the smaller predecessor.
  const auto one = Restriction<Darts>(Architecture<Darts>());
  CHECK(predecessors(Darts::derive(uniform_weights(one), one).normal, 5) ==
        std::set<std::size_t>{0, 1});
}

TEST_CASE("darts: none is a rival but never kept") {
  const Restriction<DartsWithNone> all;
  auto weights = uniform_weights(all);
  for (const unsigned from : {0U, 1U, 2U}) {
    const auto row = DartsWithNone::decision(false, 3, from).index() * DartsWithNone::operations;
    weights[row] = from == 0 ? 0.9 : 0.1;  // none leads on 3<-0
    weights[row + 4] = 0.2;
  }
  for (const auto& genotype : {DartsWithNone::derive(weights, all),
                               DartsWithNone::derive_literal(weights, all)})
    CHECK(genotype.normal[2].operation == DartsOperation::sep_conv_3x3);
  CHECK(predecessors(DartsWithNone::derive(weights, all).normal, 3) ==
        std::set<std::size_t>{1, 2});
}

TEST_CASE("darts: weights that are no weights are refused") {
  const Restriction<Darts> all;
  auto weights = uniform_weights(all);
  weights[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(Darts::derive(weights, all), Contains("sep_conv_3x3 on normal 2<-0"));
  weights[3] = -1.0;
  CHECK_THROWS_AS(Darts::derive(weights, all), ValueError);
  // Outside the restriction nothing is read.
  const auto some = all.with(DecisionId(0), OptionSet::first(3));
  CHECK_NOTHROW(Darts::derive(weights, some));
  weights.pop_back();
  CHECK_THROWS_WITH(Darts::derive(weights, some), Contains("195 option weights, 196 needed"));
  CHECK_THROWS_AS(derive<Darts>(weights, some), ValueError);
}

TEST_CASE("darts: absurd network shapes are refused") {
  const DartsGenotype genotype;
  CHECK_THROWS_AS(cost(genotype, {.channels = 0}), ValueError);
  CHECK_THROWS_AS(cost(genotype, {.cells = 0}), ValueError);
  CHECK_THROWS_AS(cost(genotype, {.image = 30}), ValueError);
  CHECK_THROWS_AS(cost(genotype, {.channels = 37}), ValueError);
}
