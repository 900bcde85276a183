#include <cleave/space/darts.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/testing/laws.hpp>
#include <cleave_test.hpp>

using namespace cleave;

TEMPLATE_TEST_CASE("every space keeps the laws", "", space::Toy, space::NasBench201, space::Darts,
                   space::DartsWithNone, space::Proxyless, space::Ofa) {
  for (const auto& broken : testing::check_space<TestType>({.trials = 100, .seed = 3}))
    FAIL_CHECK(broken);
  SUCCEED();
}

namespace {

struct TwoReds : space::Toy {
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    return option.index() < 2 ? "red" : option.index() == 2 ? "blue" : "white";
  }
};

struct TwinDecisions : space::Toy {
  static constexpr std::string_view decision_name(DecisionId) { return "edge"; }
};

struct Comma : space::Toy {
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    return std::array<std::string_view, 4>{"a", "b,c", "d", "e"}.at(option.index());
  }
};

struct Forgetful : space::Toy {
  static std::string to_text(const Architecture<Forgetful>&) { return "red,red,red,red"; }
};

struct Disobedient : space::Toy {
  static Architecture<Disobedient> sample(const Restriction<Disobedient>&, Stream&) { return {}; }
};

}  // namespace

TEST_CASE("the law checks notice what is wrong") {
  CHECK_FALSE(testing::check_space<TwoReds>().empty());
  CHECK_FALSE(testing::check_space<TwinDecisions>().empty());
  CHECK_FALSE(testing::check_space<Comma>().empty());
  CHECK_FALSE(testing::check_space<Forgetful>().empty());
  CHECK_FALSE(testing::check_space<Disobedient>().empty());
}
