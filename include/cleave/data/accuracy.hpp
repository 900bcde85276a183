#pragma once

#include <cleave/data/ahead.hpp>
#include <cleave/data/concept.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/torch.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cleave::data {

/// Share in [0, 1] of these images whose largest logit is their label. `logits_of(images)` maps
/// [B, C, H, W] to [B, classes]; no augmentation, no gradients, one wait for the device at the end.
/// Throws `ValueError` for an empty list.
template <DataSet D, class LogitsOf>
[[nodiscard]] double accuracy(const D& data, Part part, std::span<const std::int64_t> images,
                              LogitsOf logits_of) {
  constexpr std::size_t evaluation_batch = 256;
  const at::NoGradGuard no_grad;
  const SequentialBatches batches(images, evaluation_batch);
  at::Tensor correct;
  for (std::size_t k = 0; k < batches.batches(); ++k) {
    const auto batch = batch_of_loop(data, k, batches.batches(), [&](std::size_t i) {
      return BatchRequest{part, batches.batch(i), false, Stream()};
    });
    const at::Tensor logits = logits_of(batch.images);
    const auto hits = logits.argmax(1).eq(batch.labels).sum();
    correct = correct.defined() ? correct.add(hits) : hits;
  }
  return static_cast<double>(correct.item<std::int64_t>()) / static_cast<double>(images.size());
}

}  // namespace cleave::data
