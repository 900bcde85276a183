// The loops that make a normalised image of a photograph, once per instruction set: photo_isa.hpp
// includes this file with CLEAVE_PHOTO_ISA, CLEAVE_PHOTO_BYTES, CLEAVE_PHOTO_TARGET and
// CLEAVE_PHOTO_INLINE set, so it has no `#pragma once`. Alone, it stands for all of them.
#ifndef CLEAVE_PHOTO_ISA
#include <cleave/data/photo_isa.hpp>
#else

namespace cleave::data::photo::CLEAVE_PHOTO_ISA {

/// Floats of a vector: CLEAVE_PHOTO_BYTES / 16 pixels of four.
constexpr std::int64_t step = CLEAVE_PHOTO_BYTES / 4;
using Vector [[gnu::vector_size(CLEAVE_PHOTO_BYTES)]] = float;
using Pixel [[gnu::vector_size(16)]] = float;

template <class V>
CLEAVE_PHOTO_INLINE V load(const float* at) {
  V v;
  __builtin_memcpy(&v, at, sizeof v);
  return v;
}
template <class V>
CLEAVE_PHOTO_INLINE void store(float* at, const V& v) {
  __builtin_memcpy(at, &v, sizeof v);
}
// What g++ 12 does not find by itself: to widen bytes, and the smaller of two, in one instruction
#if CLEAVE_PHOTO_BYTES == 32
CLEAVE_PHOTO_INLINE Vector widened(const std::uint8_t* at) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadu_si64(at)));
}
CLEAVE_PHOTO_INLINE Vector smaller(Vector a, Vector b) { return _mm256_min_ps(a, b); }
CLEAVE_PHOTO_INLINE Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }
/// `a` and `b` as one vector.
CLEAVE_PHOTO_INLINE Vector joined(Pixel a, Pixel b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
}
#else
CLEAVE_PHOTO_INLINE Vector widened(const std::uint8_t* at) {
  return Vector{static_cast<float>(at[0]), static_cast<float>(at[1]), static_cast<float>(at[2]),
                static_cast<float>(at[3])};
}
CLEAVE_PHOTO_INLINE Vector smaller(Vector a, Vector b) { return a < b ? a : b; }
CLEAVE_PHOTO_INLINE Vector larger(Vector a, Vector b) { return a > b ? a : b; }
#endif
CLEAVE_PHOTO_INLINE Vector below_255(Vector v) { return smaller(v, Vector{} + 255.0F); }
CLEAVE_PHOTO_INLINE Vector clamped(Vector v) { return below_255(larger(v, Vector{})); }
/// The luma of each pixel in all of its places.
CLEAVE_PHOTO_INLINE Vector luma(Vector v) {
#if CLEAVE_PHOTO_BYTES == 16
  const Vector parts = v * Vector{0.299F, 0.587F, 0.114F, 0.0F};
  const Vector pairs = parts + __builtin_shufflevector(parts, parts, 1, 0, 3, 2);
  return pairs + __builtin_shufflevector(pairs, pairs, 2, 3, 0, 1);
#else
  const Vector parts = v * Vector{0.299F, 0.587F, 0.114F, 0.0F, 0.299F, 0.587F, 0.114F, 0.0F};
  const Vector pairs = parts + __builtin_shufflevector(parts, parts, 1, 0, 3, 2, 5, 4, 7, 6);
  return pairs + __builtin_shufflevector(pairs, pairs, 2, 3, 0, 1, 6, 7, 4, 5);
#endif
}

/// Row y of the image, columns not yet resampled: `task.length` pixels at `task.line`.
CLEAVE_PHOTO_TARGET void blend_rows(const Task& task, std::int64_t y) {
  constexpr auto vectors = Task::block / step;
  const std::int64_t count = task.rows->count, stride = task.stride, floats = 4 * task.length;
  const float* const weights = task.rows->weights.data() + y * count;
  const std::uint8_t* const top =
      task.pixels + task.rows->first[static_cast<std::size_t>(y)] * stride + 4 * task.first;
  float* const line = task.line;
  for (std::int64_t x = 0; x < floats; x += Task::block) {
    const std::uint8_t* at = top + x;
    Vector sum[vectors];
    for (std::int64_t i = 0; i < vectors; ++i) sum[i] = widened(at + i * step) * weights[0];
    for (std::int64_t k = 1; k < count; ++k) {
      at += stride;
      const float weight = weights[k];
      for (std::int64_t i = 0; i < vectors; ++i) sum[i] += widened(at + i * step) * weight;
    }
    for (std::int64_t i = 0; i < vectors; ++i) store(line + x + i * step, sum[i]);
  }
}

