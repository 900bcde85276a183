// The loops of `Fused`, once per instruction set: fused_isa.hpp includes this file with
// CLEAVE_FUSED_ISA, CLEAVE_FUSED_BYTES and CLEAVE_FUSED_TARGET set, so it has no `#pragma once`.
// Alone, it stands for all of them.
#ifndef CLEAVE_FUSED_ISA
#include <cleave/supernet/fused_isa.hpp>
#else

#include <cleave/supernet/fused_winograd.hpp>

namespace cleave::supernet::fused::CLEAVE_FUSED_ISA {

/// Adds the sums and sums of squares over one row of pixels; [outputs] each, in double.
template <class T>
CLEAVE_FUSED_TARGET void add_moments(const Shape& shape, const T* __restrict y,
                                     double* __restrict sums, double* __restrict squares) {
  constexpr auto lanes = Lanes<T>::count;
  const auto pixel = shape.outputs();
  for (std::int64_t i = 0; i < pixel; i += lanes) {
    Vector<T> sum[2] = {}, square[2] = {};
    std::int64_t x = 0;
    for (; x + 2 <= shape.width; x += 2)
#pragma GCC unroll 2
      for (int k = 0; k < 2; ++k) {
        const auto v = load(y + (x + k) * pixel + i);
        sum[k] += v;
        square[k] += v * v;
      }
    if (x < shape.width) {
      const auto v = load(y + x * pixel + i);
      sum[0] += v;
      square[0] += v * v;
    }
    sum[0] += sum[1];
    square[0] += square[1];
    for (std::int64_t l = 0; l < lanes; ++l) {
      sums[i + l] += static_cast<double>(sum[0][l]);
      squares[i + l] += static_cast<double>(square[0][l]);
    }
  }
}

/// All convolutions of `count` images and the moments [2, outputs] of what comes out.
template <class T>
CLEAVE_FUSED_TARGET void convolve(const Task<T>& task, std::int64_t first, std::int64_t count,
                                  T* scratch, double* moments) {
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto tiles = s.tile_columns();
  const auto block = s.block_rows();
  T* rectified = scratch;
  T* v = rectified + count * s.padded_size();
  T* m = v + points * block * tiles * c;
  std::fill_n(moments, 2 * s.outputs(), 0.0);
  for (std::int64_t n = 0; n < count; ++n)
    rectify(s, task.x + (first + n) * s.pixels() * c, rectified + n * s.padded_size());
  const auto rows = count * s.tile_rows();
  const auto wide = s.padded_width() * c;
  for (std::int64_t begin = 0; begin < rows; begin += block) {
    const auto end = std::min(rows, begin + block);
    const auto here = (end - begin) * tiles;
    if (s.threes > 0) {
      for (auto r = begin; r < end; ++r)
        transform_input(s,
                        rectified + r / s.tile_rows() * s.padded_size() +
                            2 * (r % s.tile_rows()) * wide,
                        v + (r - begin) * tiles * c, here * c);
      const auto outputs = s.three_outputs();
      for (std::int64_t p = 0; p < points; ++p)
        product(here, outputs, v + p * here * c, c, std::int64_t{1},
                task.three_by_input + p * c * outputs, outputs, m + p * here * outputs, outputs, c,
                false);
    }
    for (auto r = begin; r < end; ++r) {
      const auto image = r / s.tile_rows();
      const auto tile_row = r % s.tile_rows();
      T* y = task.y + (first + image) * s.pixels() * s.outputs();
      if (s.threes > 0)
        transform_output(s, tile_row, m + (r - begin) * tiles * s.three_outputs(),
                         here * s.three_outputs(), y);
      for (auto row = 2 * tile_row; row < std::min(s.height, 2 * tile_row + 2); ++row) {
        T* out = y + row * s.width * s.outputs();
        if (s.ones > 0)
          product(s.width, s.one_outputs(),
                  rectified + image * s.padded_size() + (row + 1) * wide + c, c, std::int64_t{1},
                  task.one_by_input, s.one_outputs(), out + s.three_outputs(), s.outputs(), c,
                  false);
        add_moments(s, out, moments, moments + s.outputs());
      }
    }
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
      store(to + i,
            Vector<T>((load(column + i) + load(column + c + i) + load(column + 2 * c + i)) *
                      share));
  }
}

/// What an edge's sum is made of in one row of pixels.
template <class T>
struct Sources {
  int count = 0;
  std::array<const T*, 4> from{};
  std::array<std::int64_t, 4> pixel{};   ///< values from one pixel to the next
  std::array<const T*, 4> factors{};     ///< [C], or null for `factor`
  std::array<T, 4> factor{};
  std::array<int, 4> slot{};             ///< of `Reduced`

