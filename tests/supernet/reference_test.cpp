#include <cleave/graph/reference_rules.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "reference.hpp"

// Numbers of the public code (nasbench201.pt and .json). Sizes come from the files, so the same
// tests run on another set of numbers named by CLEAVE_FIXTURES.

using namespace cleave;
using Space = space::NasBench201;
using Net = supernet::NasBench201<>;
using namespace cleave::testing;

namespace {

struct Reference {
  nlohmann::json facts;
  c10::Dict<c10::IValue, c10::IValue> tensors;

  Reference()
      : facts(nlohmann::json::parse(bytes_of("nasbench201.json"))),
        tensors(torch::pickle_load(bytes_of("nasbench201.pt")).toGenericDict()) {}

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
  Net net;

  explicit Scene(at::ScalarType type) : scalar(type), net({}, config(type), Stream(1)) {
    const at::NoGradGuard no_grad;
    for (const auto& entry : net.arena().entries()) {
      at::Tensor weight = net.arena().named(entry.name);
      const auto theirs = reference()["state/" + std::string(entry.name)];
      REQUIRE(weight.sizes() == theirs.sizes());
      weight.copy_(theirs);
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
  [[nodiscard]] data::Batch train() const { return {get("x"), reference()["y"]}; }
  [[nodiscard]] data::Batch valid() const { return {get("x_valid"), reference()["y_valid"]}; }
  [[nodiscard]] Mixture<Space> theta() const { return Mixture<Space>::weighted({}, get("theta")); }
  /// Relative to the largest magnitude.
  [[nodiscard]] double tolerance() const { return scalar == at::kDouble ? 1e-9 : 1e-4; }
  [[nodiscard]] double second_order_tolerance() const {
    return scalar == at::kDouble ? 1e-6 : 1e-4;
  }
};

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
    const Scene scene(type);
    CAPTURE(at::toString(type));
    const auto logits = scene.net.forward(scene.get("x"), scene.theta());
    CHECK(difference(logits, scene.get("logits")) < scene.tolerance());
    for (const auto& [probe, name] :
         {std::pair(Probe::Hard, "loss_hard"), std::pair(Probe::Soft, "loss_soft")}) {
      auto losses = torch::zeros_like(scene.get(name));
      for (std::size_t e = 0; e < Space::decision_count; ++e)
        for (std::size_t o = 0; o < Space::operations.size(); ++o) {
          const auto context = scene.net.probe(scene.theta(), DecisionId(e), OptionId(o), probe);
          losses[static_cast<std::int64_t>(e)][static_cast<std::int64_t>(o)] =
              at::cross_entropy_loss(scene.net.forward(scene.get("x"), context),
                                     scene.train().labels)
                  .detach();
        }
      CAPTURE(name);
      CHECK(difference(losses, scene.get(name)) < scene.tolerance());
    }
  }
}

TEST_CASE("gradient distances are the public code's, hard and soft, on every edge") {
  for (const auto type : {at::kDouble, at::kFloat}) {
    Scene scene(type);
    for (const auto& [probe, name] :
         {std::pair(Probe::Hard, "distance_hard"), std::pair(Probe::Soft, "distance_soft")}) {
      CAPTURE(at::toString(type), name);
      const auto padded = match<PaddedCosine>(scene, probe);
      const auto exact = match<score::Cosine>(scene, probe);
      REQUIRE(padded.evidence.size() == Space::decision_count);
      CHECK(padded.passes == Space::decision_count * Space::operations.size());
      for (std::size_t e = 0; e < Space::decision_count; ++e) {
        CAPTURE(e);
        const auto theirs = matrix(reference()[name][static_cast<std::int64_t>(e)]);
        const Eigen::MatrixXd ours = 1.0 - padded.evidence[e].similarity.array();
        CHECK((ours - theirs).cwiseAbs().maxCoeff() <
              scene.tolerance() * theirs.cwiseAbs().maxCoeff());
        // What is left of the 1e-6 where gradients are not tiny.
        const Eigen::MatrixXd unpadded = 1.0 - exact.evidence[e].similarity.array();
        CHECK((unpadded - theirs).cwiseAbs().maxCoeff() < (type == at::kDouble ? 1e-5 : 1e-4));
      }
    }
  }
}

TEST_CASE("every edge is cut as the public code cuts it") {
  for (const auto type : {at::kDouble, at::kFloat}) {
    Scene scene(type);
    CAPTURE(at::toString(type));
    const auto outcome = match<PaddedCosine>(scene, Probe::Hard);
    double largest = 0;
    std::size_t chosen = 0;
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
      CHECK(std::is_permutation(groups.begin(), groups.end(), evidence.groups.begin(),
                                evidence.groups.end()));
      const double pairs = static_cast<double>(groups.at(0).size() * groups.at(1).size());
      const double theirs = cut.at("cut_distance");
      CHECK(pairs - evidence.cut == Approx(theirs).epsilon(scene.tolerance()));
      if (theirs > largest) {
        largest = theirs;
        chosen = e;
      }
    }
    CHECK(outcome.split.decision == DecisionId(chosen));
    CHECK((outcome.split.groups == outcome.evidence.at(chosen).groups));
  }
}

TEST_CASE("alpha gradients and a weight step are the public code's") {
  for (const auto type : {at::kDouble, at::kFloat}) {
    Scene scene(type);
    CAPTURE(at::toString(type));
    TrainingStep step{.weights = scene.train(), .search = scene.valid()};
    const auto first = reference_darts<strategy::FirstOrder>();
    const auto first_state = state_of(first, scene);
    const auto [loss, gradient] = first.alpha_gradient(scene.net, first_state, step);
    CHECK(difference(gradient, scene.get("alpha_grad_first_order")) < scene.tolerance());
    CHECK(difference(loss, scene.get("loss_valid")) < scene.tolerance());

    const auto second = reference_darts<strategy::SecondOrder>();
    auto state = state_of(second, scene);
    CHECK(difference(second.alpha_gradient(scene.net, state, step).second,
                     scene.get("alpha_grad_second_order")) < scene.second_order_tolerance());

    step.update_architecture = false;
    second.step(scene.net, state, step, Stream(4));
    for (const auto& entry : scene.net.arena().entries()) {
      const std::string name(entry.name);
      CAPTURE(name);
      CHECK(difference(scene.net.arena().named(name), scene.get("after_step/" + name)) <
            scene.tolerance());
    }
    // Now the unrolled step has a momentum to follow.
    CHECK(difference(second.alpha_gradient(scene.net, state, step).second,
                     scene.get("alpha_grad_second_order_after_step")) <
          scene.second_order_tolerance());
  }
}
