#pragma once

#include <algorithm>
#include <array>
#include <cleave/core/buffers.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/supernet/fused_isa.hpp>
#include <cleave/supernet/operations.hpp>
#include <cleave/supernet/parallel_pieces.hpp>
#include <cleave/torch.hpp>
#include <cmath>
#include <memory>
#include <vector>

namespace cleave::supernet::fused {

/// What leaves one node: which options on which edges, and where their parts stand among the
/// function's inputs [x, sums that exist, convolutions' weights, table].
struct Node {
  struct Edge {
    EdgeOptions options;
    std::int64_t row = 0;  ///< its first entry in the table of the mixture's weights
    std::size_t sum = 0;   ///< the input that holds the sum so far, 0 for none
  };
  std::vector<Edge> edges;
  std::size_t weights = 0;  ///< the input that holds the first weight: the 3x3s, then the 1x1s
  std::size_t table = 0;    ///< the input that holds the mixture's weights, 0 for none
  std::shared_ptr<Buffers> buffers;

  // Left by the forward pass, of the convolutions' outputs.
  std::vector<double> means{};       ///< [outputs]
  std::vector<double> deviations{};  ///< 1 / sqrt(variance + epsilon), [outputs]
};

/// The passes over one node: arithmetic between the loops, and threads. S, P: see `Task`.
template <class S, class P>
class Passes {
 public:
  using T = Arithmetic<S>;

  Passes(const Kernels<S, P>& kernels, const Node& node, const at::Tensor& x)
      : kernels_(kernels), node_(node) {
    auto& shape = task_.shape;
    shape.batch = x.size(0);
    shape.channels = x.size(1);
    shape.height = x.size(2);
    shape.width = x.size(3);
    for (const auto& edge : node.edges) {
      shape.threes += edge.options.three >= 0 ? 1 : 0;
      shape.ones += edge.options.one >= 0 ? 1 : 0;
      task_.options[static_cast<std::size_t>(task_.edges++)] = edge.options;
    }
    task_.x = x.const_data_ptr<T>();
    threads_ = at::get_num_threads();
    unit_ = shape.unit_images(threads_);
    units_ = (shape.batch + unit_ - 1) / unit_;
  }

  [[nodiscard]] const Shape& shape() const noexcept { return task_.shape; }

  /// Adds to or fills `sums`; y (see `Task`) and the packed weights are kept for backward.
  void forward(at::TensorList inputs, const T* table, S* y, P* packed,
               const std::vector<at::Tensor>& sums, std::vector<double>& means,
               std::vector<double>& deviations) {
    const auto& s = shape();
    const auto c = s.channels;
    task_.y = y;
    task_.streams = count(s.batch * s.pixels() * s.outputs()) * sizeof(S) > streamed_bytes;
    const auto threes = Shape::points * s.three_outputs() * c;
    const auto packing = threes + s.one_outputs() * c;
    const auto pack = lease<P>(packing * group<P>);
    task_.three_by_input = pack.template as<P>();
    task_.one_by_input = task_.three_by_input + threes;
    set_packed(packed);
    task_.three_rows = group<P> == 1 ? packed : task_.three_by_input + packing;
    task_.one_rows = task_.three_rows + threes;
    for (std::int64_t k = 0; k < s.threes + s.ones; ++k) {
      const T* weight = inputs[node_.weights + count(k)].const_data_ptr<T>();
      (k < s.threes ? task_.weights_three[count(k)] : task_.weights_one[count(k - s.threes)]) =
          weight;
    }
    strips([&](std::int64_t begin, std::int64_t end) { kernels_.pack(task_, begin, end); });
    convolve(means, deviations);

    std::vector<T> scales(count(s.outputs()));
    std::vector<T> biases(count(max_edges * c), T(0));
    for (int e = 0; e < task_.edges; ++e) {
      const auto k = index(e);
      const auto weights = weights_of(k, table);
      task_.skip_weights[k] = weights[Space::skip_connect.index()];
      task_.pool_weights[k] = weights[Space::avg_pool_3x3.index()];
      task_.sums[k] = sums[k].template mutable_data_ptr<T>();
      task_.add[k] = node_.edges[k].sum != 0;
      T* bias = biases.data() + count(e * c);
      task_.biases[k] = bias;
      each_convolution(k, [&](std::int64_t start, OptionId option, int) {
        for (std::int64_t i = 0; i < c; ++i) {
          const auto at = count(start + i);
          const double scale = static_cast<double>(weights[option.index()]) * deviations[at];
          scales[at] = static_cast<T>(scale);
          bias[i] -= static_cast<T>(scale * means[at]);
        }
      });
    }
    task_.scales = scales.data();
    parallel(s.batch, row_lease(),
             [&](std::int64_t image, T* scratch) { kernels_.mix(task_, image, scratch); });
  }

  /// What the caller of backward wants.
  struct Wanted {
    bool x = false;
    bool weights = false;
    bool table = false;
  };

