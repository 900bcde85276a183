// expect: the split criterion needs SplitOutcome operator()(const SplitScene<Net>&) const
// needs: torch
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/strategy/darts.hpp>

// Groups alone do not say which decision they are of.
struct OnlyGroups {
  static constexpr std::string_view name = "only groups";
  template <class Net>
  std::vector<cleave::OptionSet> operator()(const cleave::SplitScene<Net>&) const {
    return {};
  }
};

using Search =
    cleave::FewShotSearch<cleave::space::NasBench201, cleave::strategy::Darts<>, OnlyGroups>;
int main() { return sizeof(Search) == 0; }
