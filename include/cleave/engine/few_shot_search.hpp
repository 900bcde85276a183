#pragma once

#include <cleave/engine/retrain.hpp>
#include <cleave/engine/search_run.hpp>
#include <cleave/select/successive_halving.hpp>
#include <functional>
#include <string_view>
#include <utility>

namespace cleave {

/// Few-shot architecture search: train a supernet, split it where the criterion says, go on inside
/// the parts, derive one architecture per leaf, choose one by validation.
///
/// One-shot search is a schedule without splits, few-shot NAS is `split::Exhaustive`, GM-NAS is
/// `split::GradientMatching<>`. Nodes are visited depth first; every random stream is named by the
/// node's path, so the result does not depend on the order. Memory: one supernet in training, plus
/// one per level on the way when children inherit.
template <class Space, class Strategy, class Criterion, class Selection = select::SuccessiveHalving,
          class Net = typename SupernetFor<Space>::type,
          class Standalone = typename NetworkFor<Space>::type>
class FewShotSearch {
  static_assert(SearchSpace<Space>,
                "FewShotSearch: the space needs name, decision_count, option_count(DecisionId) and "
                "option_name(DecisionId, OptionId), all static (docs/policies.md, Search spaces)");
  static_assert(Supernet<Net>,
                "FewShotSearch: the supernet needs Space, Context, forward(images, context), "
                "probe(context, decision, option, kind), context_of(genotype), arena() and "
                "restriction() (docs/policies.md, Supernets)");
  static_assert(strategy::TrainsSupernet<Strategy, Net>,
                "FewShotSearch: the strategy cannot train this supernet; it needs State<Net>, "
                "start(net, stream) and StepReport step(net, state, training_step, stream), and "
                "DARTS and SNAS need a supernet whose context is a Mixture, OnceForAll one whose "
                "options are parts of the same tensors "
                "(docs/policies.md, Search strategies)");
  static_assert(strategy::Inherits<Strategy, Net>,
                "FewShotSearch: the strategy needs State inherit(parent_net, parent_state, "
                "child_net) const (docs/policies.md, Search strategies)");
  static_assert(strategy::GivesContexts<Strategy, Net>,
                "FewShotSearch: the strategy needs Net::Context context(net, state, stream) const "
                "(docs/policies.md, Search strategies)");
  static_assert(strategy::Derives<Strategy, Net>,
                "FewShotSearch: the strategy needs Genotype<Space> derive(net, state, judge, "
                "stream) const (docs/policies.md, Search strategies)");
  static_assert(split::DecidesSplit<Criterion, Net>,
                "FewShotSearch: the split criterion needs SplitOutcome operator()(const "
                "SplitScene<Net>&) const (docs/policies.md, Split criteria)");
  static_assert(select::Chooses<Selection, Space>,
                "FewShotSearch: the leaf selection needs std::size_t "
                "operator()(std::span<const LeafCandidate<Space>>, const Trials&) const "
                "(docs/policies.md, Leaf selection)");

 public:
  using Result = SearchResult<Space>;

  using Plan = SearchPlan<Space, Strategy, Net, Standalone>;
  using Settings = typename Plan::Settings;
  using State = typename Plan::State;

  /// Throws `ValueError` for settings that contradict each other.
  explicit FewShotSearch(Settings settings, Strategy strategy = {}, Criterion criterion = {},
                         Selection selection = {})
      : plan_(std::move(settings), std::move(strategy)),
        criterion_(std::move(criterion)),
        selection_(std::move(selection)) {
    if constexpr (requires { selection_.check(); }) selection_.check();
  }

  /// A run's state before its first step: everything about a run between two steps, as a value.
  [[nodiscard]] State start() const { return plan_.start(); }

  /// Takes a state to the chosen architecture. The state is whole whenever `control` is called,
  /// so what was found before an error or an interruption is there, and a run can go on from it.
  template <data::DataSet D>
  void run(const D& data, const RunControl& control, State& state) const {
    SearchRun<Plan, D>(plan_, data, control, state)
        .go(std::cref(criterion_), std::cref(selection_));
  }

  /// The same from the start; `result` keeps what was found, also when this throws.
  template <data::DataSet D>
  void run(const D& data, const RunControl& control, Result& result) const {
    State state = start();
    const KeepResult keep{state.result, result};
    run(data, control, state);
  }

  template <data::DataSet D>
  [[nodiscard]] Result run(const D& data, const RunControl& control = {}) const {
    State state = start();
    run(data, control, state);
    return std::move(state.result);
  }

  /// Retrains the chosen architecture from fresh weights on the whole train part and tests it; goes
  /// on where the state stopped. Throws `ValueError` before one was chosen.
  template <data::DataSet D>
  void retrain(const D& data, const RunControl& control, State& state) const {
    if (state.result.retrained) return;
    if (!state.retraining)
      state.retraining.emplace(plan_.fresh_retraining(state.result.genotype()));
    state.result.retrained =
        finish_retraining(*state.retraining, data, control, state.result.stages, "network");
    state.result.note_trouble("network", state.retraining->trouble());
    state.retraining.reset();
  }

  [[nodiscard]] const Settings& settings() const noexcept { return plan_.settings(); }
  /// All but where to split and which leaf to choose.
  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }

  /// What a run depends on: space, policies and their settings. (`SettingsList` makes text of it.)
  template <class F>
  void fields(F&& field) const {
    field("space", std::string_view(Space::name));
    if constexpr (requires { typename Net::MixerType; })
      field("mixer", typename Net::MixerType{});  // numbers differ with how edges are computed
    field("strategy", plan_.strategy());
    field("criterion", criterion_);
    field("selection", selection_);
    settings().fields(field);
  }

 private:
  struct KeepResult {
    Result& from;
    Result& to;
    ~KeepResult() { to = std::move(from); }
  };

  Plan plan_;
  Criterion criterion_;
  Selection selection_;
};

}  // namespace cleave
