// Vectors and products of small matrices for `Fused`, once per instruction set: included by
// fused_kernels.hpp with fused_isa.hpp's settings, so it has no `#pragma once`. Alone, it stands
// for all of them.
#ifndef CLEAVE_FUSED_ISA
#include <cleave/supernet/fused_isa.hpp>
#else

namespace cleave::supernet::fused::CLEAVE_FUSED_ISA {

/// Vectors of channels. Rows of a product's register tile: as many as there are registers for.
template <class T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(CLEAVE_FUSED_BYTES)));
  static constexpr std::int64_t count = CLEAVE_FUSED_BYTES / sizeof(T);
  static constexpr int rows = CLEAVE_FUSED_BYTES == 64 ? 8 : 4;
};
template <class T>
using Vector = typename Lanes<T>::Vector;

/// A vector of pairs of bfloat16, and half of one.
typedef std::uint32_t Pairs __attribute__((vector_size(CLEAVE_FUSED_BYTES)));
typedef std::uint16_t Halves __attribute__((vector_size(CLEAVE_FUSED_BYTES / 2)));

CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE Pairs widen(const BFloat16* p) {
  Halves h;
  __builtin_memcpy(&h, p, sizeof h);
  return __builtin_convertvector(h, Pairs);
}
template <class S>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE Vector<Arithmetic<S>> load(const S* p) {
  using Numbers = Vector<Arithmetic<S>>;
  if constexpr (std::is_same_v<S, BFloat16>) {
    return reinterpret_cast<Numbers>(widen(p) << 16);
  } else {
    Numbers v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
}

/// The nearest bfloat16, ties to even; what is not a number stays none.
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE Halves round(const Vector<float>& v) {
#if CLEAVE_FUSED_DOT
  return reinterpret_cast<Halves>(_mm512_cvtneps_pbh(v));
#else
  const auto bits = reinterpret_cast<Pairs>(v);
  const Pairs rounded = bits + 0x7fffU + ((bits >> 16) & 1U);
  const Pairs kept = v == v ? rounded : Pairs{} + 0x7fc00000U;
  return __builtin_convertvector(kept >> 16, Halves);
#endif
}
template <class S>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void store(S* p, const Vector<Arithmetic<S>>& v) {
  if constexpr (std::is_same_v<S, BFloat16>) {
    const auto rounded = round(v);
    __builtin_memcpy(static_cast<void*>(p), &rounded, sizeof rounded);
  } else {
    __builtin_memcpy(p, &v, sizeof v);
  }
}

/// Copies past the caches, which spares reading what is replaced. Whole cache lines one after the
/// other: pieces of lines would be written one by one. to: aligned like a vector.
template <class S>
CLEAVE_FUSED_TARGET void stream(std::int64_t count, const S* __restrict from, S* __restrict to) {
  using Bytes =
      std::conditional_t<std::is_same_v<S, BFloat16>, Halves, Vector<Arithmetic<S>>>;
  for (std::int64_t i = 0; i < count; i += Lanes<Arithmetic<S>>::count) {
    Bytes v;
    __builtin_memcpy(&v, from + i, sizeof v);
#if defined(__x86_64__)
    void* const line = to + i;
    if constexpr (sizeof v == 64)
      _mm512_stream_si512(static_cast<__m512i*>(line), reinterpret_cast<__m512i>(v));
    else if constexpr (sizeof v == 32)
      _mm256_stream_si256(static_cast<__m256i*>(line), reinterpret_cast<__m256i>(v));
    else if constexpr (sizeof v == 16)
      _mm_stream_si128(static_cast<__m128i*>(line), reinterpret_cast<__m128i>(v));
    else
      _mm_stream_si64(static_cast<long long*>(line), reinterpret_cast<long long>(v));
#else
    __builtin_memcpy(to + i, &v, sizeof v);
#endif
  }
}
/// After the last of these copies, before others read.
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void streamed() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

/// What lies one and two rows further on, into the second-level cache: the first waits for some
/// twenty lines at a time, which is half of what the memory delivers to one core. Twice, since a
/// processor with much to do forgets such requests.
template <class S>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void prefetch(const S* p, std::int64_t row) {
  __builtin_prefetch(p + row, 0, 2);
  __builtin_prefetch(p + 2 * row, 0, 2);
}

template <class S>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void clear(S* p, std::int64_t count) {
  __builtin_memset(static_cast<void*>(p), 0, static_cast<std::size_t>(count) * sizeof(S));
}

/// One group of numbers for all lanes, and a vector of groups; sum += their products.
template <class P>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE Group<P> load_group(const P* p) {
  Group<P> g;
  __builtin_memcpy(&g, p, sizeof g);
  return g;
}
template <class P>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE Vector<Group<P>> load_groups(const P* p) {
  Vector<Group<P>> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void add_product(Vector<T>& sum, T a, const Vector<T>& b) {
  sum += a * b;
}
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void add_product(Vector<float>& sum, std::uint32_t a,
                                                         const Pairs& b) {
#if CLEAVE_FUSED_DOT
  sum =
      _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(Pairs{} + a), reinterpret_cast<__m512bh>(b));
#else
  const Pairs all = Pairs{} + a;
  sum += reinterpret_cast<Vector<float>>(all << 16) * reinterpret_cast<Vector<float>>(b << 16);
  sum += reinterpret_cast<Vector<float>>(all & 0xffff0000U) *
         reinterpret_cast<Vector<float>>(b & 0xffff0000U);
#endif
}

/// A register tile of c = [c] + a b, `depth` groups deep. Group (r, k) of a begins at
/// a[r * row + k * step], those of b at b[k * ldb].
template <class P, int Rows, int Columns>
CLEAVE_FUSED_TARGET CLEAVE_FUSED_INLINE void tile_product(const P* __restrict a, std::int64_t row,
                                                          std::int64_t step, const P* __restrict b,
                                                          std::int64_t ldb,
                                                          Arithmetic<P>* __restrict c,
                                                          std::int64_t ldc, std::int64_t depth,
                                                          bool add) {
  using T = Arithmetic<P>;
  constexpr auto lanes = Lanes<T>::count;
  Vector<T> sum[Rows][Columns];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 3
    for (int j = 0; j < Columns; ++j) sum[r][j] = add ? load(c + r * ldc + j * lanes) : Vector<T>{};
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector<Group<P>> w[Columns];
#pragma GCC unroll 3
    for (int j = 0; j < Columns; ++j) w[j] = load_groups(b + k * ldb + j * lanes * group<P>);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const auto value = load_group(a + r * row + k * step);
#pragma GCC unroll 3
      for (int j = 0; j < Columns; ++j) add_product(sum[r][j], value, w[j]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 3
    for (int j = 0; j < Columns; ++j) store(c + r * ldc + j * lanes, sum[r][j]);
}

template <class P, int Columns>
CLEAVE_FUSED_TARGET void panel_product(std::int64_t rows, const P* a, std::int64_t row,
                                       std::int64_t step, const P* b, std::int64_t ldb,
                                       Arithmetic<P>* c, std::int64_t ldc, std::int64_t depth,
                                       bool add) {
  constexpr int most = Lanes<Arithmetic<P>>::rows;
  std::int64_t r = 0;
  for (; r + most <= rows; r += most)
    tile_product<P, most, Columns>(a + r * row, row, step, b, ldb, c + r * ldc, ldc, depth, add);
  for (; r + 2 <= rows; r += 2)
    tile_product<P, 2, Columns>(a + r * row, row, step, b, ldb, c + r * ldc, ldc, depth, add);
  if (r < rows)
    tile_product<P, 1, Columns>(a + r * row, row, step, b, ldb, c + r * ldc, ldc, depth, add);
}

/// c = [c] + a b: [rows, depth groups] x [depth groups, columns], columns a multiple of the lanes.
template <class P>
CLEAVE_FUSED_TARGET inline void product(std::int64_t rows, std::int64_t columns, const P* a,
                                        std::int64_t row, std::int64_t step, const P* b,
                                        std::int64_t ldb, Arithmetic<P>* c, std::int64_t ldc,
                                        std::int64_t depth, bool add) {
  constexpr auto lanes = Lanes<Arithmetic<P>>::count;
  for (auto left = columns / lanes; left > 0;) {
    const auto take = left == 4 ? 2 : left < 3 ? left : 3;
    if (take == 3)
      panel_product<P, 3>(rows, a, row, step, b, ldb, c, ldc, depth, add);
    else if (take == 2)
      panel_product<P, 2>(rows, a, row, step, b, ldb, c, ldc, depth, add);
    else
      panel_product<P, 1>(rows, a, row, step, b, ldb, c, ldc, depth, add);
    left -= take;
    b += take * lanes * group<P>;
    c += take * lanes;
  }
}

/// Rows [depth, width], `stride` apart, as a product's right side takes them: groups of a column
/// side by side, [depth / group, width, group], the last filled with zeros.
template <class P>
CLEAVE_FUSED_TARGET void group_rows(std::int64_t depth, std::int64_t width,
                                    const P* __restrict from, std::int64_t stride,
                                    P* __restrict to) {
  constexpr auto lanes = Lanes<Arithmetic<P>>::count;
  for (std::int64_t k = 0; k < depth; k += group<P>, to += group<P> * width)
    for (std::int64_t i = 0; i < width; i += lanes) {
      if constexpr (group<P> == 1) {
        store(to + i, load(from + k * stride + i));
      } else {
        auto pairs = widen(from + k * stride + i);
        if (k + 1 < depth) pairs |= widen(from + (k + 1) * stride + i) << 16;
        __builtin_memcpy(static_cast<void*>(to + 2 * i), &pairs, sizeof pairs);
      }
    }
}

}  // namespace cleave::supernet::fused::CLEAVE_FUSED_ISA

#endif
