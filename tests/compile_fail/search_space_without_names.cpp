// expect: a search space needs the static functions `option_count(DecisionId)`, constexpr, and `option_name(DecisionId, OptionId)`
// needs: core
#include <cleave/space/genotype.hpp>

struct Nameless {
  static constexpr std::string_view name = "nameless";
  static constexpr std::size_t decision_count = 3;
  static constexpr std::size_t option_count(cleave::DecisionId) { return 2; }
};

cleave::Restriction<Nameless> restriction(cleave::Architecture<Nameless>{});
