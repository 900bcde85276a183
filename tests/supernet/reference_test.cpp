#include "reference.hpp"

#include <cleave/graph/reference_rules.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fused_by_type.hpp"

// Numbers of the public code (nasbench201.pt and .json). Sizes come from the files, so the same
// tests run on another set of numbers named by CLEAVE_FIXTURES.

using namespace cleave;
using Space = space::NasBench201;
using Net = supernet::NasBench201<testing::FusedByType>;
using namespace cleave::testing;

namespace {

struct Reference {
  nlohmann::json facts;
  c10::Dict<c10::IValue, c10::IValue> tensors;

  Reference()
      : facts(nlohmann::json::parse(bytes_of("nasbench201.json"))),
        tensors(torch::jit::pickle_load(bytes_of("nasbench201.pt")).toGenericDict()) {}

  [[nodiscard]] at::Tensor operator[](const std::string& name) const {
    return tensors.at(name).toTensor();
  }
};

const Reference& reference() {
  static const Reference read;
  return read;
}

/// The reference supernet and its inputs in one scalar type.
struct Scene {
  at::ScalarType scalar;
  std::uint64_t jitter;
  Net net;

  explicit Scene(at::ScalarType type, std::uint64_t jitter_of = 0)
      : scalar(type), jitter(jitter_of), net({}, config(type), Stream(1)) {
    const at::NoGradGuard no_grad;
    for (const auto& entry : net.arena().entries()) {
      at::Tensor weight = net.arena().named(entry.name);
      const auto theirs = reference()["state/" + std::string(entry.name)];
      REQUIRE(weight.sizes() == theirs.sizes());
      weight.copy_(jittered(theirs, jitter, Stream(1).fork(entry.name)));
    }
  }

  static Net::Config config(at::ScalarType type) {
    const auto& r = reference();
    return {.channels = r.facts.at("C"),
            .cells = r.facts.at("N"),
            .image_channels = r["x"].size(1),
            .classes = r["logits"].size(1),
            .scalar = type};
  }
  [[nodiscard]] at::Tensor get(const std::string& name) const {
    return reference()[name].to(scalar);
  }
  [[nodiscard]] at::Tensor images(const std::string& name) const {
    return jittered(get(name), jitter, Stream(2).fork(name));
  }
  [[nodiscard]] data::Batch train() const { return {images("x"), reference()["y"]}; }
  [[nodiscard]] data::Batch valid() const { return {images("x_valid"), reference()["y_valid"]}; }
  [[nodiscard]] Mixture<Space> theta() const { return Mixture<Space>::weighted({}, get("theta")); }
};

/// Relative to the largest magnitude.
double tolerance(at::ScalarType type) { return type == at::kDouble ? 1e-9 : 1e-4; }
double second_order_tolerance(at::ScalarType type) { return type == at::kDouble ? 1e-6 : 1e-4; }

using Tensors = std::vector<at::Tensor>;
template <class Evaluate>
void check_against(at::ScalarType type, const Tensors& theirs, double tolerance,
                   Evaluate evaluate) {
  check_reference<Scene>(type, theirs, tolerance, evaluate);
}

template <class Similarity>
SplitOutcome match(Scene& scene, Probe probe) {
  std::vector<DecisionId> open;
  for (std::size_t d = 0; d < Space::decision_count; ++d) open.emplace_back(d);
  SplitMemory memory;
  const SplitScene<Net> stage(
      scene.net, open, 2,
      {[&](Stream) { return scene.theta(); }, [&](Stream) { return scene.train(); }}, memory,
      Stream(2));
  const split::GradientMatching<Similarity, graph::ReferenceNasBench201, split::LargestCutDistance,
                                split::FixedRepeats>
      criterion{.repeats = {1}, .probe = probe};
  return criterion(stage);
}

template <class Order>
strategy::Darts<Order> reference_darts() {
  const auto& settings = reference().facts.at("second_order");
  strategy::Darts<Order> darts;
  const double rate = settings.at("eta");
  darts.weights.rate = {rate, rate};
  darts.weights.momentum = settings.at("momentum");
  darts.weights.weight_decay = settings.at("weight_decay");
  if constexpr (requires { darts.order.radius; }) darts.order.radius = settings.at("hvp_r");
  return darts;
}

template <class Order>
auto state_of(const strategy::Darts<Order>& darts, const Scene& scene) {
  auto state = darts.start(scene.net, Stream(3));
  state.alpha = scene.get("alpha").clone().set_requires_grad(true);
  return state;
}

}  // namespace

