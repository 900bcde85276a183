// What `Fused` does row by row of pixels, once per instruction set: moments, pooling, mixing and
// the sums its backward pass begins with. Included by fused_kernels.hpp with its settings, so it
// has no `#pragma once`. Alone, it stands for all of them.
#ifndef CLEAVE_FUSED_ISA
#include <cleave/supernet/fused_isa.hpp>
#else

namespace cleave::supernet::fused::CLEAVE_FUSED_ISA {

/// Outputs of convolutions on their way to y, and their sums and sums of squares; one vector of
/// channels.
template <class S>
struct Moments {
  using T = Arithmetic<S>;
  Vector<T> sum[2] = {}, square[2] = {};

  /// Pixel number `parity` of two.
  CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void keep(int parity, S* to, const Vector<T>& value) {
    store(to, value);
    const auto v = load(to);  // what is kept is what the statistics are of
    sum[parity] += v;
    square[parity] += v * v;
  }
  /// sums, squares: of these channels.
  CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void add_to(double* sums, double* squares) const {
    const Vector<T> all = sum[0] + sum[1], all_squares = square[0] + square[1];
    for (std::int64_t l = 0; l < Lanes<T>::count; ++l) {
      sums[l] += static_cast<double>(all[l]);
      squares[l] += static_cast<double>(all_squares[l]);
    }
  }
};

/// Keeps one row of pixels of the 1x1 convolutions' outputs, from: [width, ones * C]. Adds to
/// `moments` [2, outputs]. buffer: [width, C].
template <class S, class P>
CLEAVE_FUSED_TARGET void keep_row(const Task<S, P>& task, std::int64_t image, std::int64_t row,
                                  const Arithmetic<S>* __restrict from, S* __restrict buffer,
                                  double* __restrict moments) {
  using T = Arithmetic<S>;
  constexpr auto lanes = Lanes<T>::count;
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto width = s.width;
  const auto pixel = s.one_outputs();
  for (std::int64_t k = 0; k < s.ones; ++k) {
    S* const y = task.output(s.threes + k, image, row);
    S* const to = task.streams ? buffer : y;
    for (std::int64_t i = 0; i < c; i += lanes) {
      Moments<S> found;
      const T* values = from + k * c + i;
      std::int64_t x = 0;
      for (; x + 2 <= width; x += 2) {
        found.keep(0, to + x * c + i, load(values + x * pixel));
        found.keep(1, to + (x + 1) * c + i, load(values + (x + 1) * pixel));
      }
      if (x < width) found.keep(0, to + x * c + i, load(values + x * pixel));
      const auto at = s.three_outputs() + k * c + i;
      found.add_to(moments + at, moments + s.outputs() + at);
    }
    if (task.streams) stream(width * c, buffer, y);
  }
}

/// One row of the 3x3 average, padding not counted: x is the middle row of an image whose rows
/// above and below exist as said. column: [width + 2, C] scratch.
template <class T>
CLEAVE_FUSED_TARGET void pool_row(const Shape& shape, const T* __restrict x, bool above, bool below,
                                  T* __restrict column, T* __restrict to, bool divide) {
  constexpr auto lanes = Lanes<T>::count;
  const auto c = shape.channels;
  const auto row = shape.width * c;
  std::fill_n(column, c, T(0));
  std::fill_n(column + row + c, c, T(0));
  for (std::int64_t i = 0; i < row; i += lanes) {
    auto sum = load(x + i);
    if (above) sum += load(x + i - row);
    if (below) sum += load(x + i + row);
    store(column + c + i, sum);
  }
  const auto rows = T(1 + (above ? 1 : 0) + (below ? 1 : 0));
  for (std::int64_t p = 0; p < shape.width; ++p) {
    const auto columns = T(1 + (p > 0 ? 1 : 0) + (p + 1 < shape.width ? 1 : 0));
    const T share = divide ? T(1) / (rows * columns) : T(1);
    for (std::int64_t i = p * c; i < (p + 1) * c; i += lanes)
      store(to + i, Vector<T>((load(column + i) + load(column + c + i) + load(column + 2 * c + i)) *
                              share));
  }
}

/// What an edge's sum is made of in one row of pixels: outputs of its convolutions and images.
template <class S>
struct Sources {
  using T = Arithmetic<S>;

