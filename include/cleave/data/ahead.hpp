#pragma once

#include <cleave/core/random.hpp>
#include <cleave/data/concept.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cleave::data {

/// What `DataSet::batch` is asked for.
struct BatchRequest {
  Part part = Part::Train;
  std::span<const std::int64_t> indices{};
  bool augment = false;
  Stream stream{};
};

/// A data set that makes batches ahead: `prepare` takes the arguments of `batch`, begins to make
/// that batch and returns at once. Only time may depend on it.
/// Accepted: data::ImageFolder. Rejected: a set whose `prepare` waits for the batch and returns it.
template <class D>
concept PreparesBatches = DataSet<D> &&
    requires(const D& data, Part part, std::span<const std::int64_t> indices, bool augment,
             Stream stream) {
  { data.prepare(part, indices, augment, stream) } -> std::same_as<void>;
};

/// Batch k of the `count` that a loop will ask for in turn, after announcing the next one, so that
/// it is made while the caller works on this one. `request(k)` is a `BatchRequest`.
template <DataSet D, class RequestOf>
[[nodiscard]] Batch batch_of_loop(const D& data, std::size_t k, std::size_t count,
                                  const RequestOf& request) {
  if constexpr (PreparesBatches<D>)
    for (std::size_t next = k; next < count && next <= k + 1; ++next) {
      const BatchRequest r = request(next);
      data.prepare(r.part, r.indices, r.augment, r.stream);
    }
  const BatchRequest r = request(k);
  return data.batch(r.part, r.indices, r.augment, r.stream);
}

}  // namespace cleave::data
