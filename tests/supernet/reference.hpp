#pragma once

// What the tests against the public code's numbers have in common. LibTorch is precompiled.

#include <Eigen/Core>
#include <cleave/score/cosine.hpp>
#include <cleave_test.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::testing {

inline std::vector<char> bytes_of(const std::string& name) {
  const auto path = fixture_path(name);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The tensors of a reference file, by name.
using TensorFile = c10::Dict<c10::IValue, c10::IValue>;
inline TensorFile read_tensors(const std::string& name) {
  return torch::pickle_load(bytes_of(name)).toGenericDict();
}

/// Largest difference, relative to the largest magnitude of the reference.
inline double difference(const at::Tensor& ours, const at::Tensor& theirs) {
  REQUIRE(ours.sizes() == theirs.sizes());
  const auto reference = theirs.to(at::kDouble);
  const auto worst = (ours.detach().to(at::kDouble) - reference).abs().max().item<double>();
  return worst / reference.abs().max().item<double>();
}

/// The public code's cosine, with its 1e-6 in the denominator.
struct PaddedCosine {
  static constexpr std::string_view name = "cosine with 1e-6 in the denominator";
  at::Tensor operator()(const score::GradientView& view) const {
    const auto dots = score::gram(view);
    const auto norms = dots.diagonal().sqrt();
    return dots.div(norms.outer(norms).add(1e-6));
  }
};
static_assert(score::GradientSimilarity<PaddedCosine>);

inline Eigen::MatrixXd matrix(const at::Tensor& tensor) {
  const auto values = tensor.to(at::kDouble).contiguous();
  return Eigen::Map<const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      values.const_data_ptr<double>(), values.size(0), values.size(1));
}

}  // namespace cleave::testing
