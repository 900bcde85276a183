#pragma once

#include <cleave/graph/exact_balanced.hpp>
#include <cleave/score/cosine.hpp>
#include <cleave/score/gradient_rows.hpp>
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
/// more loads, more variance between decisions; method.md section 5.8). Cost: one forward and
/// backward pass per repeat, open decision and option.
template <score::GradientSimilarity Similarity = score::Cosine,
          graph::Partitioner Cut = graph::ExactBalanced,
          EdgeSelection Edges = LowestNormalisedCut, Repeats Repeat = UntilCertain>
struct GradientMatching {
  static constexpr std::string_view name = "gradient matching";

  Similarity similarity{};
  Cut partitioner{};
  Edges edges{};
  Repeat repeats{};
  Probe probe = Probe::Hard;

  template <class Net>
  [[nodiscard]] SplitOutcome operator()(const SplitScene<Net>& scene) const {
    auto edge_stream = scene.stream().fork("edges");
    const auto decisions = edges.candidates(scene.open(), edge_stream);
    auto& memory = scene.memory();
    const Agreement agreement = [&](std::size_t resamples) {
      return agreement_of(scene, decisions, resamples);
    };
    SplitOutcome outcome;
    score::GradientRows rows(scene.net().arena(), max_options<typename Net::Space>);
    while (memory.empty() || !repeats.enough(memory.size(), agreement)) {
      scene.tick(memory.size(), repeats.most());
      memory.push_back(one_repeat(scene, decisions, rows, memory.size()));
    }
    const auto candidates = cut_all(scene, decisions, mean(memory, {}));
    const auto chosen = edges.choose(candidates);
    outcome.split = graph::to_split(candidates[chosen].decision,
                                    scene.options(candidates[chosen].decision),
                                    candidates[chosen].partition);
    outcome.repeats = memory.size();
    for (const auto& candidate : candidates) {
      const auto allowed = scene.options(candidate.decision);
      outcome.passes += memory.size() * allowed.size();
      const auto& partition = candidate.partition;
      outcome.evidence.push_back(
          {candidate.decision, allowed, candidate.similarity.values(),
           graph::to_split(candidate.decision, allowed, partition).groups, partition.cut(),
           partition.within(), partition.normalised_cut()});
    }
    return outcome;
  }

 private:
  /// One batch, one context: a similarity matrix for every decision.
  template <class Net>
  [[nodiscard]] std::vector<Eigen::MatrixXd> one_repeat(const SplitScene<Net>& scene,
                                                        const std::vector<DecisionId>& decisions,
                                                        score::GradientRows& rows,
                                                        std::size_t repeat) const {
    auto& net = scene.net();
    const auto stream = scene.stream().fork("repeat").fork(repeat);
    const auto batch = scene.batch(stream.fork("batch"));
    const auto context = scene.context(stream.fork("context"));
    std::vector<at::Tensor> scores;
    for (const auto decision : decisions) {
      std::size_t row = 0;
      for (const auto option : scene.options(decision)) {
        rows.record(row++);
        const auto child = net.probe(context, decision, option, probe);
        at::cross_entropy_loss(net.forward(batch.images, child), batch.labels).backward();
      }
      const auto shared = net.arena().shared_by(decision);
      const auto slices = net.arena().slices_shared_by(decision);
      scores.push_back(similarity(rows.view(row, shared, slices)));
    }
    std::vector<Eigen::MatrixXd> matrices;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const auto host = scores[i].to(at::kCPU, at::kDouble).contiguous();
      const auto n = host.size(0);
      matrices.emplace_back(Eigen::Map<const Eigen::MatrixXd>(host.const_data_ptr<double>(), n, n));
      if (!matrices.back().allFinite())
        throw NumericalError(fmt::format(
            "gradient matching: repeat {}, {}: the gradients of its options are not finite", repeat,
            decision_name<typename Net::Space>(decisions[i])));
    }
    return matrices;
  }

  /// The mean of the repeats, or of a resample of them.
  [[nodiscard]] static std::vector<Eigen::MatrixXd> mean(const SplitMemory& memory,
                                                         const std::vector<std::size_t>& resample) {
    const auto count = resample.empty() ? memory.size() : resample.size();
    auto result = memory[resample.empty() ? 0 : resample[0]];
    for (std::size_t r = 1; r < count; ++r) {
      const auto& other = memory[resample.empty() ? r : resample[r]];
      for (std::size_t d = 0; d < result.size(); ++d) result[d] += other[d];
    }
    for (auto& matrix : result) matrix /= static_cast<double>(count);
    return result;
  }

  template <class Net>
  [[nodiscard]] std::vector<Candidate> cut_all(const SplitScene<Net>& scene,
                                               const std::vector<DecisionId>& decisions,
                                               std::vector<Eigen::MatrixXd> means) const {
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      graph::SimilarityMatrix matrix(std::move(means[i]));
      auto stream = scene.stream().fork("cut").fork(decisions[i].index());
      auto partition = partitioner(matrix, scene.groups(), stream);
      candidates.push_back({decisions[i], std::move(matrix), std::move(partition)});
    }
    return candidates;
  }

  template <class Net>
  [[nodiscard]] double agreement_of(const SplitScene<Net>& scene,
                                    const std::vector<DecisionId>& decisions,
                                    std::size_t resamples) const {
    const auto& memory = scene.memory();
    const auto all = cut_all(scene, decisions, mean(memory, {}));
    const auto& chosen = all[edges.choose(all)];
    auto stream = scene.stream().fork("bootstrap").fork(memory.size());
    std::size_t same = 0;
    for (std::size_t i = 0; i < resamples; ++i) {
      std::vector<std::size_t> resample(memory.size());
      for (auto& r : resample) r = stream.below(memory.size());
      const auto again = cut_all(scene, decisions, mean(memory, resample));
      const auto& other = again[edges.choose(again)];
      same += other.decision == chosen.decision && other.partition == chosen.partition;
    }
    return static_cast<double>(same) / static_cast<double>(resamples);
  }
};

}  // namespace cleave::split