TEST_CASE("the supernet has exactly the public code's weights") {
  const Scene scene(at::kDouble);
  std::size_t theirs = 0;
  for (const auto& item : reference().tensors) {
    const auto name = item.key().toStringRef();
    theirs += name.starts_with("state/") && name.find("running_") == std::string::npos &&
              name.find("num_batches") == std::string::npos;
  }
  CHECK(scene.net.arena().entries().size() == theirs);
}

TEST_CASE("options and edges stand in the public code's order") {
  const auto& facts = reference().facts;
  for (std::size_t o = 0; o < facts.at("ops").size(); ++o)
    CHECK(facts.at("ops").at(o).get<std::string>() == Space::operations.at(o));
  for (std::size_t e = 0; e < facts.at("edges").size(); ++e)
    CHECK(facts.at("edges").at(e).get<std::string>() == Space::decision_name(DecisionId(e)));
}

TEST_CASE("logits and losses are the public code's") {
  for (const auto type : {at::kDouble, at::kFloat}) {
    CAPTURE(at::toString(type));
    check_against(type, {reference()["logits"]}, tolerance(type), [](Scene& scene) {
      return Tensors{scene.net.forward(scene.train().images, scene.theta())};
    });
    for (const auto& [probe, name] :
         {std::pair(Probe::Hard, "loss_hard"), std::pair(Probe::Soft, "loss_soft")}) {
      CAPTURE(name);
      check_against(type, {reference()[name]}, tolerance(type), [&, probe = probe](Scene& scene) {
        const auto batch = scene.train();
        auto losses = torch::zeros({Space::decision_count, 5}, scene.scalar);
        for (std::size_t e = 0; e < Space::decision_count; ++e)
          for (std::size_t o = 0; o < Space::operations.size(); ++o) {
            const auto context = scene.net.probe(scene.theta(), DecisionId(e), OptionId(o), probe);
            losses[static_cast<std::int64_t>(e)][static_cast<std::int64_t>(o)] =
                at::cross_entropy_loss(scene.net.forward(batch.images, context), batch.labels)
                    .detach();
          }
        return Tensors{losses};
      });
    }
  }
}

TEST_CASE("gradient distances are the public code's, hard and soft, on every edge") {
  for (const auto type : {at::kDouble, at::kFloat}) {
    for (const auto& [probe, name] :
         {std::pair(Probe::Hard, "distance_hard"), std::pair(Probe::Soft, "distance_soft")}) {
      CAPTURE(at::toString(type), name);
      const auto all = reference()[name];
      check_against(type, all.unbind(0), tolerance(type), [&, probe = probe](Scene& scene) {
        const auto outcome = match<PaddedCosine>(scene, probe);
        REQUIRE(outcome.evidence.size() == Space::decision_count);
        CHECK(outcome.passes == Space::decision_count * Space::operations.size());
        Tensors distances;
        for (const auto& seen : outcome.evidence) distances.push_back(1 - tensor(seen.similarity));
        return distances;
      });
      // Without the 1e-6 a cosine c becomes c (1 + 1e-6 / |g_i| |g_j|). How much that is at most
      // stands on the diagonal of theirs: 1 - |g|^2 / (|g|^2 + 1e-6).
      Scene scene(type);
      const auto padded = match<PaddedCosine>(scene, probe);
      const auto exact = match<score::Cosine>(scene, probe);
      for (std::size_t e = 0; e < Space::decision_count; ++e) {
        CAPTURE(e);
        const auto theirs = matrix(all[static_cast<std::int64_t>(e)]);
        CHECK((exact.evidence[e].similarity - padded.evidence[e].similarity).cwiseAbs().maxCoeff() <
              1.01 * theirs.diagonal().maxCoeff() + 0.01 * tolerance(type));
      }
    }
  }
}

