#include <cleave/split/exhaustive.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/split/random.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave_test.hpp>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

using namespace cleave;

namespace {

at::Tensor random(at::IntArrayRef shape, Stream stream) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(stream.seed());
  return torch::randn(shape, generator, at::TensorOptions(at::kFloat));
}

/// Three decisions with five options each.
struct PlantedSpace {
  static constexpr std::string_view name = "planted";
  static constexpr std::size_t decision_count = 3;
  static constexpr std::size_t option_count(DecisionId) { return 5; }
  static constexpr std::string_view option_name(DecisionId, OptionId option) {
    constexpr std::string_view names[] = {"a", "b", "c", "d", "e"};
    return names[option.index()];
  }
};
static_assert(SearchSpace<PlantedSpace>);

/// logits = V (sum of w_{d,o} x * p_{d,o}): an option is a pattern p its images are multiplied
/// with. The gradient of V follows the pattern, so options with like patterns pull V alike. At one
/// decision, two options have the pattern u and three have -u, everywhere else all five are alike;
/// noise is added to every pattern.
class Planted {
 public:
  using Space = PlantedSpace;
  using Context = Mixture<Space>;
  static constexpr std::int64_t width = 48;
  static constexpr std::int64_t classes = 3;

  Split planted;

  explicit Planted(std::uint64_t seed) {
    trunk_ = arena_.declare("trunk", WeightGroup::shared(), {classes, width},
                            Initialiser::fan_in(width));
    bias_ = arena_.declare("bias", WeightGroup::unscored(), {classes}, Initialiser::value(0));
    for (std::size_t d = 0; d < 3; ++d)
      for (std::size_t o = 0; o < 5; ++o)
        patterns_.push_back(arena_.declare(fmt::format("pattern.{}.{}", d, o),
                                           WeightGroup::of(DecisionId(d), OptionId(o)), {width},
                                           Initialiser::value(0)));
    const Stream stream(seed);
    arena_.build(at::TensorOptions(at::kFloat), stream.fork("weights"));

    auto draw = stream.fork("plan");
    std::vector<std::size_t> order{0, 1, 2, 3, 4};
    draw.shuffle(order);
    OptionSet pair{OptionId(order[0]), OptionId(order[1])};
    planted = {DecisionId(draw.below(3)), {pair, OptionSet::first(5) - pair}};
    const at::NoGradGuard no_grad;
    for (std::size_t d = 0; d < 3; ++d) {
      const auto common = random({width}, stream.fork("common").fork(d));
      for (std::size_t o = 0; o < 5; ++o) {
        const bool turned = DecisionId(d) == planted.decision && !pair.contains(OptionId(o));
        at::Tensor pattern = arena_.weight(patterns_[d * 5 + o]);
        pattern.copy_(turned ? -common : common)
            .add_(random({width}, stream.fork("noise").fork(d * 5 + o)), 0.5);
      }
    }
  }

  [[nodiscard]] at::Tensor forward(const at::Tensor& images, const Context& mixture) const {
    const MixtureScalars<Space> scalars(mixture);
    auto features = at::zeros_like(images);
    for (std::size_t d = 0; d < 3; ++d)
      for (const auto option : mixture[DecisionId(d)]) {
        auto part = images * arena_.weight(patterns_[d * 5 + option.index()]);
        if (const auto* w = scalars.find(DecisionId(d), option)) part = part * *w;
        features = features + part;
      }
    return at::linear(features, arena_.weight(trunk_), arena_.weight(bias_));
  }
  [[nodiscard]] Context probe(const Context& context, DecisionId decision, OptionId option,
                              Probe kind) const {
    return context.probe(decision, option, kind);
  }
  [[nodiscard]] Context context_of(const Architecture<Space>& a) const { return Context::path(a); }
  [[nodiscard]] WeightArena& arena() noexcept { return arena_; }
  [[nodiscard]] const WeightArena& arena() const noexcept { return arena_; }
  [[nodiscard]] const Restriction<Space>& restriction() const noexcept { return allowed_; }

