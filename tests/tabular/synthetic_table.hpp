#pragma once

#include <cleave/core/random.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <string>
#include <vector>

/// A CSV of the right form with invented numbers, so that readers are tested where the real
/// benchmark is not at hand. `rows` can be fewer than a whole table.
inline std::string synthetic_csv(std::size_t rows, cleave::Stream stream) {
  using namespace cleave;
  std::string text = "index,arch,topo_id,c10_test,c10_val_s2,in16_params,c100_train_s\n";
  for (std::size_t row = 0; row < rows; ++row) {
    const auto architecture = space::from_official_index(row);
    text += fmt::format(
        "{},{},{},{:.4f},{},{},{:.2f}\n", row, space::NasBench201::to_text(architecture),
        stream.below(6466), 10 + 84 * stream.uniform(),
        stream.below(2) == 0 ? std::string() : fmt::format("{:.3f}", 90 * stream.uniform()),
        space::cost(architecture, tabular::shape_of(tabular::DataSetName::ImageNet16)).params,
        1000 + 5000 * stream.uniform());
  }
  return text;
}