TEST_CASE("every edge is cut as the public code cuts it") {
  for (const auto type : {at::kDouble, at::kFloat}) {
    CAPTURE(at::toString(type));
    Scene scene(type);
    const auto outcome = match<PaddedCosine>(scene, Probe::Hard);
    double largest = 0;
    std::size_t chosen = 0;
    Eigen::VectorXd by_theirs(Space::decision_count);  // how good our groups are by their distances
    double furthest = 0;  // between any of our cuts and theirs, at most
    for (const auto& cut : reference().facts.at("cuts")) {
      const std::size_t e = cut.at("edge");
      CAPTURE(e);
      const auto& evidence = outcome.evidence.at(e);
      std::vector<OptionSet> groups;
      for (const auto& group : cut.at("groups")) {
        OptionSet options;
        for (const std::size_t o : group) options.insert(OptionId(o));
        groups.push_back(options);
      }
      const double theirs = cut.at("cut_distance");
      const auto distances = matrix(reference()["distance_hard"][static_cast<std::int64_t>(e)]);
      double sum = 0;
      for (const auto a : evidence.groups.at(0))
        for (const auto b : evidence.groups.at(1))
          sum +=
              distances(static_cast<Eigen::Index>(a.index()), static_cast<Eigen::Index>(b.index()));
      by_theirs[static_cast<Eigen::Index>(e)] = sum;
      const double pairs = static_cast<double>(groups.at(0).size() * groups.at(1).size());
      const Eigen::MatrixXd off = 1.0 - evidence.similarity.array() - distances.array();
      const double off_by = 1e-12 + pairs * off.cwiseAbs().maxCoeff();
      CHECK(std::abs(pairs - evidence.cut - theirs) <= off_by);
      // The best by distances that are a little off can be no worse than twice that.
      CHECK(sum >= theirs - 2 * off_by);
      if (type == at::kDouble) {
        CHECK(std::is_permutation(groups.begin(), groups.end(), evidence.groups.begin(),
                                  evidence.groups.end()));
        CHECK(pairs - evidence.cut == Approx(theirs).epsilon(tolerance(type)));
      }
      furthest = std::max(furthest, off_by);
      if (theirs > largest) {
        largest = theirs;
        chosen = e;
      }
    }
    const auto taken = outcome.split.decision.index();
    if (type == at::kDouble) CHECK(taken == chosen);
    CHECK((outcome.split.groups == outcome.evidence.at(taken).groups));
    CHECK(by_theirs[static_cast<Eigen::Index>(taken)] >= largest - 2 * furthest);
  }
}

TEST_CASE("alpha gradients and a weight step are the public code's") {
  const auto first = reference_darts<strategy::FirstOrder>();
  const auto second = reference_darts<strategy::SecondOrder>();
  for (const auto type : {at::kDouble, at::kFloat}) {
    CAPTURE(at::toString(type));
    check_against(type, {reference()["alpha_grad_first_order"], reference()["loss_valid"]},
                  tolerance(type), [&](Scene& scene) {
                    const auto [loss, gradient] =
                        first.alpha_gradient(scene.net, state_of(first, scene),
                                             {.weights = scene.train(), .search = scene.valid()});
                    return Tensors{gradient, loss};
                  });
    check_against(
        type, {reference()["alpha_grad_second_order"]}, second_order_tolerance(type),
        [&](Scene& scene) {
          auto state = state_of(second, scene);
          return Tensors{second
                             .alpha_gradient(scene.net, state,
                                             {.weights = scene.train(), .search = scene.valid()})
                             .second};
        });
    const auto stepped = [&](Scene& scene) {
      auto state = state_of(second, scene);
      TrainingStep step{.weights = scene.train(), .search = scene.valid()};
      step.update_architecture = false;
      second.step(scene.net, state, step, Stream(4));
      return std::pair(state, step);
    };
    Tensors after;
    std::vector<std::string> names;
    const Scene any(type);
    for (const auto& entry : any.net.arena().entries()) {
      names.emplace_back(entry.name);
      after.push_back(reference()["after_step/" + names.back()]);
    }
    check_against(type, after, tolerance(type), [&](Scene& scene) {
      stepped(scene);
      Tensors weights;
      for (const auto& name : names) weights.push_back(scene.net.arena().named(name));
      return weights;
    });
    // Now the unrolled step has a momentum to follow.
    check_against(type, {reference()["alpha_grad_second_order_after_step"]},
                  second_order_tolerance(type), [&](Scene& scene) {
                    auto [state, step] = stepped(scene);
                    return Tensors{second.alpha_gradient(scene.net, state, step).second};
                  });
  }
}