  /// gradients: of the sums, undefined where there is none. Fills dx, the weights' gradients
  /// (inputs' order) and table's, each where wanted.
  void backward(const std::vector<at::Tensor>& gradients, const T* table, const S* y,
                const P* packed, Wanted wanted, const at::Tensor& dx,
                const std::vector<at::Tensor>& weight_gradients, T* table_gradient) {
    const auto& s = shape();
    const auto c = s.channels;
    task_.y = const_cast<S*>(y);  // read only from here on
    set_packed(const_cast<P*>(packed));
    task_.with_alpha = wanted.table;
    task_.with_weights = wanted.weights;
    task_.dx = wanted.x ? dx.mutable_data_ptr<T>() : nullptr;
    for (std::size_t e = 0; e < node_.edges.size(); ++e)
      task_.gradients[e] = gradients[e].defined() ? gradients[e].const_data_ptr<T>() : nullptr;

    const auto reduced = reduce();
    const auto n = static_cast<double>(s.batch * s.pixels());
    std::vector<T> scales(count(s.outputs())), slopes(scales), offsets(scales), means(scales);
    for (int e = 0; e < task_.edges; ++e) {
      const auto k = index(e);
      const auto weights = weights_of(k, table);
      task_.skip_weights[k] = weights[Space::skip_connect.index()];
      task_.pool_weights[k] = weights[Space::avg_pool_3x3.index()];
      if (task_.gradients[k] == nullptr) continue;
      const double* sums = reduced.data() + count(e * 5 * c);
      each_convolution(k, [&](std::int64_t start, OptionId option, int slot) {
        double dot = 0;
        for (std::int64_t i = 0; i < c; ++i) {
          const auto at = count(start + i);
          const double deviation = node_.deviations[at];
          // sum of g times the normalised output
          const double along = deviation * (sums[slot * c + i] - node_.means[at] * sums[i]);
          const double scale = static_cast<double>(weights[option.index()]) * deviation;
          dot += along;
          scales[at] = static_cast<T>(scale);
          slopes[at] = static_cast<T>(-scale * deviation * along / n);
          offsets[at] = static_cast<T>(-scale * sums[i] / n);
          means[at] = static_cast<T>(node_.means[at]);
        }
        if (wanted.table) entry(table_gradient, k, option) = static_cast<T>(dot);
      });
      if (!wanted.table) continue;
      const auto total = [&](std::int64_t slot) {
        double sum = 0;
        for (std::int64_t i = 0; i < c; ++i) sum += sums[slot * c + i];
        return static_cast<T>(sum);
      };
      if (task_.options[k].skip) entry(table_gradient, k, Space::skip_connect) = total(3);
      if (task_.options[k].pool) entry(table_gradient, k, Space::avg_pool_3x3) = total(4);
    }
    if (!wanted.x && !wanted.weights) return;
    task_.scales = scales.data();
    task_.slopes = slopes.data();
    task_.offsets = offsets.data();
    task_.means = means.data();
    convolve_back(weight_gradients);
  }

 private:
  using Space = space::NasBench201;

  /// Convolutions' outputs of more bytes than this have left the caches before they are mixed.
  static constexpr std::size_t streamed_bytes = std::size_t{4} << 20;

  static std::size_t index(int k) { return static_cast<std::size_t>(k); }
  static std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }

  template <class U>
  [[nodiscard]] Buffers::Lease lease(std::int64_t values) const {
    return node_.buffers->take(count(values) * sizeof(U));
  }
  [[nodiscard]] std::int64_t row_lease() const { return shape().row_scratch(); }

  void set_packed(P* packed) {
    task_.three_by_output = packed;
    task_.one_by_output = packed + Shape::points * shape().three_outputs() * shape().channels;
  }

  /// The mixture's weights of edge k; 1 without a table.
  [[nodiscard]] std::array<T, Space::operations.size()> weights_of(std::size_t k,
                                                                   const T* table) const {
    std::array<T, Space::operations.size()> weights;
    weights.fill(T(1));
    if (table != nullptr) std::copy_n(table + node_.edges[k].row, weights.size(), weights.begin());
    return weights;
  }
  T& entry(T* table, std::size_t k, OptionId option) const {
    return table[node_.edges[k].row + static_cast<std::int64_t>(option.index())];
  }

  /// use(first channel in y, option, slot of the reduced sums) for every convolution of edge k.
  template <class Use>
  void each_convolution(std::size_t k, Use use) const {
    const auto& o = task_.options[k];
    const auto& s = shape();
    if (o.three >= 0) use(o.three * s.channels, Space::nor_conv_3x3, 1);
    if (o.one >= 0) use(s.three_outputs() + o.one * s.channels, Space::nor_conv_1x1, 2);
  }

