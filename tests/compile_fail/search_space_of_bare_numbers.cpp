// expect: a search space needs the static functions `option_count(DecisionId)`, constexpr, and `option_name(DecisionId, OptionId)`
// needs: core
#include <cleave/space/genotype.hpp>

struct Bare {
  static constexpr std::string_view name = "bare";
  static constexpr std::size_t decision_count = 3;
  static constexpr std::size_t option_count(int) { return 2; }  // ids do not turn into numbers
  static constexpr std::string_view option_name(int, int) { return "a"; }
};

cleave::Architecture<Bare> architecture;
