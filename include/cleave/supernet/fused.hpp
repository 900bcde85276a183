#pragma once

#include <cleave/core/error.hpp>
#include <cleave/supernet/composed.hpp>
#include <cleave/supernet/custom_function.hpp>
#include <cleave/supernet/fused_passes.hpp>
#include <concepts>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace cleave::supernet {

namespace fused {

/// Everything that leaves a node as one function of autograd, forward and backward by hand.
/// Inputs as `Node` says; outputs: the edges' sums, those that existed changed in place. Computes
/// only the gradients that the backward pass asks for. Kept: as what numbers are kept.
template <class Kept>
class LeaveNode final : public CustomFunction {
 public:
  explicit LeaveNode(Node node) : node_(std::move(node)) {}

  Tensors forward(Context& context, at::TensorList inputs) override {
    context.set_materialize_grads(false);
    return by_loops(inputs[0],
                    [&](const auto& loops) { return forward_by(loops, context, inputs); });
  }

  Tensors backward(Context& context, const Tensors& gradients) override {
    if (at::GradMode::is_enabled())
      throw ValueError(
          "fused mixed edge: it has no second derivative (create_graph); use "
          "supernet::NasBench201<supernet::Composed>");
    const auto saved = context.get_saved_variables();
    return by_loops(saved[0], [&](const auto& loops) {
      return backward_by(loops, context, saved, gradients);
    });
  }

 private:
  template <class T>
  static const T* table_of(const at::Tensor& table) {
    return table.defined() ? table.const_data_ptr<T>() : nullptr;
  }

  template <class S>
  static constexpr auto type_of =
      group<S> == 2 ? at::kBFloat16 : c10::CppTypeToScalarType<Arithmetic<S>>::value;

  /// A channels-last tensor whose memory goes back to the node's buffers with it.
  template <class S>
  at::Tensor borrow(at::IntArrayRef shape) const {
    const auto plane = shape[2] * shape[3];
    auto lease = std::make_shared<Buffers::Lease>(
        node_.buffers->take(static_cast<std::size_t>(shape[0] * shape[1] * plane) * sizeof(S)));
    S* memory = lease->template as<S>();
    return at::from_blob(memory, shape, {shape[1] * plane, 1, shape[3] * shape[1], shape[1]},
                         [lease](void*) mutable { lease.reset(); },
                         type_of<S>);
  }

  /// run(loops) with those for x: numbers kept as `Kept`, with products of it where this machine
  /// has them.
  template <class Run>
  static Tensors by_loops(const at::Tensor& x, Run run) {
    const auto channels = x.size(1);
    if constexpr (group<Kept> > 1)
      if (const auto* loops = kernels_for<Kept, Kept>(channels)) return run(*loops);
    return run(*kernels_for<Kept, Arithmetic<Kept>>(channels));
  }

  template <class S, class P>
  Tensors forward_by(const Kernels<S, P>& loops, Context& context, at::TensorList inputs) {
    using T = Arithmetic<S>;
    const auto& x = inputs[0];
    Passes<S, P> passes(loops, node_, x);
    const auto& s = passes.shape();
    const at::Tensor y =
        borrow<S>({(s.threes + s.ones) * s.batch, s.channels, s.height, s.width});
    const at::Tensor packed =
        borrow<P>({Shape::points * s.three_outputs() + s.one_outputs(), s.channels, 1, 1});
    Tensors sums;
    Tensors changed;
    for (const auto& edge : node_.edges) {
      if (edge.sum != 0) changed.push_back(inputs[edge.sum]);
      sums.push_back(edge.sum != 0 ? inputs[edge.sum] : borrow<T>(x.sizes()));
    }
    const auto table = node_.table != 0 ? inputs[node_.table].contiguous() : at::Tensor();
    passes.forward(inputs, table_of<T>(table), static_cast<S*>(y.mutable_data_ptr()),
                   static_cast<P*>(packed.mutable_data_ptr()), sums, node_.means, node_.deviations);
    context.mark_dirty(changed);
    context.save_for_backward({x, table, y, packed});
    return sums;
  }

  template <class S, class P>
  Tensors backward_by(const Kernels<S, P>& loops, Context& context, const Tensors& saved,
                      const Tensors& given) const {
    using T = Arithmetic<S>;
    const auto& x = saved[0];
    const auto& table = saved[1];
    Passes<S, P> passes(loops, node_, x);
    const auto& s = passes.shape();
    const auto count = static_cast<std::size_t>(s.threes + s.ones);
    Tensors results(std::max(node_.weights + count, node_.table + 1));

    Tensors gradients;
    bool any = false;
    for (std::size_t e = 0; e < given.size(); ++e) {
      any = any || given[e].defined();
      gradients.push_back(given[e].defined()
                              ? given[e].contiguous(at::MemoryFormat::ChannelsLast)
                              : at::Tensor());
      if (node_.edges[e].sum != 0) results[node_.edges[e].sum] = given[e];
    }
    if (!any) return results;

    typename Passes<S, P>::Wanted wanted;
    wanted.x = context.needs_input_grad(0);
    wanted.table = node_.table != 0 && context.needs_input_grad(node_.table);
    for (std::size_t k = 0; k < count; ++k)
      wanted.weights = wanted.weights || context.needs_input_grad(node_.weights + k);
    if (wanted.x) results[0] = borrow<T>(x.sizes());
    if (wanted.table) results[node_.table] = at::zeros_like(table);
    Tensors weights;
    if (wanted.weights)
      for (std::size_t k = 0; k < count; ++k) {
        const auto kernel = static_cast<std::int64_t>(k) < s.threes ? 3 : 1;
        weights.push_back(at::empty({s.channels, s.channels, kernel, kernel}, x.options(),
                                    at::MemoryFormat::ChannelsLast));
        results[node_.weights + k] = weights.back();
      }
    passes.backward(gradients, table_of<T>(table), static_cast<const S*>(saved[2].const_data_ptr()),
                    static_cast<const P*>(saved[3].const_data_ptr()), wanted, results[0], weights,
                    wanted.table ? results[node_.table].mutable_data_ptr<T>() : nullptr);
    return results;
  }

