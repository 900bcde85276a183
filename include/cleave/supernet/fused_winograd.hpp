// Winograd's transforms for `Fused`, once per instruction set: included by fused_kernels.hpp with
// its settings, so it has no `#pragma once`. Alone, it stands for all of them.
#ifndef CLEAVE_FUSED_ISA
#include <cleave/supernet/fused_isa.hpp>
#else

namespace cleave::supernet::fused::CLEAVE_FUSED_ISA {

inline constexpr auto points = Shape::points;

/// One step of a transposition: squares of `step` on both sides of the diagonal change places
/// between rows a and b, which are `step` apart.
template <int step, class V, std::size_t... I>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void change_places(V& a, V& b,
                                                           std::index_sequence<I...>) {
  constexpr int n = sizeof...(I);
  const V from_a = a;
  a = __builtin_shufflevector(a, b, (I & step ? n + static_cast<int>(I) - step : I)...);
  b = __builtin_shufflevector(from_a, b, (I & step ? n + I : I + step)...);
}
template <int step, class V, std::size_t n>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void transpose(V (&rows)[n]) {
  if constexpr (step < n) {
#pragma GCC unroll 16
    for (std::size_t r = 0; r < n; ++r)
      if ((r & step) == 0)
        change_places<step>(rows[r], rows[r + step], std::make_index_sequence<n>());
    transpose<2 * step>(rows);
  }
}

/// Rows [begin, end) of weights [outputs, C] in both orders that products take; see `Task`.
template <class P>
CLEAVE_FUSED_TARGET void pack_rows(std::int64_t c, std::int64_t outputs, std::int64_t begin,
                                   std::int64_t end, const P* rows, P* by_output, P* by_input) {
  if (rows != by_output)
    group_rows(end - begin, c, rows + begin * c, c, by_output + begin * c);
  using T = Arithmetic<P>;  // as wide as a group
  static_assert(sizeof(T) == sizeof(Group<P>));
  constexpr auto side = Lanes<T>::count;
  const auto depth = c / group<P>;
  for (auto o = begin; o < end; o += side)
    for (std::int64_t i = 0; i < depth; i += side) {
      const P* from = rows + o * c + i * group<P>;
      P* to = by_input + (i * outputs + o) * group<P>;
      if (i + side <= depth) {
        Vector<T> square[side];
#pragma GCC unroll 16
        for (std::int64_t k = 0; k < side; ++k)
          __builtin_memcpy(&square[k], from + k * c, sizeof square[k]);
        transpose<1>(square);
#pragma GCC unroll 16
        for (std::int64_t k = 0; k < side; ++k)
          __builtin_memcpy(static_cast<void*>(to + k * outputs * group<P>), &square[k],
                           sizeof square[k]);
        continue;
      }
      for (std::int64_t row = 0; row < depth - i; ++row)
        for (std::int64_t column = 0; column < side; ++column) {
          const auto value = load_group(from + column * c + row * group<P>);
          __builtin_memcpy(static_cast<void*>(to + (row * outputs + column) * group<P>), &value,
                           sizeof value);
        }
    }
}

/// The weights of the outputs [begin, end) of every convolution, whole vectors of them, in both
/// orders; the 3x3s' in Winograd's domain, G g Gᵀ.
template <class S, class P>
CLEAVE_FUSED_TARGET void pack(const Task<S, P>& task, std::int64_t begin, std::int64_t end) {
  using T = Arithmetic<S>;
  constexpr auto lanes = Lanes<T>::count;
  const auto c = task.shape.channels;
  const auto outputs = task.shape.three_outputs();
  for (std::int64_t k = 0; k < task.shape.threes; ++k) {
    const T* w = task.weights_three[static_cast<std::size_t>(k)];
    for (std::int64_t o = begin; o < end; ++o)
      for (std::int64_t i = 0; i < c; i += lanes) {
        Vector<T> rows[4][3];
#pragma GCC unroll 3
        for (int x = 0; x < 3; ++x) {
          const auto g0 = load(w + (o * 9 + x) * c + i);
          const auto g1 = load(w + (o * 9 + 3 + x) * c + i);
          const auto g2 = load(w + (o * 9 + 6 + x) * c + i);
          const Vector<T> outer = (g0 + g2) * T(0.5);
          const Vector<T> inner = g1 * T(0.5);
          rows[0][x] = g0;
          rows[1][x] = outer + inner;
          rows[2][x] = outer - inner;
          rows[3][x] = g2;
        }
#pragma GCC unroll 4
        for (int y = 0; y < 4; ++y) {
          const Vector<T> outer = (rows[y][0] + rows[y][2]) * T(0.5);
          const Vector<T> inner = rows[y][1] * T(0.5);
          P* to = task.three_rows + ((4 * y * outputs) + k * c + o) * c + i;
          store(to, rows[y][0]);
          store(to + outputs * c, Vector<T>(outer + inner));
          store(to + 2 * outputs * c, Vector<T>(outer - inner));
          store(to + 3 * outputs * c, rows[y][2]);
        }
      }
    for (std::int64_t p = 0; p < points; ++p) {
      const auto at = (p * outputs + k * c) * c;
      pack_rows(c, outputs, begin, end, task.three_rows + at, task.three_by_output + at,
                task.three_by_input + p * c * outputs + k * c * group<P>);
    }
  }
  for (std::int64_t k = 0; k < task.shape.ones; ++k) {
    const auto at = k * c * c;
    const T* w = task.weights_one[static_cast<std::size_t>(k)];
    for (std::int64_t i = begin * c; i < end * c; i += lanes)
      store(task.one_rows + at + i, load(w + i));
    pack_rows(c, task.shape.one_outputs(), begin, end, task.one_rows + at,
              task.one_by_output + at, task.one_by_input + k * c * group<P>);
  }
}

/// The gradient of the weights of outputs [begin, end) of 3x3 convolution k, Gᵀ dU G, from that of
/// the transformed ones, which is the sum of `parts` buffers [points, threes * C, C].
/// dw: [C, 3, 3, C].
template <class T>
CLEAVE_FUSED_TARGET void unpack_three(const Shape& shape, std::int64_t k, std::int64_t begin,
                                      std::int64_t end, const T* const* parts,
                                      std::int64_t count, T* dw) {
  constexpr auto lanes = Lanes<T>::count;
  const auto c = shape.channels;
  const auto outputs = shape.three_outputs();
  for (std::int64_t o = begin; o < end; ++o)
    for (std::int64_t i = 0; i < c; i += lanes) {
      Vector<T> rows[3][4];
#pragma GCC unroll 4
      for (int x = 0; x < 4; ++x) {
        Vector<T> u[4];
#pragma GCC unroll 4
        for (int y = 0; y < 4; ++y) {
          const auto at = ((4 * y + x) * outputs + k * c + o) * c + i;
          u[y] = load(parts[0] + at);
          for (std::int64_t part = 1; part < count; ++part) u[y] += load(parts[part] + at);
        }
        rows[0][x] = u[0] + (u[1] + u[2]) * T(0.5);
        rows[1][x] = (u[1] - u[2]) * T(0.5);
        rows[2][x] = (u[1] + u[2]) * T(0.5) + u[3];
      }
#pragma GCC unroll 3
      for (int y = 0; y < 3; ++y) {
        const Vector<T> sum = (rows[y][1] + rows[y][2]) * T(0.5);
        store(dw + (o * 9 + 3 * y) * c + i, Vector<T>(rows[y][0] + sum));
        store(dw + (o * 9 + 3 * y + 1) * c + i, Vector<T>((rows[y][1] - rows[y][2]) * T(0.5)));
        store(dw + (o * 9 + 3 * y + 2) * c + i, Vector<T>(sum + rows[y][3]));
      }
    }
}

/// relu(x) with its border of zeros, one image.
template <class P>
CLEAVE_FUSED_TARGET void rectify(const Shape& shape, const Arithmetic<P>* __restrict x,
                                 P* __restrict to) {
  using T = Arithmetic<P>;
  constexpr auto lanes = Lanes<T>::count;
  const auto row = shape.padded_width() * shape.channels;
  const auto used = shape.width * shape.channels;
  clear(to, row);
  for (std::int64_t y = 0; y < shape.height; ++y) {
    P* out = to + (y + 1) * row;
    clear(out, shape.channels);
    out += shape.channels;
    for (std::int64_t i = 0; i < used; i += lanes) {
      const auto v = load(x + y * used + i);
      store(out + i, Vector<T>(v < T(0) ? Vector<T>{} : v));
    }
    clear(out + used, row - used - shape.channels);
  }
  clear(to + (shape.height + 1) * row, shape.padded_size() - (shape.height + 1) * row);
}

/// Bᵀ d B of one row of tiles. from: its four pixel rows in a padded image. to: [points, stride].
template <class P>
CLEAVE_FUSED_TARGET void transform_input(const Shape& shape, const P* __restrict from,
                                         P* __restrict to, std::int64_t stride) {
  using T = Arithmetic<P>;
  constexpr auto lanes = Lanes<T>::count;
  const auto c = shape.channels;
  const auto row = shape.padded_width() * c;
  const auto tiles = shape.tile_columns();
  for (std::int64_t t = 0; t < tiles; ++t)
    for (std::int64_t i = 0; i < c; i += lanes) {
      const P* d = from + 2 * t * c + i;
      Vector<T> rows[4][4];
#pragma GCC unroll 4
      for (int x = 0; x < 4; ++x) {
        const auto d0 = load(d + x * c);
        const auto d1 = load(d + row + x * c);
        const auto d2 = load(d + 2 * row + x * c);
        const auto d3 = load(d + 3 * row + x * c);
        rows[0][x] = d0 - d2;
        rows[1][x] = d1 + d2;
        rows[2][x] = d2 - d1;
        rows[3][x] = d1 - d3;
      }
      P* out = to + t * c + i;
#pragma GCC unroll 4
      for (int y = 0; y < 4; ++y) {
        store(out + (4 * y) * stride, Vector<T>(rows[y][0] - rows[y][2]));
        store(out + (4 * y + 1) * stride, Vector<T>(rows[y][1] + rows[y][2]));
        store(out + (4 * y + 2) * stride, Vector<T>(rows[y][2] - rows[y][1]));
        store(out + (4 * y + 3) * stride, Vector<T>(rows[y][1] - rows[y][3]));
      }
    }
}

/// The adjoint of the above: adds B v Bᵀ to the padded image.
template <class T>
CLEAVE_FUSED_TARGET void transform_input_back(const Shape& shape, const T* __restrict from,
                                              std::int64_t stride, T* __restrict to) {
  constexpr auto lanes = Lanes<T>::count;
  const auto c = shape.channels;
  const auto row = shape.padded_width() * c;
  const auto tiles = shape.tile_columns();
  for (std::int64_t t = 0; t < tiles; ++t)
    for (std::int64_t i = 0; i < c; i += lanes) {
      const T* in = from + t * c + i;
      Vector<T> rows[4][4];
#pragma GCC unroll 4
      for (int x = 0; x < 4; ++x) {
        const auto v0 = load(in + x * stride);
        const auto v1 = load(in + (4 + x) * stride);
        const auto v2 = load(in + (8 + x) * stride);
        const auto v3 = load(in + (12 + x) * stride);
        rows[0][x] = v0;
        rows[1][x] = v1 - v2 + v3;
        rows[2][x] = v1 + v2 - v0;
        rows[3][x] = -v3;
      }
      T* d = to + 2 * t * c + i;
#pragma GCC unroll 4
      for (int y = 0; y < 4; ++y) {
        T* out = d + y * row;
        const auto& v = rows[y];
        store(out, Vector<T>(load(out) + v[0]));
        store(out + c, Vector<T>(load(out + c) + (v[1] - v[2] + v[3])));
        store(out + 2 * c, Vector<T>(load(out + 2 * c) + (v[1] + v[2] - v[0])));
        store(out + 3 * c, Vector<T>(load(out + 3 * c) - v[3]));
      }
    }
}

/// Aᵀ m A of one row of tiles, kept as the 3x3 convolutions' outputs, pixels outside the image left
/// out. from: [points, stride]. Adds to `moments` [2, outputs]. buffer: [2, width, C].
template <class S, class P>
CLEAVE_FUSED_TARGET void transform_output(const Task<S, P>& task, std::int64_t image,
                                          std::int64_t tile_row,
                                          const Arithmetic<S>* __restrict from, std::int64_t stride,
                                          S* __restrict buffer, double* __restrict moments) {
  using T = Arithmetic<S>;
  constexpr auto lanes = Lanes<T>::count;
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto width = s.width;
  const auto outputs = s.three_outputs();
  const bool lower = 2 * tile_row + 1 < s.height;
  const auto tiles = s.tile_columns();
  for (std::int64_t k = 0; k < s.threes; ++k) {
    S* const rows_of_y = task.output(k, image, 2 * tile_row);
    S* const to = task.streams ? buffer : rows_of_y;
    for (std::int64_t i = 0; i < c; i += lanes) {
      Moments<S> found;
      const auto at = k * c + i;
      S* out = to + i;
      const T* m = from + at;
      for (std::int64_t t = 0; t < tiles; ++t, m += outputs, out += 2 * c) {
        const bool right = 2 * t + 1 < width;
        Vector<T> rows[2][4];
#pragma GCC unroll 4
        for (int x = 0; x < 4; ++x) {
          const auto m0 = load(m + x * stride);
          const auto m1 = load(m + (4 + x) * stride);
          const auto m2 = load(m + (8 + x) * stride);
          const auto m3 = load(m + (12 + x) * stride);
          rows[0][x] = m0 + m1 + m2;
          rows[1][x] = m1 - m2 - m3;
        }
#pragma GCC unroll 2
        for (int y = 0; y < 2; ++y) {
          if (y == 1 && !lower) break;
          const auto& v = rows[y];
          found.keep(0, out + y * width * c, Vector<T>(v[0] + v[1] + v[2]));
          if (right) found.keep(1, out + (y * width + 1) * c, Vector<T>(v[1] - v[2] - v[3]));
        }
      }
      found.add_to(moments + at, moments + s.outputs() + at);
    }
    if (task.streams) stream((lower ? 2 : 1) * width * c, buffer, rows_of_y);
  }
}

/// The adjoint of the above: A dy Aᵀ. from: two rows of pixels, [2, 2 * tiles, outputs of y].
template <class P>
CLEAVE_FUSED_TARGET void transform_output_back(const Shape& shape, const P* __restrict from,
                                               P* __restrict to, std::int64_t stride) {
  using T = Arithmetic<P>;
  constexpr auto lanes = Lanes<T>::count;
  const auto outputs = shape.three_outputs();
  const auto pixel = shape.outputs();
  const auto tiles = shape.tile_columns();
  const auto row = 2 * tiles * pixel;
  for (std::int64_t t = 0; t < tiles; ++t)
    for (std::int64_t i = 0; i < outputs; i += lanes) {
      const P* d = from + 2 * t * pixel + i;
      P* out = to + t * outputs + i;
      const auto a = load(d), b = load(d + pixel);
      const auto e = load(d + row), f = load(d + row + pixel);
      const Vector<T> left[4] = {a, a + e, a - e, -e};
      const Vector<T> right[4] = {b, b + f, b - f, -f};
#pragma GCC unroll 4
      for (int y = 0; y < 4; ++y) {
        store(out + (4 * y) * stride, left[y]);
        store(out + (4 * y + 1) * stride, Vector<T>(left[y] + right[y]));
        store(out + (4 * y + 2) * stride, Vector<T>(left[y] - right[y]));
        store(out + (4 * y + 3) * stride, Vector<T>(-right[y]));
      }
    }
}

}  // namespace cleave::supernet::fused::CLEAVE_FUSED_ISA

#endif
