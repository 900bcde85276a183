#pragma once

#include <cleave/data/ahead.hpp>
#include <cleave/data/concept.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/network/mobile_network.hpp>
#include <cleave/supernet/ofa.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

namespace cleave::network {

/// A subnet as a network of its own, with copies of the weights it uses (smaller kernels already
/// transformed). Its running statistics are fresh: re-estimate them before it is judged. With
/// batch statistics it computes what the supernet does. Throws `ValueError` for a subnet outside
/// the supernet's restriction.
[[nodiscard]] inline Ofa extract(const supernet::Ofa& supernet,
                                 const Architecture<space::Ofa>& subnet, double dropout = 0) {
  Ofa result(subnet, {.sizes = supernet.config(), .dropout = dropout}, Stream());
  const at::NoGradGuard no_grad;
  supernet.visit_subnet(subnet, [&](const std::string& name, const at::Tensor& weight) {
    at::Tensor own = result.arena().named(name);
    own.copy_(weight);
  });
  return result;
}

/// Sets a network's batch norm statistics to those of these images, batch by batch
/// (`MobileNet::absorb_statistics`); no weight changes. Throws `ValueError` for no images.
template <data::DataSet D>
void reestimate_statistics(MobileNet& net, const D& data, data::Part part,
                           std::span<const std::int64_t> images, std::size_t batch) {
  const data::SequentialBatches batches(images, batch);
  for (std::size_t k = 0; k < batches.batches(); ++k)
    net.absorb_statistics(
        data::batch_of_loop(data, k, batches.batches(),
                            [&](std::size_t i) {
                              return data::BatchRequest{part, batches.batch(i), false, Stream()};
                            })
            .images,
        static_cast<std::int64_t>(k * batch));
}

}  // namespace cleave::network