  int outputs = 0;
  std::array<const S*, 2> output{};
  std::array<const T*, 2> scales{};            ///< [C]
  std::array<std::int64_t, 2> output_slots{};  ///< of the reduced sums
  int images = 0;
  std::array<const T*, 2> image{};
  std::array<T, 2> weights{};
  std::array<std::int64_t, 2> image_slots{};

  void add(const S* p, const T* scale, std::int64_t slot) {
    const auto k = static_cast<std::size_t>(outputs++);
    output[k] = p;
    scales[k] = scale;
    output_slots[k] = slot;
  }
  void add(const T* p, T weight, std::int64_t slot) {
    const auto k = static_cast<std::size_t>(images++);
    image[k] = p;
    weights[k] = weight;
    image_slots[k] = slot;
  }
};

template <class S, int Outputs, int Images>
CLEAVE_FUSED_TARGET void mix_row(const Shape& shape, const Sources<S>& given,
                                 const Arithmetic<S>* bias, bool add,
                                 Arithmetic<S>* __restrict sum) {
  using T = Arithmetic<S>;
  constexpr auto lanes = Lanes<T>::count;
  const auto sources = given;
  const auto c = shape.channels;
  const auto width = shape.width;
  const auto row = width * c;
  for (std::int64_t i = 0; i < c; i += lanes) {
    Vector<T> scale[Outputs + 1], weight[Images + 1];
    const S* output[Outputs + 1];
    const T* image[Images + 1];
#pragma GCC unroll 2
    for (std::size_t k = 0; k < Outputs; ++k) {
      scale[k] = load(sources.scales[k] + i);
      output[k] = sources.output[k] + i;
    }
#pragma GCC unroll 2
    for (std::size_t k = 0; k < Images; ++k) {
      weight[k] = Vector<T>{} + sources.weights[k];
      image[k] = sources.image[k] + i;
    }
    const auto constant = bias ? load(bias + i) : Vector<T>{};
    for (std::int64_t x = 0; x < width; ++x) {
      T* out = sum + x * c + i;
      Vector<T> value = constant;
      if (add) value += load(out);
      prefetch(out, row);
#pragma GCC unroll 2
      for (int k = 0; k < Outputs; ++k) {
        prefetch(output[k] + x * c, row);
        value += scale[k] * load(output[k] + x * c);
      }
#pragma GCC unroll 2
      for (int k = 0; k < Images; ++k) {
        prefetch(image[k] + x * c, row);
        value += weight[k] * load(image[k] + x * c);
      }
      store(out, value);
    }
  }
}

/// Adds to `reduced` the sums over a row of g (slot 0) and of g times each source (its slot).
template <class S, int Outputs, int Images>
CLEAVE_FUSED_TARGET void reduce_row(const Shape& shape, const Sources<S>& given,
                                    const Arithmetic<S>* __restrict g, double* __restrict reduced) {
  using T = Arithmetic<S>;
  constexpr auto lanes = Lanes<T>::count;
  const auto sources = given;
  const auto c = shape.channels;
  const auto width = shape.width;
  const auto row = width * c;
  for (std::int64_t i = 0; i < c; i += lanes) {
    Vector<T> sum = {}, outputs[Outputs + 1] = {}, images[Images + 1] = {};
    const S* output[Outputs + 1];
    const T* image[Images + 1];
#pragma GCC unroll 2
    for (std::size_t k = 0; k < Outputs; ++k) output[k] = sources.output[k] + i;
#pragma GCC unroll 2
    for (std::size_t k = 0; k < Images; ++k) image[k] = sources.image[k] + i;
    for (std::int64_t x = 0; x < width; ++x) {
      prefetch(g + x * c + i, row);
      const auto value = load(g + x * c + i);
#pragma GCC unroll 2
      for (int k = 0; k < Outputs; ++k) {
        prefetch(output[k] + x * c, row);
        outputs[k] += value * load(output[k] + x * c);
      }
#pragma GCC unroll 2
      for (int k = 0; k < Images; ++k) {
        prefetch(image[k] + x * c, row);
        images[k] += value * load(image[k] + x * c);
      }
      sum += value;
    }
    for (std::int64_t l = 0; l < lanes; ++l) {
      reduced[i + l] += static_cast<double>(sum[l]);
#pragma GCC unroll 2
      for (std::size_t k = 0; k < Outputs; ++k)
        reduced[sources.output_slots[k] * c + i + l] += static_cast<double>(outputs[k][l]);
#pragma GCC unroll 2
      for (std::size_t k = 0; k < Images; ++k)
        reduced[sources.image_slots[k] * c + i + l] += static_cast<double>(images[k][l]);
    }
  }
}

/// What edge e is made of in one row of an image. x and pooled: null to leave them out.
template <class S, class P>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE Sources<S> sources_of(const Task<S, P>& task, int e,
                                                              std::int64_t image, std::int64_t row,
                                                              const Arithmetic<S>* x_row,
                                                              const Arithmetic<S>* pooled) {
  const auto& s = task.shape;
  const auto k = static_cast<std::size_t>(e);
  const auto& options = task.options[k];
  Sources<S> sources;
  const auto convolution = [&](std::int64_t number, std::int64_t slot) {
    sources.add(task.output(number, image, row),
                task.scales ? task.scales + number * s.channels : nullptr, slot);
  };
  if (options.three >= 0) convolution(options.three, 1);
  if (options.one >= 0) convolution(s.threes + options.one, 2);
  if (options.skip && x_row) sources.add(x_row, task.skip_weights[k], 3);
  if (options.pool && pooled) sources.add(pooled, task.pool_weights[k], 4);
  return sources;
}

template <class S, class P>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE bool any_pool(const Task<S, P>& task) {
  for (int e = 0; e < task.edges; ++e)
    if (task.options[static_cast<std::size_t>(e)].pool) return true;
  return false;
}

/// One image of every edge's sum. scratch: [2 * width + 2, C].
template <class S, class P>
CLEAVE_FUSED_TARGET void mix(const Task<S, P>& task, std::int64_t image, Arithmetic<S>* scratch) {
  using T = Arithmetic<S>;
  // by outputs and images among the sources
  static constexpr decltype(&mix_row<S, 1, 1>) runs[3][3] = {
      {nullptr, mix_row<S, 0, 1>, mix_row<S, 0, 2>},
      {mix_row<S, 1, 0>, mix_row<S, 1, 1>, mix_row<S, 1, 2>},
      {mix_row<S, 2, 0>, mix_row<S, 2, 1>, mix_row<S, 2, 2>}};
  const auto& s = task.shape;
  const auto line = s.width * s.channels;
  T* pooled = scratch;
  const bool pools = any_pool(task);
  for (std::int64_t row = 0; row < s.height; ++row) {
    const auto at = (image * s.height + row) * line;
    if (pools) pool_row(s, task.x + at, row > 0, row + 1 < s.height, pooled + line, pooled, true);
    for (int e = 0; e < task.edges; ++e) {
      const auto k = static_cast<std::size_t>(e);
      const auto sources = sources_of(task, e, image, row, task.x + at, pooled);
      T* sum = task.sums[k] + at;
      runs[sources.outputs][sources.images](s, sources, task.biases[k], task.add[k], sum);
    }
  }
}

/// Adds one image to `reduced`: [edges, 5, C], the sums of g, g y3, g y1, g x, g pool(x).
template <class S, class P>
CLEAVE_FUSED_TARGET void reduce(const Task<S, P>& task, std::int64_t image, Arithmetic<S>* scratch,
                                double* reduced) {
  using T = Arithmetic<S>;
  static constexpr decltype(&reduce_row<S, 1, 1>) runs[3][3] = {
      {nullptr, reduce_row<S, 0, 1>, reduce_row<S, 0, 2>},
      {reduce_row<S, 1, 0>, reduce_row<S, 1, 1>, reduce_row<S, 1, 2>},
      {reduce_row<S, 2, 0>, reduce_row<S, 2, 1>, reduce_row<S, 2, 2>}};
  const auto& s = task.shape;
  const auto line = s.width * s.channels;
  T* pooled = scratch;
  const bool pools = task.with_alpha && any_pool(task);
  for (std::int64_t row = 0; row < s.height; ++row) {
    const auto at = (image * s.height + row) * line;
    if (pools) pool_row(s, task.x + at, row > 0, row + 1 < s.height, pooled + line, pooled, true);
    for (int e = 0; e < task.edges; ++e) {
      const auto k = static_cast<std::size_t>(e);
      if (!task.gradients[k]) continue;
      const auto sources = sources_of(task, e, image, row, task.with_alpha ? task.x + at : nullptr,
                                      pools ? pooled : nullptr);
      if (sources.outputs + sources.images == 0) continue;
      runs[sources.outputs][sources.images](s, sources, task.gradients[k] + at,
                                            reduced + e * 5 * s.channels);
    }
  }
}

}  // namespace cleave::supernet::fused::CLEAVE_FUSED_ISA

#endif