  void add(const T* p, std::int64_t step, const T* vector, T scalar, int where) {
    const auto k = static_cast<std::size_t>(count++);
    from[k] = p;
    pixel[k] = step;
    factors[k] = vector;
    factor[k] = scalar;
    slot[k] = where;
  }
};

template <class T, int Count>
CLEAVE_FUSED_TARGET void mix_row(const Shape& shape, const Sources<T>& given, const T* bias,
                                 bool add, T* __restrict sum) {
  constexpr auto lanes = Lanes<T>::count;
  const auto sources = given;
  const auto c = shape.channels;
  const auto width = shape.width;
  for (std::int64_t i = 0; i < c; i += lanes) {
    Vector<T> factor[Count];
    const T* from[Count];
    std::int64_t step[Count];
#pragma GCC unroll 4
    for (int k = 0; k < Count; ++k) {
      const auto n = static_cast<std::size_t>(k);
      factor[k] = sources.factors[n] ? load(sources.factors[n] + i)
                                     : Vector<T>(Vector<T>{} + sources.factor[n]);
      from[k] = sources.from[n] + i;
      step[k] = sources.pixel[n];
    }
    const auto constant = bias ? load(bias + i) : Vector<T>{};
    for (std::int64_t x = 0; x < width; ++x) {
      T* out = sum + x * c + i;
      Vector<T> value = constant;
      if (add) value += load(out);
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) {
        __builtin_prefetch(from[k] + (x + width) * step[k]);
        value += factor[k] * load(from[k] + x * step[k]);
      }
      store(out, value);
    }
  }
}

/// Adds to `reduced` the sums over a row of g (slot 0) and of g times each source (its slot).
template <class T, int Count>
CLEAVE_FUSED_TARGET void reduce_row(const Shape& shape, const Sources<T>& given,
                                    const T* __restrict g, double* __restrict reduced) {
  constexpr auto lanes = Lanes<T>::count;
  const auto sources = given;
  const auto c = shape.channels;
  const auto width = shape.width;
  for (std::int64_t i = 0; i < c; i += lanes) {
    Vector<T> sum[Count + 1] = {};
    const T* from[Count + 1];
    std::int64_t step[Count + 1];
#pragma GCC unroll 4
    for (int k = 0; k < Count; ++k) {
      from[k] = sources.from[static_cast<std::size_t>(k)] + i;
      step[k] = sources.pixel[static_cast<std::size_t>(k)];
    }
    for (std::int64_t x = 0; x < width; ++x) {
      const auto value = load(g + x * c + i);
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) {
        __builtin_prefetch(from[k] + (x + width) * step[k]);
        sum[k] += value * load(from[k] + x * step[k]);
      }
      sum[Count] += value;
    }
    for (std::int64_t l = 0; l < lanes; ++l) {
      reduced[i + l] += static_cast<double>(sum[Count][l]);
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k)
        reduced[sources.slot[static_cast<std::size_t>(k)] * c + i + l] +=
            static_cast<double>(sum[k][l]);
    }
  }
}

