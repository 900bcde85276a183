// expect: a similarity needs `at::Tensor operator()(const score::GradientView&) const`
// needs: torch
#include <cleave/split/gradient_matching.hpp>

// One number cannot say how alike every pair of children is.
struct OneNumber {
  static constexpr std::string_view name = "one number";
  double operator()(const cleave::score::GradientView& view) const {
    return view.rows.norm().item<double>();
  }
};

using Matching = cleave::split::GradientMatching<OneNumber>;
int main() { return sizeof(Matching) == 0; }