 private:
  Restriction<Space> allowed_;
  WeightArena arena_;
  WeightId trunk_;
  WeightId bias_;
  std::vector<WeightId> patterns_;
};
static_assert(MixtureSupernet<Planted>);

/// A scene around a planted supernet with random contexts and batches.
struct PlantedScene {
  Planted net;
  SplitMemory memory{};
  std::function<void(std::size_t, std::size_t)> tick = [](std::size_t, std::size_t) {};
  std::uint64_t seed;

  explicit PlantedScene(std::uint64_t number) : net(number), seed(number) {}

  [[nodiscard]] SplitScene<Planted> scene() {
    return {net,
            {DecisionId(0), DecisionId(1), DecisionId(2)},
            2,
            {[](Stream s) {
               return Planted::Context::weighted({}, random({3, 5}, s).mul(0.3).softmax(1));
             },
             [](Stream s) {
               const auto labels = torch::arange(24, at::kLong).remainder(Planted::classes);
               return data::Batch{random({24, Planted::width}, s), labels};
             },
             tick},
            memory,
            Stream(seed).fork("criterion")};
  }
};

template <class Repeat>
auto matching(Repeat repeat) {
  return split::GradientMatching<score::Cosine, graph::ExactBalanced, split::LowestNormalisedCut,
                                 Repeat>{.repeats = repeat};
}

graph::SimilarityMatrix similarity(double across, double within) {
  Eigen::MatrixXd values = Eigen::MatrixXd::Constant(4, 4, across);
  values(0, 1) = values(1, 0) = values(2, 3) = values(3, 2) = within;
  values.diagonal().setOnes();
  return graph::SimilarityMatrix(values);
}

split::Candidate candidate(std::size_t decision, double across, double within) {
  auto matrix = similarity(across, within);
  Stream stream;
  auto partition = graph::ExactBalanced{}(matrix, 2, stream);
  return {DecisionId(decision), std::move(matrix), std::move(partition)};
}

struct Snapshot {
  std::vector<at::Tensor> tensors;
  std::vector<const void*> gradients;

  template <class State>
  Snapshot(const supernet::NasBench201<>& net, const State& state) {
    for (const auto& tensor :
         {net.arena().values(), net.arena().gradients(), state.alpha.detach(),
          state.alpha_moments.first, state.alpha_moments.second, state.weight_moments.momentum,
          at::detail::getDefaultCPUGenerator().get_state()})
      tensors.push_back(tensor.clone());
    for (const auto& weight : net.arena().weights()) {
      gradients.push_back(weight.grad().const_data_ptr());
      tensors.push_back(weight.grad().clone());
    }
  }
  friend bool operator==(const Snapshot& a, const Snapshot& b) {
    if (a.gradients != b.gradients) return false;
    for (std::size_t i = 0; i < a.tensors.size(); ++i)
      if (!torch::equal(a.tensors[i], b.tensors[i])) return false;
    return true;
  }
};

}  // namespace

TEST_CASE("planted groups are found with every seed, by fixed repeats and until certain") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    PlantedScene fixed(seed);
    const auto by_count = matching(split::FixedRepeats{12})(fixed.scene());
    CHECK((by_count.split == fixed.net.planted));
    CHECK(by_count.repeats == 12);
    CHECK(by_count.passes == 12 * 3 * 5);
    REQUIRE(by_count.evidence.size() == 3);

    PlantedScene certain(seed);
    const auto by_certainty = matching(split::UntilCertain{})(certain.scene());
    CHECK((by_certainty.split == fixed.net.planted));
    CHECK(by_certainty.repeats >= split::UntilCertain{}.least);
    CHECK(by_certainty.repeats <= 20);
    CHECK(by_certainty.passes <= by_certainty.repeats * 3 * 5);
    for (const auto& evidence : by_count.evidence) {
      CHECK(evidence.options == OptionSet::first(5));
      CHECK(evidence.similarity.isApprox(evidence.similarity.transpose(), 0));
    }
  }
}

