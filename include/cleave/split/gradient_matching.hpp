#pragma once

#include <cleave/graph/check.hpp>
#include <cleave/graph/exact_balanced.hpp>
#include <cleave/score/cosine.hpp>
#include <cleave/split/child_gradients.hpp>
#include <cleave/split/concept.hpp>
#include <cleave/split/edge_selection.hpp>
#include <cleave/split/repeats.hpp>
#include <utility>
#include <vector>

namespace cleave::split {

/// Gradient matching (GM-NAS, ICLR 2022, section 3): options whose gradients on the shared
/// weights agree stay together.
///
///     S_d[i, j] = mean over repeats of similarity(grad_ws L(A | d := i), grad_ws L(A | d := j))
///
/// then the balanced least cut of every S_d, then the decision whose cut is cheapest. A repeat is
/// one batch and one context A, shared by all decisions (the public code draws new ones for each:
/// more loads, more variance between decisions; method.md section 5.8). Cost: at most one forward
/// and backward pass per repeat, decision still in the running, and option (`ChildGradients`).
template <class Similarity = score::Cosine, class Cut = graph::ExactBalanced,
          class Edges = LowestNormalisedCut, class Repeat = UntilCertain>
struct GradientMatching {
  static_assert(score::HasName<Similarity>,
                "GradientMatching: a similarity needs `static constexpr std::string_view name` "
                "(docs/policies.md, Gradient similarities)");
  static_assert(score::ScoresGradients<Similarity>,
                "GradientMatching: a similarity needs `at::Tensor operator()(const "
                "score::GradientView&) const` (docs/policies.md, Gradient similarities)");
  static_assert(graph::is_partitioner<Cut>());
  static_assert(EdgeSelection<Edges>,
                "GradientMatching: an edge selection needs name, candidates(open, stream) and "
                "choose(candidates) (docs/policies.md, Edge selection)");
  static_assert(Repeats<Repeat>,
                "GradientMatching: repeats need name, most(), enough(done, agreement) and "
                "drop_below() (docs/policies.md, Repeats)");

  static constexpr std::string_view name = "gradient matching";

  Similarity similarity{};
  Cut partitioner{};
  Edges edges{};
  Repeat repeats{};
  Probe probe = Probe::Hard;
  template <class F>
  void fields(F&& field) const {
    field("similarity", similarity);
    field("partitioner", partitioner);
    field("edges", edges);
    field("repeats", repeats);
    field("probe", probe);
  }

  template <class Net>
  [[nodiscard]] SplitOutcome operator()(const SplitScene<Net>& scene) const {
    auto edge_stream = scene.stream().fork("edges");
    const auto decisions = edges.candidates(scene.open(), edge_stream);
    auto& memory = scene.memory();
    check_memory(scene, decisions);
    ChildGradients<Net> children(scene.net(), max_options<typename Net::Space>);
    std::vector<bool> alive(decisions.size(), true);
    for (;; memory.push_back(one_repeat(scene, decisions, alive, children, memory.size()))) {
      std::vector<double> wins;  // of every decision, if the repeats ask how sure the choice is
      const Agreement agreement = [&](std::size_t resamples) {
        return agreement_of(scene, decisions, alive, resamples, wins);
      };
      if (!memory.empty()) {
        for (std::size_t d = 0; d < alive.size(); ++d) alive[d] = memory.back()[d].size() > 0;
        if (repeats.enough(memory.size(), agreement)) break;
        for (std::size_t d = 0; d < wins.size(); ++d)
          alive[d] = alive[d] && wins[d] >= repeats.drop_below();
      }
      scene.tick(memory.size(), repeats.most());
    }
    SplitOutcome outcome;
    const auto candidates = cut_all(scene, decisions, alive, memory, {});
    const auto& chosen = candidates[edges.choose(candidates)];
    outcome.split = graph::to_split(chosen.decision, scene.options(chosen.decision),
                                    chosen.partition);
    outcome.repeats = memory.size();
    outcome.passes = passes_in(memory);
    const std::vector<bool> all(decisions.size(), true);
    for (const auto& candidate : cut_all(scene, decisions, all, memory, {})) {
      const auto allowed = scene.options(candidate.decision);
      const auto& partition = candidate.partition;
      outcome.evidence.push_back(
          {candidate.decision, allowed, candidate.similarity.values(),
           graph::to_split(candidate.decision, allowed, partition).groups, partition.cut(),
           partition.within(), partition.normalised_cut()});
    }
    return outcome;
  }

 private:
  /// Throws `DataError` for matrices that this criterion cannot have left here: the first repeat
  /// looks at every decision, later ones at some.
  template <class Net>
  static void check_memory(const SplitScene<Net>& scene,
                           const std::vector<DecisionId>& decisions) {
    for (const auto& repeat : scene.memory()) {
      const bool first = &repeat == &scene.memory().front();
      bool fits = repeat.size() == decisions.size();
      std::size_t looked_at = 0;
      for (std::size_t d = 0; fits && d < decisions.size(); ++d) {
        const auto n = static_cast<Eigen::Index>(scene.options(decisions[d]).size());
        fits = (repeat[d].rows() == n && repeat[d].cols() == n) || (!first && repeat[d].size() == 0);
        looked_at += repeat[d].size() > 0;
      }
      if (!fits || looked_at == 0)
        throw DataError("gradient matching: the similarities kept for this split do not fit it; the "
                        "run that goes on is another one");
    }
  }

