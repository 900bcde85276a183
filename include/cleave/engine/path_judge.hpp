#pragma once

#include <algorithm>
#include <cleave/data/ahead.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/engine/stage_clock.hpp>
#include <cleave/strategy/concept.hpp>
#include <cleave/torch.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cleave {

/// Answers a strategy's questions about the contexts of one supernet (`Judge`).
///
/// The images come in random order, the same for all leaves, so that every batch, and every first
/// part of them, stands for the whole; batches are about as large as those the weights were trained
/// with, because the supernet normalises by their statistics. Every answer is kept in `memory`, in
/// the order of the questions: a run that was stopped in the middle asks again and gets what it
/// had. Throws `DataError` when what it had cannot be the answer.
template <class Net, data::DataSet D>
class PathJudge {
 public:
  /// Where answers come from, and where they, and the cost of getting them, are kept.
  struct Records {
    std::vector<Hits>& memory;
    const RunControl& control;
    std::vector<StageRecord>& stages;
    std::string where;
  };

  PathJudge(const Net& net, const D& data, std::span<const std::int64_t> images, std::size_t batch,
            Stream order, Records records)
      : net_(net),
        data_(data),
        images_(images.begin(), images.end()),
        records_(std::move(records)) {
    order.shuffle(images_);
    if (!images_.empty()) batches_.emplace(images_, even_size(images_.size(), batch));
  }

  /// Valid while this object lives.
  [[nodiscard]] Judge<Net> judge() {
    return {batches_ ? batches_->batches() : 0, images_.size(),
            [this](std::span<const typename Net::Context> contexts, std::size_t batch) {
              return answer(contexts, batch);
            }};
  }

 private:
  /// Rows computed between two signs of life; one copy from the device for all of them.
  static constexpr std::size_t group = 16;

  /// The batch size nearest below `batch` that leaves no tiny rest.
  static std::size_t even_size(std::size_t images, std::size_t batch) {
    const std::size_t count = (images + batch - 1) / batch;
    return (images + count - 1) / count;
  }

  std::vector<Hits> answer(std::span<const typename Net::Context> contexts, std::size_t batch) {
    std::vector<Hits> rows;
    while (rows.size() < contexts.size()) {
      if (asked_ == records_.memory.size())
        compute(contexts.subspan(rows.size(), std::min(group, contexts.size() - rows.size())),
                batch);
      const auto& row = records_.memory[asked_++];
      if (row.size() != batches_->batch(batch).size())
        throw DataError(
            fmt::format("{}: {} hits kept for batch {} of {} images; the run that goes on "
                        "is another one",
                        records_.where, row.size(), batch, batches_->batch(batch).size()));
      rows.push_back(row);
    }
    return rows;
  }

  void compute(std::span<const typename Net::Context> contexts, std::size_t batch) {
    if (!clock_)
      clock_.emplace(records_.control, records_.stages, Stage::Judging, records_.where, 0,
                     records_.memory.size());
    const at::NoGradGuard no_grad;
    const auto numbers = batches_->batch(batch);
    if (held_ != batch) {  // contexts come in groups, and an image folder decodes every time
      held_.reset();
      material_ = data::batch_of_loop(data_, batch, batches_->batches(), [&](std::size_t i) {
        return data::BatchRequest{data::Part::Train, batches_->batch(i), false, Stream()};
      });
      held_ = batch;
    }
    std::vector<at::Tensor> hits;
    for (const auto& context : contexts)
      hits.push_back(net_.forward(material_.images, context).argmax(1).eq(material_.labels));
    const at::Tensor host = at::stack(hits).to(at::kCPU, at::kByte).contiguous();
    const auto* first = host.template const_data_ptr<std::uint8_t>();
    for (std::size_t i = 0; i < contexts.size(); ++i)
      records_.memory.emplace_back(first + i * numbers.size(), first + (i + 1) * numbers.size());
    clock_->at(records_.memory.size(), 0, contexts.size() * numbers.size(), contexts.size());
  }

  const Net& net_;
  const D& data_;
  std::vector<std::int64_t> images_;
  std::optional<data::SequentialBatches> batches_;
  Records records_;
  data::Batch material_;  ///< of batch `held_`
  std::optional<std::size_t> held_;
  std::optional<StageClock> clock_;  ///< runs from the first question that has to be computed
  std::size_t asked_ = 0;
};

}  // namespace cleave