/// One row of the image before jitter: `task.size` pixels at `to`.
CLEAVE_PHOTO_TARGET void resample_row(const Task& task, std::int64_t y, float* to) {
  blend_rows(task, y);
  const std::int64_t count = task.columns->count, size = task.size;
  const std::int64_t* const first = task.columns->first.data();
  const float* const line = task.line - 4 * task.first;
  const float* weight = task.columns->weights.data();
  if (count == 2) {  // whenever the image is enlarged: worth a loop without a loop inside
    std::int64_t i = 0;
#if CLEAVE_PHOTO_BYTES == 32
    for (; i + 1 < size; i += 2, weight += 4) {
      const float* const a = line + 4 * first[i];
      const float* const b = line + 4 * first[i + 1];
      const Vector w = joined(load<Pixel>(weight), load<Pixel>(weight));
      store(to + 4 * i, joined(load<Pixel>(a), load<Pixel>(b)) *
                                __builtin_shufflevector(w, w, 0, 0, 0, 0, 6, 6, 6, 6) +
                            joined(load<Pixel>(a + 4), load<Pixel>(b + 4)) *
                                __builtin_shufflevector(w, w, 1, 1, 1, 1, 7, 7, 7, 7));
    }
#endif
    for (; i < size; ++i, weight += 2) {
      const float* const from = line + 4 * first[i];
      store(to + 4 * i, load<Pixel>(from) * weight[0] + load<Pixel>(from + 4) * weight[1]);
    }
  } else {
    for (std::int64_t i = 0; i < size; ++i, weight += count) {
      const float* const from = line + 4 * first[i];
      Pixel sum = load<Pixel>(from) * weight[0];
      for (std::int64_t k = 1; k < count; ++k) sum += load<Pixel>(from + 4 * k) * weight[k];
      store(to + 4 * i, sum);
    }
  }
  for (std::int64_t i = size; i < task.padded(); ++i) store(to + 4 * i, Pixel{});
}

/// Steps `from` to `to` of the jitter on a row of `floats` floats; `shift` is the contrast's.
CLEAVE_PHOTO_TARGET void jitter_row(const Task& task, std::size_t from, std::size_t to, float shift,
                                    float* row) {
  const std::int64_t floats = 4 * task.padded();
  for (std::size_t k = from; k < to; ++k) {
    const float factor = task.factors[k], rest = 1.0F - factor;
    if (task.order[k] == Jitter::Brightness) {
      for (std::int64_t i = 0; i < floats; i += step)
        store(row + i, below_255(load<Vector>(row + i) * factor));
    } else if (task.order[k] == Jitter::Contrast) {
      for (std::int64_t i = 0; i < floats; i += step)
        store(row + i, clamped(load<Vector>(row + i) * factor + shift));
    } else {
      for (std::int64_t i = 0; i < floats; i += step) {
        const auto v = load<Vector>(row + i);
        store(row + i, clamped(v * factor + luma(v) * rest));
      }
    }
  }
}

/// The lumas of a row, added up. Four sums, because an addition waits for the one before.
CLEAVE_PHOTO_TARGET double luma_of_row(const Task& task, const float* row) {
  const std::int64_t floats = 4 * task.padded();
  Vector sums[4]{};
  std::int64_t i = 0;
  for (; i + 4 * step <= floats; i += 4 * step)
    for (std::int64_t k = 0; k < 4; ++k) sums[k] += load<Vector>(row + i + k * step);
  for (; i < floats; i += step) sums[0] += load<Vector>(row + i);
  const Vector lumas = luma((sums[0] + sums[1]) + (sums[2] + sums[3]));
  double sum = 0;
  for (std::int64_t l = 0; l < step; l += 4) sum += static_cast<double>(lumas[l]);
  return sum;
}

/// A row times `factor` plus `offset`, without the fourth place of each pixel.
CLEAVE_PHOTO_TARGET void pack_row(const Task& task, const float* row, float* out) {
  const std::int64_t size = task.size;
  std::int64_t x = 0;
  // Each store writes one or two floats too many, which the next one puts right
#if CLEAVE_PHOTO_BYTES == 32
  const auto factor = load<Vector>(task.factor.data()), offset = load<Vector>(task.offset.data());
  for (; x + 2 < size; x += 2) {
    const Vector v = load<Vector>(row + 4 * x) * factor + offset;
    store(out + 3 * x, __builtin_shufflevector(v, v, 0, 1, 2, 4, 5, 6, 7, 7));
  }
#endif
  const auto narrow_factor = load<Pixel>(task.factor.data());
  const auto narrow_offset = load<Pixel>(task.offset.data());
  for (; x + 1 < size; ++x)
    store(out + 3 * x, load<Pixel>(row + 4 * x) * narrow_factor + narrow_offset);
  const Pixel last = load<Pixel>(row + 4 * x) * narrow_factor + narrow_offset;
  for (int c = 0; c < 3; ++c) out[3 * x + c] = last[c];
}

/// See `Task`.
CLEAVE_PHOTO_TARGET void render(const Task& task) {
  const std::int64_t size = task.size, floats = 4 * task.padded();
  // Contrast needs the mean of the whole image as the steps before it leave it
  std::size_t contrast = 0;
  while (contrast < task.steps && task.order[contrast] != Jitter::Contrast) ++contrast;
  float shift = 0;
  if (contrast < task.steps) {
    double sum = 0;
    for (std::int64_t y = 0; y < size; ++y) {
      float* const row = task.image + y * floats;
      resample_row(task, y, row);
      jitter_row(task, 0, contrast, 0, row);
      sum += luma_of_row(task, row);
    }
    const auto mean = static_cast<float>(sum / static_cast<double>(size * size));
    shift = (1.0F - task.factors[contrast]) * mean;
  }
  for (std::int64_t y = 0; y < size; ++y) {
    float* const row = task.image + y * floats;
    if (contrast == task.steps) resample_row(task, y, row);
    jitter_row(task, contrast == task.steps ? 0 : contrast, task.steps, shift, row);
    pack_row(task, row, task.out + y * 3 * size);
  }
}

}  // namespace cleave::data::photo::CLEAVE_PHOTO_ISA

#endif
