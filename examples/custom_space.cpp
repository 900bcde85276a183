// A search space of your own: say what may be chosen, and the library can count, sample, split
// and print it. Nothing is registered and nothing is derived from.

#include <array>
#include <cleave/space/genotype.hpp>
#include <cleave/split/tree_text.hpp>
#include <cleave/testing/laws.hpp>
#include <cstdio>

// [space]
struct Sandwich {
  static constexpr std::string_view name = "sandwich";
  static constexpr std::size_t decision_count = 3;
  static constexpr std::array<std::size_t, decision_count> counts{2, 3, 2};
  static constexpr std::size_t option_count(cleave::DecisionId decision) {
    return counts.at(decision.index());
  }
  static constexpr std::string_view option_name(cleave::DecisionId decision,
                                                cleave::OptionId option) {
    constexpr std::array<std::array<std::string_view, 3>, decision_count> names{
        {{"conv3", "conv5"}, {"relu", "gelu", "silu"}, {"batch_norm", "layer_norm"}}};
    return names.at(decision.index()).at(option.index());
  }
  static constexpr std::string_view decision_name(cleave::DecisionId decision) {
    return std::array<std::string_view, 3>{"filter", "activation", "norm"}.at(decision.index());
  }
};
static_assert(cleave::SearchSpace<Sandwich>);
// [space]

int main() {
  using namespace cleave;
  // The same laws the built-in spaces are held to.
  for (const auto& broken : testing::check_space<Sandwich>()) std::puts(broken.c_str());

  const Restriction<Sandwich> all;
  const DecisionId activation(1);
  std::printf("%s architectures\n", to_string(all.count()).c_str());

  Stream stream(7);
  std::printf("one of them: %s\n", to_text<Sandwich>(sample<Sandwich>(all, stream)).c_str());

  SplitTree<Sandwich> tree;
  const auto halves = tree.split(0, {activation, {OptionSet{OptionId(0)},
                                                  OptionSet{OptionId(1), OptionId(2)}}});
  tree.split(halves[1], {DecisionId(0), {OptionSet{OptionId(0)}, OptionSet{OptionId(1)}}});
  std::fputs(to_text(tree).c_str(), stdout);

  const std::array<double, 9> weights{0.3, 0.7, 0.0, 0.6, 0.1, 0.3, 0.5, 0.5, 0.0};
  const auto& leaf = tree[halves[1]].restriction;
  std::printf("best of the second half: %s\n",
              to_text<Sandwich>(derive<Sandwich>(weights, leaf)).c_str());
  return 0;
}