  Node node_;
};

}  // namespace fused

/// What `FusedIn` can keep its numbers as.
template <class N>
concept FusedNumber =
    std::same_as<N, float> || std::same_as<N, double> || std::same_as<N, at::BFloat16>;

/// The mixed edges of a NAS-Bench-201 cell, everything that leaves a node at once: one rectified
/// image, all convolutions (3x3 by Winograd's F(2x2, 3x3), 2.25 times fewer products), batch
/// statistics while the outputs are in the cache, then one pass that pools, normalises, weighs
/// and adds; the backward pass the same way back. Channels-last. Vector instructions are chosen
/// when the program runs. Equal to `Composed` up to rounding; it has no second derivative.
///
/// On the CPU. Other devices, tensors of another type (float for `Fused`) and channel numbers that
/// no vector divides go to `Composed`. Keeps the memory of a pass for the next.
///
/// Number: as what numbers are kept inside a node. float and double are for tensors of that type;
/// double is for checking, in the narrowest vectors. at::BFloat16 (8 bits of precision) is for
/// tensors of float: so kept are the convolutions' outputs and, with AVX512_BF16, which multiplies
/// twice as many at once, what products take: rectified images, transformed tiles and weights, the
/// outputs' gradients. Sums, statistics, nodes, alpha, the arena and its gradients stay float.
template <class Number>
class FusedIn {
  static_assert(
      FusedNumber<Number>,
      "supernet::FusedIn keeps numbers as float, double or at::BFloat16 (docs/policies.md)");

 public:
  static constexpr std::string_view name = std::same_as<Number, float>    ? "fused"
                                           : std::same_as<Number, double> ? "fused_double"
                                                                          : "fused_bfloat16";
  static constexpr auto memory_format = at::MemoryFormat::ChannelsLast;
  using Space = space::NasBench201;

  /// Adds to `sums[target]` what leaves a node, in place where it made the sum itself before.
  /// x: the node, [B, C, H, W].
  void leave(const WeightArena& arena, const at::Tensor& x, std::span<const CellEdge> edges,
             const Mixture<Space>& mixture, const MixtureScalars<Space>& scalars,
             std::span<at::Tensor> sums) const {
    if (!takes(x, mixture)) {
      Composed::leave(arena, x, edges, mixture, scalars, sums);
      return;
    }
    fused::Node node;
    std::vector<at::Tensor> inputs{x.contiguous(memory_format)};
    std::vector<at::Tensor> ones;
    std::vector<at::Tensor> threes;
    std::vector<std::size_t> targets;
    for (const auto& edge : edges) {
      fused::Node::Edge leaving;
      auto& options = leaving.options;
      for (const auto option : mixture[edge.decision]) {
        const auto weight = [&]() -> at::Tensor {
          return arena.weight(edge.convolution(option).weight)
              .contiguous(at::MemoryFormat::ChannelsLast);
        };
        if (option == Space::skip_connect) {
          options.skip = true;
        } else if (option == Space::avg_pool_3x3) {
          options.pool = true;
        } else if (option == Space::nor_conv_3x3) {
          options.three = static_cast<int>(threes.size());
          threes.push_back(weight());
        } else if (option == Space::nor_conv_1x1) {
          options.one = static_cast<int>(ones.size());
          ones.push_back(weight());
        }
      }
      if (!options.any()) continue;
      leaving.row = static_cast<std::int64_t>(edge.decision.index() * max_options<Space>);
      if (const auto& sum = sums[edge.target]; sum.defined()) {
        leaving.sum = inputs.size();
        inputs.push_back(sum.contiguous(memory_format));
      }
      targets.push_back(edge.target);
      node.edges.push_back(leaving);
    }
    if (node.edges.empty()) return;
    node.weights = inputs.size();
    inputs.insert(inputs.end(), threes.begin(), threes.end());
    inputs.insert(inputs.end(), ones.begin(), ones.end());
    if (mixture.weights.defined()) {
      node.table = inputs.size();
      inputs.push_back(mixture.weights);
    }
    node.buffers = buffers_;
    const auto results =
        CustomFunction::apply(c10::make_intrusive<fused::LeaveNode<Kept>>(std::move(node)), inputs);
    for (std::size_t k = 0; k < targets.size(); ++k) sums[targets[k]] = results[k];
  }

 private:
  using Kept = std::conditional_t<std::same_as<Number, at::BFloat16>, fused::BFloat16, Number>;
  using Taken = fused::Arithmetic<Kept>;

  /// What the loops can do.
  static bool takes(const at::Tensor& x, const Mixture<Space>& mixture) {
    constexpr auto type = c10::CppTypeToScalarType<Taken>::value;
    if (!x.is_cpu() || x.scalar_type() != type || x.dim() != 4 || x.numel() == 0) return false;
    const auto& table = mixture.weights;
    if (table.defined() && (!table.is_cpu() || table.scalar_type() != type)) return false;
    return fused::kernels_for<Kept, Taken>(x.size(1)) != nullptr;
  }

  std::shared_ptr<Buffers> buffers_ = std::make_shared<Buffers>();
};

using Fused = FusedIn<float>;
using FusedDouble = FusedIn<double>;
using FusedBFloat16 = FusedIn<at::BFloat16>;

}  // namespace cleave::supernet
