#include <cleave/graph/reference_rules.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/supernet/darts.hpp>
#include <cleave_test.hpp>
#include <set>
#include <string>
#include <vector>

#include "reference.hpp"

// Numbers of the public code's DARTS supernet (darts.pt): three cells, reduction at 1 and 2. Sizes
// come from the file, so the same tests run on another set of numbers named by CLEAVE_FIXTURES.

using namespace cleave;
using namespace cleave::testing;
using Space = space::Darts;
using Net = supernet::Darts<>;

namespace {

const TensorFile& darts() {
  static const TensorFile read = read_tensors("darts.pt");
  return read;
}
at::Tensor stored(const std::string& name) { return darts().at(name).toTensor(); }

/// Edges of which the file holds distances.
std::vector<DecisionId> measured() {
  std::vector<DecisionId> edges;
  for (std::size_t d = 0; d < Space::decision_count; ++d)
    if (darts().contains(fmt::format("distance_soft/{}", d))) edges.emplace_back(d);
  return edges;
}

struct Scene {
  at::ScalarType scalar;
  std::uint64_t jitter;
  Net net;

  explicit Scene(at::ScalarType type, std::uint64_t jitter_of = 0)
      : scalar(type),
        jitter(jitter_of),
        net({},
            {.channels = stored("state/stem.0.weight").size(0) / 3,
             .cells = 3,
             .image_channels = stored("x").size(1),
             .classes = stored("logits").size(1),
             .scalar = type},
            Stream(1)) {
    const at::NoGradGuard no_grad;
    for (const auto& entry : net.arena().entries()) {
      at::Tensor weight = net.arena().named(entry.name);
      const auto theirs = stored("state/" + std::string(entry.name));
      REQUIRE(weight.sizes() == theirs.sizes());
      weight.copy_(jittered(theirs, jitter, Stream(1).fork(entry.name)));
    }
  }
  [[nodiscard]] at::Tensor get(const std::string& name) const { return stored(name).to(scalar); }
  [[nodiscard]] data::Batch batch() const {
    return {jittered(get("x"), jitter, Stream(2)), stored("y")};
  }
  /// softmax of the file's alphas.
  [[nodiscard]] Mixture<Space> theta() const {
    return Mixture<Space>::weighted({},
                                    at::cat({get("alpha_normal"), get("alpha_reduce")}).softmax(1));
  }
};

double tolerance(at::ScalarType type) { return type == at::kDouble ? 1e-9 : 1e-4; }

}  // namespace

TEST_CASE("the DARTS supernet has exactly the public code's weights") {
  const Scene scene(at::kDouble);
  std::size_t theirs = 0;
  for (const auto& item : darts()) {
    const auto name = item.key().toStringRef();
    theirs += name.starts_with("state/") && name.find("running_") == std::string::npos &&
              name.find("num_batches") == std::string::npos;
  }
  CHECK(scene.net.arena().entries().size() == theirs);
}

TEST_CASE("the DARTS supernet's logits are the public code's") {
  for (const auto type : {at::kDouble, at::kFloat}) {
    CAPTURE(at::toString(type));
    check_reference<Scene>(type, {stored("logits")}, tolerance(type), [](Scene& scene) {
      return std::vector{scene.net.forward(scene.batch().images, scene.theta())};
    });
  }
}

TEST_CASE("soft gradient distances on the DARTS space are the public code's") {
  std::vector<at::Tensor> theirs;
  for (const auto edge : measured())
    theirs.push_back(stored(fmt::format("distance_soft/{}", edge.index())));
  REQUIRE(theirs.size() >= 6);
  for (const auto type : {at::kDouble, at::kFloat}) {
    CAPTURE(at::toString(type));
    check_reference<Scene>(type, theirs, tolerance(type), [](Scene& scene) {
      SplitMemory memory;
      const SplitScene<Net> stage(
          scene.net, measured(), 2,
          {[&](Stream) { return scene.theta(); }, [&](Stream) { return scene.batch(); }}, memory,
          Stream(2));
      const split::GradientMatching<PaddedCosine, graph::ReferenceDarts, split::LeastWithinDistance,
                                    split::FixedRepeats>
          criterion{.repeats = {1}, .probe = Probe::Soft};
      const auto outcome = criterion(stage);
      std::vector<at::Tensor> distances;
      for (const auto& seen : outcome.evidence) distances.push_back(1 - tensor(seen.similarity));
      return distances;
    });
  }
}
