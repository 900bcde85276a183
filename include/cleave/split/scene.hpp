#pragma once

#include <cleave/data/concept.hpp>
#include <cleave/split/evidence.hpp>
#include <cleave/supernet/concept.hpp>
#include <functional>
#include <utility>
#include <vector>

namespace cleave {

/// Everything a split criterion may look at: the trained supernet, the decisions that may be
/// split, contexts from the strategy and batches from the train half. It can change nothing: the
/// streams it hands out are its own, and whoever records gradients into rows of his own leaves
/// the supernet as it was.
template <class Net>
class SplitScene {
 public:
  using Space = typename Net::Space;
  using Context = typename Net::Context;

  /// Sources of contexts and batches: what they return depends on the stream alone.
  struct Sources {
    std::function<Context(Stream)> context;
    std::function<data::Batch(Stream)> batch;
    /// Called between units of work with how many are done and how many are planned at most;
    /// reports progress, saves, and throws `Interrupted` when the run is to stop.
    std::function<void(std::size_t done, std::size_t planned)> tick = [](auto, auto) {};
  };

  SplitScene(Net& net, std::vector<DecisionId> open, std::size_t groups, Sources sources,
             SplitMemory& memory, Stream stream)
      : net_(&net),
        open_(std::move(open)),
        groups_(groups),
        sources_(std::move(sources)),
        memory_(&memory),
        stream_(stream) {}

  [[nodiscard]] Net& net() const noexcept { return *net_; }
  /// Decisions that may be split: not split on the way here, with at least `groups()` options.
  [[nodiscard]] const std::vector<DecisionId>& open() const noexcept { return open_; }
  [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
  [[nodiscard]] OptionSet options(DecisionId d) const { return net_->restriction()[d]; }
  [[nodiscard]] Context context(Stream stream) const { return sources_.context(stream); }
  [[nodiscard]] data::Batch batch(Stream stream) const { return sources_.batch(stream); }
  void tick(std::size_t done, std::size_t planned) const { sources_.tick(done, planned); }
  [[nodiscard]] SplitMemory& memory() const noexcept { return *memory_; }
  /// The criterion's own stream; fork it by purpose.
  [[nodiscard]] const Stream& stream() const noexcept { return stream_; }

 private:
  Net* net_;
  std::vector<DecisionId> open_;
  std::size_t groups_;
  Sources sources_;
  SplitMemory* memory_;
  Stream stream_;
};

}  // namespace cleave