/// What edge e is made of, row `row` of an image. x and pooled: null to leave them out.
template <class T>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE Sources<T> sources_of(const Task<T>& task, int e,
                                                              const T* y_row, const T* x_row,
                                                              const T* pooled) {
  const auto& s = task.shape;
  const auto k = static_cast<std::size_t>(e);
  const auto& options = task.options[k];
  Sources<T> sources;
  if (options.three >= 0) {
    const auto at = options.three * s.channels;
    sources.add(y_row + at, s.outputs(), task.scales ? task.scales + at : nullptr, T(0), 1);
  }
  if (options.one >= 0) {
    const auto at = s.three_outputs() + options.one * s.channels;
    sources.add(y_row + at, s.outputs(), task.scales ? task.scales + at : nullptr, T(0), 2);
  }
  if (options.skip && x_row) sources.add(x_row, s.channels, nullptr, task.skip_weights[k], 3);
  if (options.pool && pooled) sources.add(pooled, s.channels, nullptr, task.pool_weights[k], 4);
  return sources;
}

template <class T>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE bool any_pool(const Task<T>& task) {
  for (int e = 0; e < task.edges; ++e)
    if (task.options[static_cast<std::size_t>(e)].pool) return true;
  return false;
}

/// One image of every edge's sum. scratch: [2 * width + 2, C].
template <class T>
CLEAVE_FUSED_TARGET void mix(const Task<T>& task, std::int64_t image, T* scratch) {
  const auto& s = task.shape;
  const auto line = s.width * s.channels;
  T* pooled = scratch;
  const bool pools = any_pool(task);
  for (std::int64_t row = 0; row < s.height; ++row) {
    const auto at = (image * s.height + row) * line;
    if (pools)
      pool_row(s, task.x + at, row > 0, row + 1 < s.height, pooled + line, pooled, true);
    for (int e = 0; e < task.edges; ++e) {
      const auto k = static_cast<std::size_t>(e);
      const auto sources =
          sources_of(task, e, task.y + (image * s.height + row) * s.width * s.outputs(),
                     task.x + at, static_cast<const T*>(pooled));
      T* sum = task.sums[k] + at;
      const auto run = sources.count == 1   ? mix_row<T, 1>
                       : sources.count == 2 ? mix_row<T, 2>
                       : sources.count == 3 ? mix_row<T, 3>
                                            : mix_row<T, 4>;
      run(s, sources, task.biases[k], task.add[k], sum);
    }
  }
}

/// Adds one image to `reduced`: [edges, 5, C], the sums of g, g y3, g y1, g x, g pool(x).
template <class T>
CLEAVE_FUSED_TARGET void reduce(const Task<T>& task, std::int64_t image, T* scratch,
                                double* reduced) {
  const auto& s = task.shape;
  const auto line = s.width * s.channels;
  T* pooled = scratch;
  const bool pools = task.with_alpha && any_pool(task);
  for (std::int64_t row = 0; row < s.height; ++row) {
    const auto at = (image * s.height + row) * line;
    if (pools)
      pool_row(s, task.x + at, row > 0, row + 1 < s.height, pooled + line, pooled, true);
    for (int e = 0; e < task.edges; ++e) {
      const auto k = static_cast<std::size_t>(e);
      if (!task.gradients[k]) continue;
      const auto sources = sources_of(
          task, e, task.y + (image * s.height + row) * s.width * s.outputs(),
          task.with_alpha ? task.x + at : nullptr, pools ? static_cast<const T*>(pooled) : nullptr);
      if (sources.count == 0) continue;
      const auto run = sources.count == 1   ? reduce_row<T, 1>
                       : sources.count == 2 ? reduce_row<T, 2>
                       : sources.count == 3 ? reduce_row<T, 3>
                                            : reduce_row<T, 4>;
      run(s, sources, task.gradients[k] + at, reduced + e * 5 * s.channels);
    }
  }
}

