#pragma once

// What the tests against the public code's numbers have in common. LibTorch is precompiled.

#include <Eigen/Core>
#include <algorithm>
#include <cleave/core/random.hpp>
#include <cleave/score/cosine.hpp>
#include <cleave_test.hpp>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <torch/csrc/jit/serialization/pickle.h>
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
  return torch::jit::pickle_load(bytes_of(name)).toGenericDict();
}

/// Largest difference, relative to the largest magnitude of the reference.
inline double difference(const at::Tensor& ours, const at::Tensor& theirs) {
  REQUIRE(ours.sizes() == theirs.sizes());
  const auto reference = theirs.to(at::kDouble);
  const auto worst = (ours.detach().to(at::kDouble) - reference).abs().max().item<double>();
  return worst / reference.abs().max().item<double>();
}

/// Checks that `evaluate(scene)`, a list of tensors, is the public code's, each to `tolerance` of
/// its largest magnitude. A `Scene(type, jitter)` is a supernet and its inputs in one scalar type.
///
/// In float32 a ReLU may fall on the other side of its corner than in float64, and then more than
/// rounding differs: of 40 sets of random numbers that happened to 3. So where float32 is further
/// off, float64 is asked whether its numbers move as far when weights and images are changed by as
/// little as float32 rounds. In float64 nothing is excused.
template <class Scene, class Evaluate>
void check_reference(at::ScalarType type, const std::vector<at::Tensor>& theirs, double tolerance,
                     Evaluate evaluate) {
  const auto furthest = [&](Scene scene, const std::vector<at::Tensor>& from) {
    const std::vector<at::Tensor> ours = evaluate(scene);
    REQUIRE(ours.size() == from.size());
    double worst = 0;
    for (std::size_t i = 0; i < ours.size(); ++i)
      worst = std::max(worst, difference(ours[i], from[i]));
    return worst;
  };
  const double error = furthest(Scene(type), theirs);
  if (type == at::kFloat && !(error < tolerance)) {
    double moved = 0;
    for (std::uint64_t jitter = 1; jitter <= 16; ++jitter)
      moved = std::max(moved, furthest(Scene(at::kDouble, jitter), theirs));
    CAPTURE(moved);
    CHECK(error < 2 * moved);
    CHECK(moved < 0.1);
    return;
  }
  CHECK(error < tolerance);
}

/// A tensor changed by as little as float32 rounds, another way for every `jitter` but 0.
inline at::Tensor jittered(const at::Tensor& tensor, std::uint64_t jitter, Stream stream) {
  if (jitter == 0) return tensor;
  auto noise = at::empty(tensor.sizes(), at::kDouble);
  auto draw = stream.fork(jitter);
  auto* value = noise.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < noise.numel(); ++i) value[i] = 1 + 1e-6 * draw.normal();
  return tensor.mul(noise.to(tensor.scalar_type()));
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

inline at::Tensor tensor(const Eigen::MatrixXd& matrix) {
  auto result = at::empty({matrix.rows(), matrix.cols()}, at::kDouble);
  auto* value = result.mutable_data_ptr<double>();
  for (Eigen::Index i = 0; i < matrix.rows(); ++i)
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) *value++ = matrix(i, j);
  return result;
}

}  // namespace cleave::testing
