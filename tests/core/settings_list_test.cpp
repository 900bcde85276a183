#include <cleave/core/settings_list.hpp>
#include <cleave/core/ids.hpp>
#include <cleave_test.hpp>
#include <string>
#include <string_view>
#include <vector>

using namespace cleave;

namespace {

struct Rate {
  static constexpr std::string_view name = "cosine";
  double first = 0.1;
  template <class F>
  void fields(F&& field) const {
    field("first", first);
  }
};
struct Nameless {
  Rate rate{};
  std::vector<std::size_t> rungs{3, 12};
  std::vector<Rate> rates{{0.1}, {0.2}};
  bool nesterov = true;
  DecisionId decision{4};
  template <class F>
  void fields(F&& field) const {
    field("rate", rate);
    field("rungs", rungs);
    field("rates", rates);
    field("nesterov", nesterov);
    field("decision", decision);
  }
};
struct Custom {  // a user's policy need not list anything but its name
  static constexpr std::string_view name = "custom";
};

}  // namespace

TEST_CASE("settings are listed by dotted name, policies by name") {
  SettingsList list;
  list("strategy", Nameless{});
  list("criterion", Custom{});
  list("text", std::string_view("x"));
  const std::map<std::string, std::string> expected{
      {"criterion", "custom"},          {"strategy.decision", "4"},
      {"strategy.nesterov", "yes"},     {"strategy.rate", "cosine"},
      {"strategy.rate.first", "0.1"},   {"strategy.rates", "[cosine, first 0.1, cosine, first 0.2]"},
      {"strategy.rungs", "[3, 12]"},    {"text", "x"}};
  CHECK(list.values() == expected);
}

TEST_CASE("differences name both sides, and what may change is left out") {
  const std::map<std::string, std::string> there{{"a", "1"}, {"b.c", "2"}, {"b.d", "3"}};
  const std::map<std::string, std::string> here{{"a", "1"}, {"b.c", "4"}, {"e", "5"}};
  CHECK(differences(there, there).empty());
  CHECK(differences(there, here) ==
        std::vector<std::string>{"b.c: 2 there, 4 here", "b.d: 3 there, nothing here",
                                 "e: nothing there, 5 here"});
  CHECK(differences(there, here, {"b", "e"}).empty());
  CHECK(differences(there, here, {"b"}).size() == 1);
}
