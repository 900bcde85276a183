// expect: a search space needs the static members `name` (text) and `decision_count` (a constant of at least 1)
// needs: core
#include <cleave/space/genotype.hpp>

struct Grows {
  static constexpr std::string_view name = "grows";
  static std::size_t decision_count;  // known only when the program runs
  static constexpr std::size_t option_count(cleave::DecisionId) { return 2; }
  static constexpr std::string_view option_name(cleave::DecisionId, cleave::OptionId) {
    return "a";
  }
};

cleave::Architecture<Grows> architecture;