  /// work(begin, end) for strips of a convolution's outputs, of which all convolutions have alike.
  template <class Work>
  void strips(Work work) const {
    constexpr std::int64_t strip = 16;  // whole vectors of all kinds
    const auto c = shape().channels;
    if (shape().outputs() == 0) return;
    parallel_pieces((c + strip - 1) / strip, [&](std::int64_t begin, std::int64_t end) {
      work(begin * strip, std::min(c, end * strip));
    });
  }
  /// work(k, scratch) for every piece, with scratch memory of `values` values in each thread.
  template <class Work>
  void parallel(std::int64_t pieces, std::int64_t values, Work work) const {
    parallel_pieces(pieces, [&](std::int64_t begin, std::int64_t end) {
      const auto scratch = lease<T>(values);
      for (auto k = begin; k < end; ++k) work(k, scratch.template as<T>());
    });
  }

  /// All convolutions; means and 1 / deviations of their outputs over batch and image.
  void convolve(std::vector<double>& means, std::vector<double>& deviations) {
    const auto& s = shape();
    const auto outputs = s.outputs();
    means.assign(count(outputs), 0);
    deviations.assign(count(outputs), 0);
    if (outputs == 0) return;
    std::vector<double> moments(count(units_ * 2 * outputs));
    parallel(units_, s.forward_scratch(unit_), [&](std::int64_t unit, T* scratch) {
      const auto first = unit * unit_;
      kernels_.convolve(task_, first, std::min(unit_, s.batch - first), scratch,
                        moments.data() + unit * 2 * outputs);
    });
    const auto n = static_cast<double>(s.batch * s.pixels());
    for (std::int64_t o = 0; o < outputs; ++o) {
      double sum = 0;
      double square = 0;
      for (std::int64_t unit = 0; unit < units_; ++unit) {
        sum += moments[count(unit * 2 * outputs + o)];
        square += moments[count((unit * 2 + 1) * outputs + o)];
      }
      const double mean = sum / n;
      means[count(o)] = mean;
      deviations[count(o)] =
          1.0 / std::sqrt(std::max(0.0, square / n - mean * mean) + batch_norm_epsilon);
    }
  }

  /// [edges, 5, C]; see the kernel.
  [[nodiscard]] std::vector<double> reduce() const {
    const auto& s = shape();
    const auto values = count(max_edges * 5 * s.channels);
    std::vector<double> total(values, 0.0);
    if (s.outputs() == 0 && !task_.with_alpha) return total;
    const auto pieces = std::min<std::int64_t>(threads_, s.batch);
    std::vector<std::vector<double>> parts(count(pieces), std::vector<double>(values, 0.0));
    parallel(pieces, row_lease(), [&](std::int64_t piece, T* scratch) {
      for (auto i = s.batch * piece / pieces; i < s.batch * (piece + 1) / pieces; ++i)
        kernels_.reduce(task_, i, scratch, parts[count(piece)].data());
    });
    for (const auto& part : parts)
      for (std::size_t i = 0; i < values; ++i) total[i] += part[i];
    return total;
  }

  void convolve_back(const std::vector<at::Tensor>& weight_gradients) {
    const auto& s = shape();
    const auto c = s.channels;
    const auto pieces = std::min<std::int64_t>(threads_, units_);
    const auto threes = Shape::points * s.three_outputs() * c;
    const auto each = task_.with_weights ? threes + s.one_outputs() * c : 0;
    const auto sums = lease<T>(pieces * each);
    std::vector<const T*> parts;
    for (std::int64_t piece = 0; piece < pieces; ++piece)
      parts.push_back(sums.template as<T>() + piece * each);
    parallel(pieces, s.backward_scratch(unit_), [&](std::int64_t piece, T* scratch) {
      T* d_three = sums.template as<T>() + piece * each;
      // From the last to the first: `reduce` left the last images in the cache.
      const auto last = units_ * (piece + 1) / pieces - 1;
      for (auto u = last + 1; u-- > units_ * piece / pieces;) {
        const auto first = u * unit_;
        kernels_.backward(task_, first, std::min(unit_, s.batch - first), scratch, d_three,
                          d_three + threes, u < last);
      }
    });
    if (!task_.with_weights) return;
    strips([&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = 0; k < s.threes + s.ones; ++k) {
        T* to = weight_gradients[count(k)].template mutable_data_ptr<T>();
        if (k < s.threes) {
          kernels_.unpack_three(s, k, begin, end, parts.data(), pieces, to);
          continue;
        }
        const auto start = threes + (k - s.threes) * c * c;
        std::copy(parts[0] + start + begin * c, parts[0] + start + end * c, to + begin * c);
        for (std::size_t part = 1; part < parts.size(); ++part)
          for (auto i = begin * c; i < end * c; ++i) to[i] += parts[part][start + i];
      }
    });
  }

  const Kernels<S, P>& kernels_;
  const Node& node_;
  Task<S, P> task_;
  std::int64_t threads_ = 1;
  std::int64_t unit_ = 1;
  std::int64_t units_ = 1;
};

}  // namespace cleave::supernet::fused
