#pragma once

#include <ATen/Version.h>

#include <algorithm>
#include <cleave/archive/file.hpp>
#include <cleave/archive/tensor.hpp>
#include <cleave/core/crc32c.hpp>
#include <cleave/core/settings_list.hpp>
#include <cleave/data/concept.hpp>
#include <cleave/engine/retrain.hpp>
#include <cleave/engine/search_plan.hpp>
#include <cleave/version.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

namespace detail {

/// What every result depends on: data, threads, instruction set, versions.
template <data::DataSet D>
void list_surroundings(SettingsList& list, const D& data) {
  const auto labels = data.labels(data::Part::Train);
  const auto shape = data.shape();
  list("data", fmt::format("{}, {} train images of {} x {} x {}, labels {:08x}", data.name(),
                           labels.size(), shape.channels, shape.height, shape.width,
                           crc32c(std::as_bytes(std::span(labels)))));
  list("threads", at::get_num_threads());  // sums over threads depend on their number
  list("instructions", at::get_cpu_capability());  // and over vectors on their length
  list("cleave", version_text);
  list("libtorch", TORCH_VERSION);
}

}  // namespace detail

/// What a run's result depends on, as text: space, policies, settings, data, threads, instruction
/// set, versions.
template <class Search, data::DataSet D>
[[nodiscard]] SettingsList settings_of(const Search& search, const D& data) {
  SettingsList list;
  search.fields(list);
  detail::list_surroundings(list, data);
  return list;
}

/// The same for a retraining without a search.
template <Network N, data::DataSet D, class Optimiser = strategy::Sgd>
[[nodiscard]] SettingsList settings_of(const Genotype<typename N::Space>& genotype,
                                       const typename N::Config& config,
                                       const network::RecipeWith<Optimiser>& recipe,
                                       std::uint64_t seed, const D& data) {
  SettingsList list;
  list("genotype", to_text<typename N::Space>(genotype));
  list("network", config);
  list("retraining", recipe);
  list("seed", seed);
  detail::list_surroundings(list, data);
  return list;
}

namespace detail {

/// The parts of a result that are stored as they are; the tree is the splits replayed.
template <class Space, class F>
void result_fields(SearchResult<Space>& result, F&& field) {
  field("splits", result.splits);
  field("trials", result.trials);
  field("stages", result.stages);
  field("chosen", result.chosen);
  field("retrained", result.retrained);
  field("trouble", result.trouble);
}

/// Whether evidence can be about a decision of the space.
template <class Space>
[[nodiscard]] bool fits(const DecisionEvidence& seen) {
  if (seen.decision.index() >= Space::decision_count) return false;
  const auto options = OptionSet::first(Space::option_count(seen.decision));
  const auto n = static_cast<Eigen::Index>(seen.similarity.size() == 0 ? 0 : seen.options.size());
  return options.contains(seen.options) && seen.similarity.rows() == n &&
         seen.similarity.cols() == n &&
         std::all_of(seen.groups.begin(), seen.groups.end(),
                     [&](OptionSet group) { return options.contains(group); });
}

template <class Space, class F>
void leaf_fields(LeafRecord<Space>& leaf, std::string& genotype, F&& field) {
  field("genotype", genotype);
  field("supernet_accuracy", leaf.supernet_accuracy);
  field("alpha", leaf.alpha);
}

/// Writes or reads a map whose values need their key to be made.
template <class T, class WriteValue>
void write_map(archive::Writer& to, std::string_view name, std::map<std::size_t, T>& values,
               WriteValue write_value) {
  to.begin_field(name);
  to.begin_list(values.size());
  for (auto& [key, value] : values) {
    to.begin_object();
    auto number = key;
    to("number", number);
    write_value(number, value);
    to.end_object();
  }
}
template <class ReadValue>
void read_map(archive::Reader& from, std::string_view name, std::size_t limit,
              ReadValue read_value) {
  from.begin_field(name);
  for (auto left = from.begin_list(); left > 0; --left) {
    from.begin_object();
    std::size_t number = 0;
    from("number", number);
    if (number >= limit)
      from.fail(fmt::format("a number below {}", limit), fmt::format("{}", number));
    from.inside(fmt::format("{} {}", name, number), [&] { read_value(number); });
    from.end_object();
  }
}

}  // namespace detail

/// Writes a run's whole state as one object. Cost: one copy of the weights and moments alive.
template <class Space, class Strategy, class Net, class Standalone>
void write_run(archive::Writer& to, RunState<Space, Strategy, Net, Standalone>& state) {
  using State = RunState<Space, Strategy, Net, Standalone>;
  to.begin_object();
  detail::result_fields(state.result, to);
  to("pending", state.pending);
  detail::write_map(to, "finished", state.finished, [&](std::size_t, LeafRecord<Space>& leaf) {
    auto text = to_text<Space>(leaf.genotype);
    detail::leaf_fields(leaf, text, to);
  });
  detail::write_map(to, "live", state.live, [&](std::size_t, typename State::Live& live) {
    live.fields(to);
  });
  detail::write_map(to, "candidates", state.trials, [&](std::size_t, typename State::Trial& trial) {
    auto epochs = trial.recipe().epochs;
    to("epochs", epochs);
    trial.fields(to);
  });
  to.begin_field("retraining");
  to.begin_list(state.retraining ? 1 : 0);
  if (state.retraining) archive::Codec<typename State::Trial>::write(to, *state.retraining);
  to.end_object();
}