TEST_CASE("scoring that was stopped goes on where it was and ends the same") {
  PlantedScene whole(3);
  const auto expected = matching(split::FixedRepeats{6})(whole.scene());
  PlantedScene parts(3);
  struct Stop {};
  parts.tick = [](std::size_t done, std::size_t planned) {
    CHECK(planned == 6);
    if (done == 4) throw Stop{};
  };
  CHECK_THROWS_AS(matching(split::FixedRepeats{6})(parts.scene()), Stop);
  CHECK(parts.memory.size() == 4);
  parts.tick = [](std::size_t done, std::size_t) { CHECK(done >= 4); };
  const auto outcome = matching(split::FixedRepeats{6})(parts.scene());
  CHECK((outcome.split == expected.split));
  CHECK(outcome.passes == expected.passes);
  for (std::size_t d = 0; d < 3; ++d)
    CHECK(outcome.evidence[d].similarity == expected.evidence[d].similarity);
}

TEST_CASE("a gradient that is not finite names repeat and decision, and is unbound again") {
  PlantedScene scene(1);
  {
    const at::NoGradGuard no_grad;
    at::Tensor pattern = scene.net.arena().named("pattern.1.2");
    pattern[0] = std::numeric_limits<float>::quiet_NaN();
  }
  std::string message;
  try {
    (void)matching(split::FixedRepeats{2})(scene.scene());
  } catch (const NumericalError& error) {
    message = error.what();
  }
  CHECK(message.find("repeat 0") != std::string::npos);
  const auto& trunk = scene.net.arena().named("trunk");
  CHECK(trunk.grad().storage().is_alias_of(scene.net.arena().gradients().storage()));
}

TEST_CASE("until certain: not before its floor, at the latest at its limit, only on its stride") {
  const split::UntilCertain rule{.confidence = 0.9, .least = 6, .limit = 31, .stride = 5};
  const split::Agreement never = [](std::size_t) { return 0.0; };
  const split::Agreement always = [](std::size_t) { return 1.0; };
  std::size_t asked = 0;
  const split::Agreement nearly = [&](std::size_t resamples) {
    CHECK(resamples == rule.resamples);
    ++asked;
    return 0.899;
  };
  for (std::size_t done = 1; done <= 40; ++done) {
    CAPTURE(done);
    CHECK(rule.enough(done, never) == (done >= 31));
    CHECK(rule.enough(done, always) == (done >= 31 || (done >= 6 && (done - 6) % 5 == 0)));
    CHECK(rule.enough(done, nearly) == (done >= 31));
  }
  CHECK(asked == 5);  // at 6, 11, 16, 21, 26
  CHECK(rule.most() == 31);
  CHECK(split::FixedRepeats{3}.most() == 3);
  CHECK_FALSE(split::FixedRepeats{3}.enough(2, always));
  CHECK(split::FixedRepeats{3}.enough(3, never));
}

TEST_CASE("scoring leaves no trace in supernet, strategy, streams and LibTorch's generator") {
  using Net = supernet::NasBench201<>;
  for (const auto probe : {Probe::Hard, Probe::Soft}) {
    Net net({}, {.channels = 4, .cells = 1, .image_channels = 1}, Stream(1));
    const strategy::Darts<> darts;
    auto state = darts.start(net, Stream(2));
    const auto batch = [](Stream s) {
      return data::Batch{random({16, 1, 8, 8}, s), torch::arange(16, at::kLong).remainder(10)};
    };
    for (std::uint64_t k = 0; k < 2; ++k)
      (void)darts.step(net, state, {.weights = batch(Stream(k)), .search = batch(Stream(k + 9))},
                       Stream(k));
    at::Tensor gradients = net.arena().gradients();
    gradients.copy_(random({net.arena().size()}, Stream(3)));  // so that a change is seen
    const Snapshot before(net, state);

    SplitMemory memory;
    std::vector<DecisionId> open;
    for (std::size_t d = 0; d < 6; ++d) open.emplace_back(d);
    const Stream own(4);
    const SplitScene<Net> scene(
        net, open, 2, {[&](Stream s) { return darts.context(net, state, s); }, batch}, memory, own);
    split::GradientMatching<> criterion{.repeats = {.least = 2, .limit = 3}, .probe = probe};
    const auto outcome = criterion(scene);
    CHECK(outcome.repeats >= 2);
    CHECK((Snapshot(net, state) == before));
    CHECK(scene.stream() == own);
    CHECK_FALSE(state.alpha.grad().defined());
    CHECK(at::GradMode::is_enabled());

    for (const auto& other : {split::Exhaustive{}(scene), split::Random{}(scene)})
      CHECK(children<Net::Space>(net.restriction(), other.split).size() ==
            other.split.groups.size());
    CHECK((Snapshot(net, state) == before));
    CHECK(scene.stream() == own);
  }
}

