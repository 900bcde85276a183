#pragma once

#include <ATen/TensorIterator.h>

#include <cleave/torch.hpp>
#include <cstdint>

namespace cleave::supernet {

/// work(begin, end) for ranges that make up [0, count), on LibTorch's own threads
/// (`at::set_num_threads`); may throw. Costs 2 µs where there is more than one thread.
///
/// `at::parallel_for` would be the way, but it is a template that runs in one thread wherever it is
/// compiled without OpenMP, as programs of our users are. The loop over a `TensorIterator` is
/// compiled into LibTorch.
template <class Work>
void parallel_pieces(std::int64_t count, const Work& work) {
  if (count <= 0) return;
  if (count == 1 || at::get_num_threads() == 1 || at::in_parallel_region()) {
    work(std::int64_t{0}, count);
    return;
  }
  const auto places = at::empty({count}, at::TensorOptions(at::kByte));
  const auto* const first = static_cast<const char*>(places.const_data_ptr());
  auto iterator = at::TensorIteratorConfig().add_output(places).add_const_input(places).build();
  iterator.for_each(
      [&](char** data, const std::int64_t*, std::int64_t size) {
        const auto begin = data[0] - first;
        work(begin, begin + size);
      },
      /*grain_size=*/1);
}

}  // namespace cleave::supernet