  /// One batch, one context: a similarity matrix for every decision still alive.
  template <class Net>
  [[nodiscard]] std::vector<Eigen::MatrixXd> one_repeat(const SplitScene<Net>& scene,
                                                        const std::vector<DecisionId>& decisions,
                                                        const std::vector<bool>& alive,
                                                        ChildGradients<Net>& children,
                                                        std::size_t repeat) const {
    const auto& arena = scene.net().arena();
    const auto stream = scene.stream().fork("repeat").fork(repeat);
    children.begin(scene.batch(stream.fork("batch")), scene.context(stream.fork("context")));
    std::vector<at::Tensor> scores(decisions.size());
    for (const auto d : ChildGradients<Net>::deepest_first(decisions)) {
      const auto decision = decisions[d];
      if (!alive[d]) continue;
      std::size_t row = 0;
      for (const auto option : scene.options(decision))
        children.record(row++, decision, option, probe);
      const auto shared = arena.shared_by(decision);
      const auto slices = arena.slices_shared_by(decision);
      scores[d] = similarity(children.view(row, shared, slices));
    }
    std::vector<Eigen::MatrixXd> matrices(decisions.size());
    for (std::size_t d = 0; d < decisions.size(); ++d) {
      if (!alive[d]) continue;
      const auto host = scores[d].to(at::kCPU, at::kDouble).contiguous();
      const auto n = host.size(0);
      matrices[d] = Eigen::Map<const Eigen::MatrixXd>(host.const_data_ptr<double>(), n, n);
      if (!matrices[d].allFinite())
        throw NumericalError(fmt::format(
            "gradient matching: repeat {}, {}: the gradients of its options are not finite", repeat,
            decision_name<typename Net::Space>(decisions[d])));
    }
    return matrices;
  }

  /// The mean matrix of decision d over the repeats that looked at it, or over a resample of all.
  [[nodiscard]] static Eigen::MatrixXd mean(const SplitMemory& memory, std::size_t d,
                                            const std::vector<std::size_t>& resample) {
    const auto& first = memory.front()[d];
    Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(first.rows(), first.cols());
    const auto count = resample.empty() ? memory.size() : resample.size();
    std::size_t present = 0;
    for (std::size_t r = 0; r < count; ++r) {
      const auto& matrix = memory[resample.empty() ? r : resample[r]][d];
      if (matrix.size() == 0) continue;
      sum += matrix;
      ++present;
    }
    return sum / static_cast<double>(present);
  }

  /// The best partition of every decision that is alive.
  template <class Net>
  [[nodiscard]] std::vector<Candidate> cut_all(const SplitScene<Net>& scene,
                                               const std::vector<DecisionId>& decisions,
                                               const std::vector<bool>& alive,
                                               const SplitMemory& memory,
                                               const std::vector<std::size_t>& resample) const {
    std::vector<Candidate> candidates;
    for (std::size_t d = 0; d < decisions.size(); ++d) {
      if (!alive[d]) continue;
      graph::SimilarityMatrix matrix(mean(memory, d, resample));
      auto stream = scene.stream().fork("cut").fork(decisions[d].index());
      auto partition = partitioner(matrix, scene.groups(), stream);
      candidates.push_back({decisions[d], std::move(matrix), std::move(partition)});
    }
    return candidates;
  }

  /// Share of bootstrap resamples that choose what all repeats choose; `wins` becomes the share
  /// that would split each decision.
  template <class Net>
  [[nodiscard]] double agreement_of(const SplitScene<Net>& scene,
                                    const std::vector<DecisionId>& decisions,
                                    const std::vector<bool>& alive, std::size_t resamples,
                                    std::vector<double>& wins) const {
    const auto& memory = scene.memory();
    const auto all = cut_all(scene, decisions, alive, memory, {});
    const auto& chosen = all[edges.choose(all)];
    auto stream = scene.stream().fork("bootstrap").fork(memory.size());
    const double one = 1.0 / static_cast<double>(resamples);
    wins.assign(decisions.size(), 0);
    double same = 0;
    for (std::size_t i = 0; i < resamples; ++i) {
      std::vector<std::size_t> resample(memory.size());
      for (auto& r : resample) r = stream.below(memory.size());
      const auto again = cut_all(scene, decisions, alive, memory, resample);
      const auto& other = again[edges.choose(again)];
      if (other.decision == chosen.decision && other.partition == chosen.partition) same += one;
      for (std::size_t d = 0; d < decisions.size(); ++d)
        if (decisions[d] == other.decision) wins[d] += one;
    }
    return same;
  }
};

}  // namespace cleave::split
