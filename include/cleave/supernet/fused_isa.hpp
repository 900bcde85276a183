#pragma once

#include <cleave/supernet/fused_node.hpp>
#include <cstdint>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cleave::supernet::fused {

/// The loops of one instruction set; see fused_kernels.hpp.
template <class S, class P>
struct Kernels {
  using T = Arithmetic<S>;
  void (*pack)(const Task<S, P>&, std::int64_t begin, std::int64_t end);
  void (*unpack_three)(const Shape&, std::int64_t k, std::int64_t begin, std::int64_t end,
                       const T* const* parts, std::int64_t count, T* dw);
  void (*convolve)(const Task<S, P>&, std::int64_t first, std::int64_t count, T* scratch,
                   double* moments);
  void (*mix)(const Task<S, P>&, std::int64_t image, T* scratch);
  void (*reduce)(const Task<S, P>&, std::int64_t image, T* scratch, double* reduced);
  void (*backward)(const Task<S, P>&, std::int64_t first, std::int64_t count, T* scratch,
                   T* d_three, T* d_one, bool add);
};

}  // namespace cleave::supernet::fused

// Whoever includes this may compile without optimisation or vector instructions; the loops are
// compiled with them, and chosen when the program runs.
#define CLEAVE_FUSED_INLINE [[gnu::always_inline]] inline
#if defined(__GNUC__) && !defined(__clang__)
#define CLEAVE_FUSED_OPTIMIZE gnu::optimize("O3")
#else
#define CLEAVE_FUSED_OPTIMIZE
#endif

#define CLEAVE_FUSED_ISA baseline
#define CLEAVE_FUSED_BYTES 16
#define CLEAVE_FUSED_TARGET [[CLEAVE_FUSED_OPTIMIZE]]
#define CLEAVE_FUSED_DOT 0
#include <cleave/supernet/fused_kernels.hpp>
#undef CLEAVE_FUSED_ISA
#undef CLEAVE_FUSED_BYTES
#undef CLEAVE_FUSED_TARGET

#if defined(__x86_64__)
#define CLEAVE_FUSED_ISA avx2
#define CLEAVE_FUSED_BYTES 32
#define CLEAVE_FUSED_TARGET [[gnu::target("avx2,fma"), CLEAVE_FUSED_OPTIMIZE]]
#include <cleave/supernet/fused_kernels.hpp>
#undef CLEAVE_FUSED_ISA
#undef CLEAVE_FUSED_BYTES
#undef CLEAVE_FUSED_TARGET

#define CLEAVE_FUSED_ISA avx512
#define CLEAVE_FUSED_BYTES 64
#define CLEAVE_FUSED_TARGET \
  [[gnu::target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl"), CLEAVE_FUSED_OPTIMIZE]]
#include <cleave/supernet/fused_kernels.hpp>
#undef CLEAVE_FUSED_ISA
#undef CLEAVE_FUSED_BYTES
#undef CLEAVE_FUSED_TARGET
#undef CLEAVE_FUSED_DOT

// With an instruction for products of bfloat16.
#define CLEAVE_FUSED_ISA avx512_bf16
#define CLEAVE_FUSED_BYTES 64
#define CLEAVE_FUSED_DOT 1
#define CLEAVE_FUSED_TARGET \
  [[gnu::target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512bf16"), CLEAVE_FUSED_OPTIMIZE]]
#include <cleave/supernet/fused_kernels.hpp>
#undef CLEAVE_FUSED_ISA
#undef CLEAVE_FUSED_BYTES
#undef CLEAVE_FUSED_TARGET
#endif

#undef CLEAVE_FUSED_DOT
#undef CLEAVE_FUSED_INLINE
#undef CLEAVE_FUSED_OPTIMIZE

namespace cleave::supernet::fused {

/// The widest loops this machine has whose vectors the channels fill; null when even the narrowest
/// do not fit (an odd number of channels), and for products of pairs where no instruction is for
/// them. Double, which is for checking, has the narrowest only.
template <class S, class P>
[[nodiscard]] inline const Kernels<S, P>* kernels_for(std::int64_t channels) {
#if defined(__x86_64__)
  [[maybe_unused]] const bool wide =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      channels % avx512::Lanes<float>::count == 0;
  if constexpr (group<P> > 1) {
    if (wide && __builtin_cpu_supports("avx512bf16")) return &avx512_bf16::kernels<S, P>;
  } else if constexpr (std::is_same_v<P, float>) {
    if (wide) return &avx512::kernels<S, P>;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        channels % avx2::Lanes<float>::count == 0)
      return &avx2::kernels<S, P>;
  }
#endif
  if constexpr (group<P> > 1)
    return nullptr;
  else
    return channels % baseline::Lanes<P>::count == 0 ? &baseline::kernels<S, P> : nullptr;
}

}  // namespace cleave::supernet::fused