/// dy of one row of pixels, [width, outputs]: zero where nobody asks.
template <class T>
CLEAVE_FUSED_TARGET void output_gradient_row(const Task<T>& task, const T* __restrict y,
                                             std::int64_t at, T* __restrict dy) {
  constexpr auto lanes = Lanes<T>::count;
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto outputs = s.outputs();
  for (int e = 0; e < task.edges; ++e) {
    const auto k = static_cast<std::size_t>(e);
    const T* g = task.gradients[k] ? task.gradients[k] + at : nullptr;
    for (const int which : {0, 1}) {
      const auto number = which == 0 ? task.options[k].three : task.options[k].one;
      if (number < 0) continue;
      const auto start = (which == 0 ? 0 : s.three_outputs()) + number * c;
      for (std::int64_t i = 0; i < c; i += lanes) {
        const auto from = start + i;
        if (!g) {
          for (std::int64_t x = 0; x < s.width; ++x) store(dy + x * outputs + from, Vector<T>{});
          continue;
        }
        const T* next = y + s.width * outputs + from;
        const auto scale = load(task.scales + from), slope = load(task.slopes + from);
        const auto mean = load(task.means + from), offset = load(task.offsets + from);
        for (std::int64_t x = 0; x < s.width; ++x) {
          __builtin_prefetch(next + x * outputs);
          store(dy + x * outputs + from,
                Vector<T>(scale * load(g + x * c + i) +
                          (slope * (load(y + x * outputs + from) - mean) + offset)));
        }
      }
    }
  }
}

/// The transpose of the pooling and the skips: dx of one image from every g, and from dr, the
/// gradient of the padded rectified image. spread: [(height + 2) * width, C] scratch.
template <class T>
CLEAVE_FUSED_TARGET void input_gradient(const Task<T>& task, std::int64_t image, const T* dr,
                                        T* spread) {
  constexpr auto lanes = Lanes<T>::count;
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto line = s.width * c;
  const auto start = image * s.height * line;
  const bool pools = any_pool(task);
  T* row_buffer = spread + s.height * line;  // a pooled row, then scratch of `pool_row`
  if (pools)
    for (std::int64_t y = 0; y < s.height; ++y) {
      const auto rows = T(1 + (y > 0 ? 1 : 0) + (y + 1 < s.height ? 1 : 0));
      for (std::int64_t x = 0; x < s.width; ++x) {
        const auto columns = T(1 + (x > 0 ? 1 : 0) + (x + 1 < s.width ? 1 : 0));
        const T share = T(1) / (rows * columns);
        for (std::int64_t i = 0; i < c; i += lanes) {
          const auto at = y * line + x * c + i;
          Vector<T> sum{};
          for (int e = 0; e < task.edges; ++e) {
            const auto k = static_cast<std::size_t>(e);
            if (task.options[k].pool && task.gradients[k])
              sum += task.pool_weights[k] * load(task.gradients[k] + start + at);
          }
          store(spread + at, Vector<T>(sum * share));
        }
      }
    }
  for (std::int64_t y = 0; y < s.height; ++y) {
    if (pools)
      pool_row(s, static_cast<const T*>(spread + y * line), y > 0, y + 1 < s.height,
               row_buffer + line, row_buffer, false);
    const T* dr_row = dr ? dr + (y + 1) * s.padded_width() * c + c : nullptr;
    const auto at = start + y * line;
    for (std::int64_t i = 0; i < line; i += lanes) {
      auto value = pools ? load(row_buffer + i) : Vector<T>{};
      if (dr_row) {
        const auto x = load(task.x + at + i);
        value += x > T(0) ? load(dr_row + i) : Vector<T>{};
      }
      for (int e = 0; e < task.edges; ++e) {
        const auto k = static_cast<std::size_t>(e);
        if (task.options[k].skip && task.gradients[k])
          value += task.skip_weights[k] * load(task.gradients[k] + at + i);
      }
      store(task.dx + at + i, value);
    }
  }
}

