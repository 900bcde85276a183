#pragma once

#include <array>
#include <cleave/core/random.hpp>
#include <cleave/data/image_decoder.hpp>
#include <cleave_test.hpp>
#include <cstdint>
#include <cstdlib>

#include "made_files.hpp"

// Images to write to files, and the files.

/// Smooth random colours [height, width, 3], so that a JPEG keeps them well.
inline Bytes picture(std::int64_t width, std::int64_t height, std::uint64_t seed) {
  cleave::Stream stream(seed);
  std::array<double, 6> slope{};
  for (auto& value : slope) value = stream.uniform() * 2 - 1;
  Bytes pixels;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        pixels.push_back(
            static_cast<std::uint8_t>(127 + 60 * slope[c] * (2.0 * double(x) / double(width) - 1) +
                                      60 * slope[c + 3] * (2.0 * double(y) / double(height) - 1)));
  return pixels;
}

/// How the colour of a test JPEG is stored.
struct JpegForm {
  int horizontal = 1;  ///< columns for each sample of colour
  int vertical = 1;
  bool progressive = false;
  J_COLOR_SPACE space = JCS_RGB;  ///< of the pixels given
  int quality = 98;
};

inline Bytes jpeg(const Bytes& pixels, std::int64_t width, std::int64_t height,
                  const JpegForm& form = {}) {
  jpeg_compress_struct out{};
  jpeg_error_mgr errors{};
  out.err = ::jpeg_std_error(&errors);
  ::jpeg_create_compress(&out);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  ::jpeg_mem_dest(&out, &data, &size);
  out.image_width = static_cast<JDIMENSION>(width);
  out.image_height = static_cast<JDIMENSION>(height);
  out.in_color_space = form.space;
  out.input_components = form.space == JCS_GRAYSCALE ? 1 : form.space == JCS_CMYK ? 4 : 3;
  ::jpeg_set_defaults(&out);
  ::jpeg_set_quality(&out, form.quality, TRUE);
  out.comp_info[0].h_samp_factor = form.horizontal;
  out.comp_info[0].v_samp_factor = form.vertical;
  if (form.progressive) ::jpeg_simple_progression(&out);
  ::jpeg_start_compress(&out, TRUE);
  const auto stride =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(out.input_components);
  while (out.next_scanline < out.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels.data() + out.next_scanline * stride);
    ::jpeg_write_scanlines(&out, &row, 1);
  }
  ::jpeg_finish_compress(&out);
  Bytes file(data, data + size);
  std::free(data);
  ::jpeg_destroy_compress(&out);
  return file;
}

inline Bytes png(const Bytes& pixels, std::int64_t width, std::int64_t height) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  REQUIRE(::png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr) != 0);
  Bytes file(size);
  REQUIRE(::png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr) !=
          0);
  file.resize(size);
  return file;
}
