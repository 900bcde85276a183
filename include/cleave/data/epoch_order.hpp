#pragma once

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cleave/core/random.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cleave::data {

namespace detail {
inline void check_batches(std::size_t images, std::size_t batch, const char* what) {
  if (batch == 0) throw ValueError(fmt::format("{}: batch size 0, at least 1 is needed", what));
  if (images == 0) throw ValueError(fmt::format("{}: no images", what));
}
inline void check_batch_number(std::size_t k, std::size_t batches, const char* what) {
  if (k >= batches) throw ValueError(fmt::format("{}: batch {}, it has {}", what, k, batches));
}
}  // namespace detail

/// One shuffled pass over some images of a part: an epoch of training. Each image comes at most
/// once; all batches have `batch` images. What is left over at the end is dropped, because batch
/// normalisation takes its mean and variance from the batch at hand: three left-over images would
/// be normalised by the statistics of three. Another epoch drops others. A list shorter than a
/// batch is one batch with everything.
///
/// The order depends on the arguments alone, so a resumed run remakes it from the epoch's stream.
/// (The public search code begins a new pass at every step, method.md section 5, item 5.)
class EpochOrder {
 public:
  /// Throws `ValueError` for batch size 0 and for an empty list.
  EpochOrder(std::span<const std::int64_t> indices, std::size_t batch, Stream stream)
      : order_(indices.begin(), indices.end()), batch_(std::min(batch, indices.size())) {
    detail::check_batches(indices.size(), batch, "epoch order");
    stream.shuffle(order_);
  }

  /// Number of batches, at least 1.
  [[nodiscard]] std::size_t batches() const noexcept { return order_.size() / batch_; }

  /// How many batches an epoch over so many images has, without making one. Throws as the
  /// constructor does.
  [[nodiscard]] static std::size_t batches_in(std::size_t images, std::size_t batch) {
    detail::check_batches(images, batch, "epoch order");
    return images / std::min(batch, images);
  }

  /// The image numbers of batch k; valid while this object lives. Throws `ValueError` beyond the
  /// last.
  [[nodiscard]] std::span<const std::int64_t> batch(std::size_t k) const {
    detail::check_batch_number(k, batches(), "epoch order");
    return std::span<const std::int64_t>(order_).subspan(k * batch_, batch_);
  }

 private:
  std::vector<std::int64_t> order_;
  std::size_t batch_;
};

/// One pass in the given order for evaluation: every image exactly once, the last batch shorter.
/// A network that normalises with the statistics of the batch (every supernet here) sees the
/// short batch differently; choose a batch size that leaves no tiny rest.
class SequentialBatches {
 public:
  /// Throws `ValueError` for batch size 0 and for an empty list.
  SequentialBatches(std::span<const std::int64_t> indices, std::size_t batch)
      : order_(indices.begin(), indices.end()), batch_(batch) {
    detail::check_batches(indices.size(), batch, "sequential batches");
  }

  [[nodiscard]] std::size_t batches() const noexcept {
    return (order_.size() + batch_ - 1) / batch_;
  }

  /// The image numbers of batch k; valid while this object lives. Throws `ValueError` beyond the
  /// last.
  [[nodiscard]] std::span<const std::int64_t> batch(std::size_t k) const {
    detail::check_batch_number(k, batches(), "sequential batches");
    const std::size_t begin = k * batch_;
    return std::span<const std::int64_t>(order_).subspan(begin,
                                                         std::min(batch_, order_.size() - begin));
  }

 private:
  std::vector<std::int64_t> order_;
  std::size_t batch_;
};

}  // namespace cleave::data