/// Reads it back: networks are made anew from the search's plan, then filled. Throws `DataError` for
/// anything that a search of this plan cannot have written.
template <class Space, class Strategy, class Net, class Standalone>
[[nodiscard]] RunState<Space, Strategy, Net, Standalone> read_run(
    archive::Reader& from, const SearchPlan<Space, Strategy, Net, Standalone>& plan) {
  auto state = plan.start();
  auto& result = state.result;
  from.begin_object();
  detail::result_fields(result, from);
  for (const auto& split : result.splits) {
    try {
      result.tree.split(split.node, split.outcome.split);
    } catch (const ValueError& error) {
      from.fail("splits of this space", error.what());
    }
    if (result.tree[split.node].depth >= plan.settings().schedule.levels())
      from.fail("splits of this schedule", "one below its leaves");
    for (const auto& seen : split.outcome.evidence)
      if (!detail::fits<Space>(seen)) from.fail("evidence of this space", "decisions it has not");
  }
  const auto nodes = result.tree.size();
  from("pending", state.pending);
  if (std::any_of(state.pending.begin(), state.pending.end(), [&](auto n) { return n >= nodes; }))
    from.fail(fmt::format("nodes below {}", nodes), "a node beyond");
  detail::read_map(from, "finished", nodes, [&](std::size_t node) {
    std::string text;
    LeafRecord<Space> leaf{.node = node};
    detail::leaf_fields(leaf, text, from);
    try {
      leaf.genotype = parse<Space>(text);
    } catch (const ParseError& error) {
      from.fail("a genotype", error.what());
    }
    state.finished.emplace(node, std::move(leaf));
  });
  state.list_leaves();
  for (const auto& trial : result.trials)
    if (trial.candidate >= result.leaves.size())
      from.fail(fmt::format("trials of a leaf below {}", result.leaves.size()),
                fmt::format("{}", trial.candidate));
  if (result.chosen && *result.chosen >= result.leaves.size())
    from.fail(fmt::format("a chosen leaf below {}", result.leaves.size()),
              fmt::format("{}", *result.chosen));
  detail::read_map(from, "live", nodes, [&](std::size_t node) {
    auto live = plan.fresh_node(result.tree, node);
    live.fields(from);
    state.live.emplace(node, std::move(live));
  });
  detail::read_map(from, "candidates", result.leaves.size(), [&](std::size_t i) {
    std::size_t epochs = 0;
    from("epochs", epochs);
    const auto& leaf = result.leaves[i];
    auto trial = plan.fresh_trial(leaf.genotype, epochs, plan.where(result.tree, leaf.node));
    trial.fields(from);
    state.trials.emplace(i, std::move(trial));
  });
  from.begin_field("retraining");
  if (from.begin_list() > 0) {
    if (!result.chosen) from.fail("no retraining before a leaf is chosen", "one");
    state.retraining.emplace(plan.fresh_retraining(result.genotype()));
    archive::Codec<network::Training<Standalone>>::read(from, *state.retraining);
  }
  from.end_object();
  return state;
}

namespace detail {

inline void save(const std::filesystem::path& path, const SettingsList& settings,
                 const std::function<void(archive::Writer&)>& write_run) {
  archive::Writer to;
  to.begin_object();
  auto texts = settings.values();
  to("settings", texts);
  to.begin_field("run");
  write_run(to);
  to.end_object();
  archive::write_file(path, to);
}

inline void load(const std::filesystem::path& path, const SettingsList& settings,
                 const std::vector<std::string>& may_change,
                 const std::function<void(archive::Reader&)>& read_run) {
  const archive::File file(path);
  auto from = file.reader();
  from.begin_object();
  std::map<std::string, std::string> saved;
  from("settings", saved);
  const auto different = differences(saved, settings.values(), may_change);
  if (!different.empty()) {
    std::string list;
    for (const auto& line : different) list += "\n  " + line;
    throw ValueError(fmt::format("{} belongs to another run ({} settings differ):{}", path.string(),
                                 different.size(), list));
  }
  from.begin_field("run");
  read_run(from);
  from.end_object();
  if (from.left() != 0) from.fail("the end", fmt::format("{} more bytes", from.left()));
}

}  // namespace detail

/// Saves a run, so that at every moment the path leads to a whole checkpoint. Throws `IoError`.
template <class Space, class Strategy, class Net, class Standalone>
void save_checkpoint(const std::filesystem::path& path, const SettingsList& settings,
                     RunState<Space, Strategy, Net, Standalone>& state) {
  detail::save(path, settings, [&](archive::Writer& to) { write_run(to, state); });
}

/// Reads a run back. Throws `IoError` and `DataError` as `archive::File`, and `ValueError` listing
/// every setting that differs from those of the run that was saved, unless it `may_change`.
template <class Space, class Strategy, class Net, class Standalone>
[[nodiscard]] RunState<Space, Strategy, Net, Standalone> load_checkpoint(
    const std::filesystem::path& path, const SearchPlan<Space, Strategy, Net, Standalone>& plan,
    const SettingsList& settings, const std::vector<std::string>& may_change = {}) {
  auto state = plan.start();
  detail::load(path, settings, may_change,
               [&](archive::Reader& from) { state = read_run(from, plan); });
  return state;
}

/// The same for a retraining without a search.
template <Network N, class Optimiser>
void save_checkpoint(const std::filesystem::path& path, const SettingsList& settings,
                     RetrainRun<N, Optimiser>& run) {
  detail::save(path, settings, [&](archive::Writer& to) {
    archive::Codec<RetrainRun<N, Optimiser>>::write(to, run);
  });
}

/// Fills `run`, which was made with the same genotype, sizes and recipe.
template <Network N, class Optimiser>
void load_checkpoint(const std::filesystem::path& path, RetrainRun<N, Optimiser>& run,
                     const SettingsList& settings,
                     const std::vector<std::string>& may_change = {}) {
  detail::load(path, settings, may_change, [&](archive::Reader& from) {
    archive::Codec<RetrainRun<N, Optimiser>>::read(from, run);
  });
}

}  // namespace cleave