TEST_CASE("exhaustive and random splits take an open decision and cover its options") {
  std::size_t seen = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    PlantedScene planted(1);
    planted.seed = seed;
    const auto scene = planted.scene();
    const auto all = split::Exhaustive{}(scene).split;
    CHECK(all.groups.size() == 5);
    CHECK(children<PlantedSpace>({}, all).size() == 5);
    const auto two = split::Random{}(scene).split;
    CHECK(children<PlantedSpace>({}, two).size() == 2);
    CHECK(two.groups[0].size() == 2);
    CHECK((split::Random{}(scene).split == two));  // the scene alone decides
    seen |= 1U << two.decision.index();
    const split::Exhaustive ordered{.order = {DecisionId(7), DecisionId(2), DecisionId(0)}};
    CHECK(ordered(scene).split.decision == DecisionId(2));
  }
  CHECK(seen == 7);
}

TEST_CASE("edge selections choose what they say") {
  const std::vector<DecisionId> open{DecisionId(1), DecisionId(4), DecisionId(2)};
  Stream stream(1);
  // cut per pair: 0.5, 0.1, 0.1; distance within: 0.4, 1.6, 0.2
  const std::vector<split::Candidate> candidates{candidate(1, 0.5, 0.8), candidate(4, 0.1, 0.2),
                                                 candidate(2, 0.1, 0.9)};
  CHECK(split::LowestNormalisedCut{}.choose(candidates) == 1);  // the first of a tie
  CHECK(split::LargestCutDistance{}.choose(candidates) == 1);
  CHECK(split::LeastWithinDistance{}.choose(candidates) == 2);
  CHECK((split::LowestNormalisedCut{}.candidates(open, stream) == open));

  const split::FixedOrder fixed{{DecisionId(0), DecisionId(2), DecisionId(1)}};
  CHECK((fixed.candidates(open, stream) == std::vector{DecisionId(2)}));
  CHECK_THROWS_AS((split::FixedOrder{{DecisionId(0)}}.candidates(open, stream)), ValueError);
  std::size_t seen = 0;
  for (int i = 0; i < 40; ++i) {
    const auto one = split::RandomOrder{}.candidates(open, stream);
    REQUIRE(one.size() == 1);
    CHECK(std::find(open.begin(), open.end(), one[0]) != open.end());
    seen |= 1U << one[0].index();
  }
  CHECK(seen == 0b10110);

  const split::Among<> among{.decisions = {DecisionId(4), DecisionId(0), DecisionId(1)}};
  CHECK((among.candidates(open, stream) == std::vector{DecisionId(1), DecisionId(4)}));
  CHECK(among.choose(candidates) == 1);
  CHECK((split::Among<split::FixedOrder>{{DecisionId(2)}, {{DecisionId(1), DecisionId(2)}}}
             .candidates(open, stream) == std::vector{DecisionId(2)}));
  CHECK_THROWS_AS((split::Among<>{{DecisionId(0)}}.candidates(open, stream)), ValueError);
}

TEST_CASE("a fixed order scores one decision only") {
  PlantedScene planted(2);
  const split::GradientMatching<score::Cosine, graph::ExactBalanced, split::FixedOrder,
                                split::FixedRepeats>
      criterion{.edges = {{DecisionId(1)}}, .repeats = {3}};
  const auto outcome = criterion(planted.scene());
  CHECK(outcome.split.decision == DecisionId(1));
  CHECK(outcome.passes == 3 * 5);
  CHECK(outcome.evidence.size() == 1);
}
