// The README's first search: a small one on the digits inside the library.

// [search]
#include <cleave/cleave.hpp>

int main() {
  using Space = cleave::space::NasBench201;
  using Search = cleave::FewShotSearch<Space, cleave::strategy::Darts<cleave::strategy::SecondOrder>,
                                       cleave::split::GradientMatching<>>;
  Search::Settings settings;
  settings.supernet = {.channels = 8, .cells = 1, .image_channels = 1};
  settings.network = settings.supernet;
  settings.schedule = {.splits = {{1, 2}, {2, 2}}, .final_epochs = 1};  // epochs, groups; epochs

  const auto result = Search(settings).run(cleave::data::digits().take(400, 100));
  for (const auto& leaf : result.leaves)
    fmt::print("leaf {}: {}\n", result.tree[leaf.node].path, cleave::to_text<Space>(leaf.genotype));
  fmt::print("chosen: {}\n", cleave::to_text<Space>(result.genotype()));
}
// [search]
