#pragma once

#include <png.h>

#include <algorithm>
#include <array>
#include <cleave/core/error.hpp>
#include <cleave/data/jpeg_reader.hpp>
#include <cleave/data/photo.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cleave::data {

/// Decodes JPEG (libjpeg-turbo) and PNG (libpng's simplified interface); the file's first bytes say
/// which it is, never its name. Nothing is printed. One object per thread; `open`, then `read`.
///
/// Grey images become RGB, CMYK as Adobe stores it too; of PNGs the alpha channel is dropped.
/// EXIF orientation is not looked at, as in torchvision's image folder.
class ImageDecoder {
 public:
  explicit ImageDecoder(const DecodeLimits& limits = {}) : limits_(limits), jpeg_(limits) {}
  ImageDecoder(const ImageDecoder&) = delete;
  ImageDecoder& operator=(const ImageDecoder&) = delete;
  ~ImageDecoder() { ::png_image_free(&png_); }

  /// The size that the header announces. `file` and `what`, its name in messages, must stay until
  /// `read`. Throws `DataError` for a file that is neither JPEG nor PNG, a damaged header, and more
  /// than `max_pixels`.
  PhotoSize open(std::span<const std::uint8_t> file, std::string_view what) {
    what_ = what;
    is_jpeg_ = JpegReader::is_jpeg(file);
    if (is_jpeg_) return size_ = jpeg_.open(file, what);
    if (!is_png(file)) refuse_format(file, what);
    ::png_image_free(&png_);
    png_ = {};
    png_.version = PNG_IMAGE_VERSION;
    if (::png_image_begin_read_from_memory(&png_, file.data(), file.size()) == 0) fail_png();
    size_ = {png_.width, png_.height};
    limits_.check(size_, what);
    return size_;
  }

  /// Decodes at least the part `wanted` of the file that was opened and returns where it lies in
  /// `photo`. A JPEG is scaled down by 2, 4 or 8 while decoding if both sides then keep at least
  /// `keep` of what they have (that costs a fraction of the time), and only the part is decoded; a
  /// PNG always as a whole. Throws `DataError` for damaged data.
  Box read(const Box& wanted, double keep, Photo& photo) {
    if (!is_jpeg_) {
      read_png(photo);
      return wanted;
    }
    // Reductions by powers of two alone: only those have fast inverse transforms
    int reduction = 1;
    while (reduction < 8 && keep * (2 * reduction) <= 1.0) reduction *= 2;
    return jpeg_.read(wanted, reduction, photo);
  }

  /// `open` and `read` of the whole image.
  void decode(std::span<const std::uint8_t> file, std::string_view what, double keep,
              Photo& photo) {
    const auto size = open(file, what);
    read(size.box(), keep, photo);
  }

 private:
  [[nodiscard]] static bool is_png(std::span<const std::uint8_t> file) noexcept {
    constexpr std::array<std::uint8_t, 8> signature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return file.size() >= signature.size() &&
           std::equal(signature.begin(), signature.end(), file.begin());
  }
  [[noreturn]] static void refuse_format(std::span<const std::uint8_t> file,
                                         std::string_view what) {
    if (file.empty()) throw DataError(fmt::format("{}: at byte 0: the file is empty", what));
    std::string begins;
    for (std::size_t k = 0; k < std::min<std::size_t>(file.size(), 8); ++k)
      begins += fmt::format("{}{:02x}", k == 0 ? "" : " ", file[k]);
    throw DataError(
        fmt::format("{}: at byte 0: neither JPEG nor PNG, it begins with {}", what, begins));
  }
  [[noreturn]] void fail_png() const {
    throw DataError(fmt::format("{}: damaged PNG: {}", what_, png_.message));
  }

  void read_png(Photo& photo) {
    png_.format = PNG_FORMAT_RGBA;
    png_.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    photo.resize(size_.width, size_.height);
    const auto stride = static_cast<png_int_32>(photo.stride());
    if (::png_image_finish_read(&png_, nullptr, photo.row(0), stride, nullptr) == 0) fail_png();
  }

  DecodeLimits limits_;
  JpegReader jpeg_;
  png_image png_{};
  PhotoSize size_{};
  std::string_view what_{};
  bool is_jpeg_ = false;
};

}  // namespace cleave::data
