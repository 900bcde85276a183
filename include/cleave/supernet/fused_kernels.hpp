// The loops of `Fused`, once per instruction set: fused_isa.hpp includes this file with
// CLEAVE_FUSED_ISA, CLEAVE_FUSED_BYTES, CLEAVE_FUSED_DOT and CLEAVE_FUSED_TARGET set, so it has no
// `#pragma once`. Alone, it stands for all of them.
#ifndef CLEAVE_FUSED_ISA
#include <cleave/supernet/fused_isa.hpp>
#else

#include <cleave/supernet/fused_products.hpp>
#include <cleave/supernet/fused_mixing.hpp>
#include <cleave/supernet/fused_winograd.hpp>

namespace cleave::supernet::fused::CLEAVE_FUSED_ISA {

/// All convolutions of `count` images and the moments [2, outputs] of what comes out.
template <class S, class P>
CLEAVE_FUSED_TARGET void convolve(const Task<S, P>& task, std::int64_t first, std::int64_t count,
                                  Arithmetic<S>* scratch, double* moments) {
  using T = Arithmetic<S>;
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto tiles = s.tile_columns();
  const auto block = s.block_rows();
  const auto part = [&scratch](std::int64_t values) {
    return std::exchange(scratch, scratch + values);
  };
  P* rectified = reinterpret_cast<P*>(part(count * s.padded_size()));
  P* v = reinterpret_cast<P*>(part(s.block_values(c)));
  T* m = part(s.block_values(s.three_outputs()));
  T* one_row = part(s.width * s.one_outputs());
  S* buffer = reinterpret_cast<S*>(scratch);  // of what goes past the caches
  std::fill_n(moments, 2 * s.outputs(), 0.0);
  for (std::int64_t n = 0; n < count; ++n)
    rectify(s, task.x + (first + n) * s.pixels() * c, rectified + n * s.padded_size());
  const auto rows = count * s.tile_rows();
  const auto wide = s.padded_width() * c;
  for (std::int64_t begin = 0; begin < rows; begin += block) {
    const auto end = std::min(rows, begin + block);
    const auto here = (end - begin) * tiles;
    const auto v_step = s.point_stride(here, c);
    const auto m_step = s.point_stride(here, s.three_outputs());
    if (s.threes > 0) {
      for (auto r = begin; r < end; ++r)
        transform_input(
            s, rectified + r / s.tile_rows() * s.padded_size() + 2 * (r % s.tile_rows()) * wide,
            v + (r - begin) * tiles * c, v_step);
      const auto outputs = s.three_outputs();
      for (std::int64_t p = 0; p < points; ++p)
        product(here, outputs, v + p * v_step, c, group<P>, task.three_by_input + p * c * outputs,
                outputs * group<P>, m + p * m_step, outputs, c / group<P>, false);
    }
    for (auto r = begin; r < end; ++r) {
      const auto image = r / s.tile_rows();
      const auto tile_row = r % s.tile_rows();
      if (s.threes > 0)
        transform_output(task, first + image, tile_row, m + (r - begin) * tiles * s.three_outputs(),
                         m_step, buffer, moments);
      if (s.ones == 0) continue;
      for (auto row = 2 * tile_row; row < std::min(s.height, 2 * tile_row + 2); ++row) {
        product(s.width, s.one_outputs(),
                rectified + image * s.padded_size() + (row + 1) * wide + c, c, group<P>,
                task.one_by_input, s.one_outputs() * group<P>, one_row, s.one_outputs(),
                c / group<P>, false);
        keep_row(task, first + image, row, one_row, buffer, moments);
      }
    }
  }
  if (task.streams) streamed();
}

/// dy of one row of pixels, [width, outputs]: zero where nobody asks.
template <class S, class P>
CLEAVE_FUSED_TARGET void output_gradient_row(const Task<S, P>& task, std::int64_t image,
                                             std::int64_t row, P* __restrict dy) {
  using T = Arithmetic<S>;
  constexpr auto lanes = Lanes<T>::count;
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto outputs = s.outputs();
  for (int e = 0; e < task.edges; ++e) {
    const auto k = static_cast<std::size_t>(e);
    const T* g = task.gradients[k]
                     ? task.gradients[k] + (image * s.height + row) * s.width * c
                     : nullptr;
    for (const int which : {0, 1}) {
      const auto number = which == 0 ? task.options[k].three : task.options[k].one;
      if (number < 0) continue;
      const auto convolution = (which == 0 ? 0 : s.threes) + number;
      const S* y = task.output(convolution, image, row);
      for (std::int64_t i = 0; i < c; i += lanes) {
        const auto from = convolution * c + i;
        if (!g) {
          for (std::int64_t x = 0; x < s.width; ++x) store(dy + x * outputs + from, Vector<T>{});
          continue;
        }
        const auto scale = load(task.scales + from), slope = load(task.slopes + from);
        const auto mean = load(task.means + from), offset = load(task.offsets + from);
        for (std::int64_t x = 0; x < s.width; ++x) {
          prefetch(g + x * c + i, s.width * c);
          prefetch(y + x * c + i, s.width * c);
          store(dy + x * outputs + from,
                Vector<T>(scale * load(g + x * c + i) +
                          (slope * (load(y + x * c + i) - mean) + offset)));
        }
      }
    }
  }
}

/// The transpose of the pooling and the skips: dx of one image from every g, and from dr, the
/// gradient of the padded rectified image. spread: [(height + 2) * width, C] scratch.
template <class S, class P>
CLEAVE_FUSED_TARGET void input_gradient(const Task<S, P>& task, std::int64_t image,
                                        const Arithmetic<S>* dr, Arithmetic<S>* spread) {
  using T = Arithmetic<S>;
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
        value += x <= T(0) ? Vector<T>{} : load(dr_row + i);
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

/// dx of `count` images, and their part of the weights' gradients: d_three [points, threes * C, C]
/// and d_one [ones * C, C], added to what is there or put there.
template <class S, class P>
CLEAVE_FUSED_TARGET void backward(const Task<S, P>& task, std::int64_t first, std::int64_t count,
                                  Arithmetic<S>* scratch, Arithmetic<S>* d_three,
                                  Arithmetic<S>* d_one, bool add) {
  using T = Arithmetic<S>;
  const auto& s = task.shape;
  const auto c = s.channels;
  const auto tiles = s.tile_columns();
  const auto block = s.block_rows();
  const auto outputs = s.outputs();
  const auto wide = s.padded_width() * c;
  const auto part = [&scratch](std::int64_t values) {
    return std::exchange(scratch, scratch + values);
  };
  P* rectified = reinterpret_cast<P*>(part(count * s.padded_size()));
  T* dr = part(count * s.padded_size());
  T* dv = part(s.block_values(c));
  P* v = reinterpret_cast<P*>(dv);  // used before it
  P* m = reinterpret_cast<P*>(part(s.block_values(s.three_outputs())));
  // What the weights' gradients need: groups of tiles, groups of pixels.
  P* v_groups = group<P> == 1 ? v : v + s.block_values(c);
  P* m_groups = group<P> == 1 ? m : m + s.block_values(s.three_outputs());
  P* x_pixels = reinterpret_cast<P*>(part(s.block_pixels() * c));
  P* d_pixels = reinterpret_cast<P*>(part(s.block_pixels() * s.one_outputs()));
  P* dy = reinterpret_cast<P*>(scratch);
  const bool convolutions = outputs > 0;
  if (convolutions && task.with_weights)
    for (std::int64_t n = 0; n < count; ++n)
      rectify(s, task.x + (first + n) * s.pixels() * c, rectified + n * s.padded_size());
  if (convolutions && task.dx) clear(dr, count * s.padded_size());
  const auto rows = convolutions ? count * s.tile_rows() : 0;
  const auto pair = 4 * tiles * outputs;  // two rows of pixels
  for (std::int64_t begin = 0; begin < rows; begin += block) {
    const auto end = std::min(rows, begin + block);
    const auto here = (end - begin) * tiles;
    const auto v_step = s.point_stride(here, c);
    const auto m_step = s.point_stride(here, s.three_outputs());
    std::int64_t pixels = 0;  // groups of them
    for (auto r = begin; r < end; ++r) {
      const auto image = r / s.tile_rows();
      const auto tile_row = r % s.tile_rows();
      P* target = dy + (r - begin) * pair;
      for (std::int64_t k = 0; k < 2; ++k) {
        const auto row = 2 * tile_row + k;
        P* line = target + k * 2 * tiles * outputs;
        const auto used = row < s.height ? s.width : 0;
        clear(line + used * outputs, (2 * tiles - used) * outputs);
        if (used == 0) continue;
        output_gradient_row(task, first + image, row, line);
        if (s.ones == 0) continue;
        const auto inside = image * s.padded_size() + (row + 1) * wide + c;
        const P* d = line + s.three_outputs();
        if (task.dx)
          product(s.width, c, d, outputs, group<P>, task.one_by_output, c * group<P>, dr + inside,
                  c, s.one_outputs() / group<P>, true);
        if (task.with_weights) {
          group_rows(s.width, c, rectified + inside, c, x_pixels + pixels * group<P> * c);
          group_rows(s.width, s.one_outputs(), d, outputs,
                     d_pixels + pixels * group<P> * s.one_outputs());
          pixels += (s.width + group<P> - 1) / group<P>;
        }
      }
      if (s.threes > 0)
        transform_output_back(s, target, m + (r - begin) * tiles * s.three_outputs(), m_step);
    }
    if (pixels > 0)
      product(s.one_outputs(), c, d_pixels, group<P>, s.one_outputs() * group<P>, x_pixels,
              c * group<P>, d_one, c, pixels, add || begin > 0);
    if (s.threes == 0) continue;
    const auto three = s.three_outputs();
    const auto image_row = [&](std::int64_t r) {
      return r / s.tile_rows() * s.padded_size() + 2 * (r % s.tile_rows()) * wide;
    };
    if (task.with_weights) {
      for (auto r = begin; r < end; ++r)
        transform_input(s, rectified + image_row(r), v + (r - begin) * tiles * c, v_step);
      const auto groups = (here + group<P> - 1) / group<P>;
      for (std::int64_t p = 0; p < points; ++p) {
        P* m_point = m + p * m_step;
        P* v_point = v + p * v_step;
        if constexpr (group<P> > 1) {
          group_rows(here, three, m_point, three, m_groups);
          group_rows(here, c, v_point, c, v_groups);
          m_point = m_groups;
          v_point = v_groups;
        }
        product(three, c, m_point, group<P>, three * group<P>, v_point, c * group<P>,
                d_three + p * three * c, c, groups, add || begin > 0);
      }
    }
    if (task.dx) {
      for (std::int64_t p = 0; p < points; ++p)
        product(here, c, m + p * m_step, three, group<P>, task.three_by_output + p * three * c,
                c * group<P>, dv + p * v_step, c, three / group<P>, false);
      for (auto r = begin; r < end; ++r)
        transform_input_back(s, dv + (r - begin) * tiles * c, v_step, dr + image_row(r));
    }
  }
  if (task.dx)
    for (std::int64_t n = 0; n < count; ++n)
      input_gradient(task, first + n, convolutions ? dr + n * s.padded_size() : nullptr, scratch);
}

template <class S, class P>
inline constexpr Kernels<S, P> kernels{
    .pack = pack<S, P>,
    .unpack_three = unpack_three<Arithmetic<S>>,
    .convolve = convolve<S, P>,
    .mix = mix<S, P>,
    .reduce = reduce<S, P>,
    .backward = backward<S, P>,
};

}  // namespace cleave::supernet::fused::CLEAVE_FUSED_ISA

#endif
