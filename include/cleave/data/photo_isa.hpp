#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cleave/data/photo_augmentation.hpp>
#include <cleave/data/photo_taps.hpp>
#include <cstddef>
#include <cstdint>

namespace cleave::data::photo {

/// A part of a photograph on its way to `size` x `size` normalised values: resampled, jittered,
/// scaled.
struct Task {
  /// Bytes or floats that are computed at once: so many more than a row has are read and written.
  static constexpr std::int64_t block = Photo::slack;

  const std::uint8_t* pixels = nullptr;  ///< [rows, stride] bytes, four to a pixel
  std::int64_t stride = 0;
  const Taps* rows = nullptr;
  const Taps* columns = nullptr;
  std::int64_t first = 0;   ///< column of the photograph where `line` begins
  std::int64_t length = 0;  ///< pixels of `line`
  std::int64_t size = 0;
  std::size_t steps = 0;  ///< of the jitter
  std::array<Jitter, 3> order{};
  std::array<float, 3> factors{};  ///< of those steps
  std::array<float, 8> factor{};   ///< of the normalisation, for two pixels of four
  std::array<float, 8> offset{};
  float* line = nullptr;   ///< room for `length` pixels of four floats and one block
  float* image = nullptr;  ///< [size, padded(), 4]; zero at the end of a row where that is longer
  float* out = nullptr;    ///< [size, size, 3]

  /// Pixels of a row in `image`: whole vectors.
  [[nodiscard]] std::int64_t padded() const noexcept { return size + size % 2; }
};

}  // namespace cleave::data::photo

// As for fused_isa.hpp: compiled with optimisation and vectors whatever the includer's flags are,
// and chosen when the program runs.
#if defined(__GNUC__) && !defined(__clang__)
#define CLEAVE_PHOTO_OPTIMIZE gnu::optimize("O3")
#else
#define CLEAVE_PHOTO_OPTIMIZE
#endif

#define CLEAVE_PHOTO_ISA baseline
#define CLEAVE_PHOTO_BYTES 16
#define CLEAVE_PHOTO_TARGET [[CLEAVE_PHOTO_OPTIMIZE]] inline
#define CLEAVE_PHOTO_INLINE [[gnu::always_inline]] inline
#include <cleave/data/photo_kernels.hpp>
#undef CLEAVE_PHOTO_ISA
#undef CLEAVE_PHOTO_BYTES
#undef CLEAVE_PHOTO_TARGET
#undef CLEAVE_PHOTO_INLINE

#if defined(__x86_64__)
#define CLEAVE_PHOTO_ISA avx2
#define CLEAVE_PHOTO_BYTES 32
#define CLEAVE_PHOTO_TARGET [[gnu::target("avx2,fma"), CLEAVE_PHOTO_OPTIMIZE]] inline
#define CLEAVE_PHOTO_INLINE [[gnu::target("avx2,fma"), gnu::always_inline]] inline
#include <cleave/data/photo_kernels.hpp>
#undef CLEAVE_PHOTO_ISA
#undef CLEAVE_PHOTO_BYTES
#undef CLEAVE_PHOTO_TARGET
#undef CLEAVE_PHOTO_INLINE
#endif

#undef CLEAVE_PHOTO_OPTIMIZE

namespace cleave::data::photo {

/// By the widest vectors this machine has.
inline void render(const Task& task) {
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (wide) return avx2::render(task);
#endif
  baseline::render(task);
}

}  // namespace cleave::data::photo