/// dx of `count` images, and their part of the weights' gradients: added to
/// d_three [points, threes * C, C] and d_one [ones * C, C].
template <class T>
CLEAVE_FUSED_TARGET void backward(const Task<T>& task, std::int64_t first, std::int64_t count,
                                  T* scratch, T* d_three, T* d_one) {
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto tiles = s.tile_columns();
  const auto block = s.block_rows();
  const auto outputs = s.outputs();
  const auto wide = s.padded_width() * c;
  T* rectified = scratch;
  T* dr = rectified + count * s.padded_size();
  T* v = dr + count * s.padded_size();
  T* m = v + points * block * tiles * c;
  T* dy = m + points * block * tiles * s.three_outputs();
  const bool convolutions = outputs > 0;
  if (convolutions && task.with_weights)
    for (std::int64_t n = 0; n < count; ++n)
      rectify(s, task.x + (first + n) * s.pixels() * c, rectified + n * s.padded_size());
  if (convolutions && task.dx) std::fill_n(dr, count * s.padded_size(), T(0));
  const auto rows = convolutions ? count * s.tile_rows() : 0;
  const auto pair = 4 * tiles * outputs;  // two rows of pixels
  for (std::int64_t begin = 0; begin < rows; begin += block) {
    const auto end = std::min(rows, begin + block);
    const auto here = (end - begin) * tiles;
    for (auto r = begin; r < end; ++r) {
      const auto image = r / s.tile_rows();
      const auto tile_row = r % s.tile_rows();
      T* target = dy + (r - begin) * pair;
      for (std::int64_t k = 0; k < 2; ++k) {
        const auto row = 2 * tile_row + k;
        T* line = target + k * 2 * tiles * outputs;
        const auto used = row < s.height ? s.width : 0;
        std::fill(line + used * outputs, line + 2 * tiles * outputs, T(0));
        if (used == 0) continue;
        const auto pixel = ((first + image) * s.height + row) * s.width;
        output_gradient_row(task, static_cast<const T*>(task.y) + pixel * outputs, pixel * c, line);
        const auto inside = image * s.padded_size() + (row + 1) * wide + c;
        const T* d = line + s.three_outputs();
        if (s.ones > 0 && task.dx)
          product(s.width, c, d, outputs, std::int64_t{1},
                  static_cast<const T*>(task.one_by_output), c, dr + inside, c, s.one_outputs(),
                  true);
        if (s.ones > 0 && task.with_weights)
          product(s.one_outputs(), c, d, std::int64_t{1}, outputs,
                  static_cast<const T*>(rectified + inside), c, d_one, c, s.width, true);
      }
      if (s.threes > 0)
        transform_output_back(s, static_cast<const T*>(target),
                              m + (r - begin) * tiles * s.three_outputs(),
                              here * s.three_outputs());
    }
    if (s.threes == 0) continue;
    const auto three = s.three_outputs();
    const auto image_row = [&](std::int64_t r) {
      return r / s.tile_rows() * s.padded_size() + 2 * (r % s.tile_rows()) * wide;
    };
    if (task.with_weights) {
      for (auto r = begin; r < end; ++r)
        transform_input(s, static_cast<const T*>(rectified + image_row(r)),
                        v + (r - begin) * tiles * c, here * c);
      for (std::int64_t p = 0; p < points; ++p)
        product(three, c, static_cast<const T*>(m + p * here * three), std::int64_t{1}, three,
                static_cast<const T*>(v + p * here * c), c, d_three + p * three * c, c, here, true);
    }
    if (task.dx) {
      for (std::int64_t p = 0; p < points; ++p)
        product(here, c, static_cast<const T*>(m + p * here * three), three, std::int64_t{1},
                static_cast<const T*>(task.three_by_output + p * three * c), c, v + p * here * c,
                c, three, false);
      for (auto r = begin; r < end; ++r)
        transform_input_back(s, static_cast<const T*>(v + (r - begin) * tiles * c), here * c,
                             dr + image_row(r));
    }
  }
  if (task.dx)
    for (std::int64_t n = 0; n < count; ++n)
      input_gradient(task, first + n, convolutions ? dr + n * s.padded_size() : nullptr, dy);
}

template <class T>
inline constexpr Kernels<T> kernels{
    .lanes = Lanes<T>::count,
    .pack_three = pack_three<T>,
    .pack_one = pack_one<T>,
    .unpack_three = unpack_three<T>,
    .convolve = convolve<T>,
    .mix = mix<T>,
    .reduce = reduce<T>,
    .backward = backward<T>,
};

}  // namespace cleave::supernet::fused::CLEAVE_FUSED_ISA

#endif
