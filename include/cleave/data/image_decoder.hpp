#pragma once

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <cleave/core/error.hpp>
#include <cleave/data/resample.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace cleave::data {

/// What may be decoded.
struct DecodeLimits {
  /// Refused by the header, before memory is taken: a few bytes can announce 65,535 x 65,535.
  std::int64_t max_pixels = std::int64_t{1} << 26;
  /// Take a JPEG about which the decoder complains (cut short, damaged) as far as it goes.
  bool accept_damaged = false;
};

/// Decodes JPEG (libjpeg-turbo's TurboJPEG interface) and PNG (libpng's simplified interface); the
/// file's first bytes say which it is, never its name. Both interfaces report errors by value:
/// nothing is printed and nothing jumps over destructors. One object per thread.
///
/// Grey images become RGB, CMYK as Adobe stores it too; of PNGs the alpha channel is dropped.
/// EXIF orientation is not looked at, as in torchvision's image folder.
class ImageDecoder {
 public:
  struct Size {
    std::int64_t width = 0;
    std::int64_t height = 0;
  };

  explicit ImageDecoder(const DecodeLimits& limits = {})
      : limits_(limits), jpeg_(::tjInitDecompress()) {
    if (jpeg_ == nullptr) throw Error("libjpeg-turbo cannot start");
  }
  ImageDecoder(const ImageDecoder&) = delete;
  ImageDecoder& operator=(const ImageDecoder&) = delete;
  ~ImageDecoder() { ::tjDestroy(jpeg_); }

  /// The size that the header announces. Throws `DataError` with `what` for a file that is neither
  /// JPEG nor PNG, a damaged header, and more than `max_pixels`.
  [[nodiscard]] Size size(std::span<const std::uint8_t> file, std::string_view what) {
    if (is_jpeg(file)) return jpeg_header(file, what).size;
    if (!is_png(file)) refuse_format(file, what);
    Png png;
    return png_header(png, file, what);
  }

  /// The image, scaled down by 2, 4 or 8 while decoding if it is a JPEG and both sides then keep at
  /// least `keep` of what they have (that costs a fraction of the time). Throws like `size`, and
  /// for damaged data.
  void decode(std::span<const std::uint8_t> file, std::string_view what, double keep,
              Photo& photo) {
    if (is_jpeg(file)) return decode_jpeg(file, what, keep, photo);
    if (!is_png(file)) refuse_format(file, what);
    decode_png(file, what, photo);
  }

 private:
  struct JpegHeader {
    Size size;
    int colours = 0;
  };
  struct Png {
    Png() { image.version = PNG_IMAGE_VERSION; }
    Png(const Png&) = delete;
    Png& operator=(const Png&) = delete;
    ~Png() { ::png_image_free(&image); }
    png_image image{};
  };

  [[nodiscard]] static bool is_jpeg(std::span<const std::uint8_t> file) noexcept {
    return file.size() >= 3 && file[0] == 0xff && file[1] == 0xd8 && file[2] == 0xff;
  }
  [[nodiscard]] static bool is_png(std::span<const std::uint8_t> file) noexcept {
    constexpr std::array<std::uint8_t, 8> signature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    return file.size() >= signature.size() &&
           std::equal(signature.begin(), signature.end(), file.begin());
  }

  [[noreturn]] static void fail(std::string_view what, std::string_view reason) {
    throw DataError(fmt::format("{}: {}", what, reason));
  }
  [[noreturn]] static void fail_jpeg(std::string_view what, const std::string& reason) {
    fail(what, "damaged JPEG: " + reason);
  }
  /// A decompressor keeps tables, and trouble, from one file to the next: what a file without
  /// tables gives would depend on what the same worker read before. So every file gets a new one.
  void renew() {
    ::tjDestroy(jpeg_);
    jpeg_ = ::tjInitDecompress();
    if (jpeg_ == nullptr) throw Error("libjpeg-turbo cannot start");
  }
  [[noreturn]] static void refuse_format(std::span<const std::uint8_t> file,
                                         std::string_view what) {
    if (file.empty()) fail(what, "at byte 0: the file is empty");
    std::string begins;
    for (std::size_t k = 0; k < std::min<std::size_t>(file.size(), 8); ++k)
      begins += fmt::format("{}{:02x}", k == 0 ? "" : " ", file[k]);
    fail(what, fmt::format("at byte 0: neither JPEG nor PNG, it begins with {}", begins));
  }
  void check_size(const Size& size, std::string_view what) const {
    if (size.width < 1 || size.height < 1 || size.width > limits_.max_pixels / size.height)
      fail(what, fmt::format("its header announces {} x {} pixels, at most {} in all are allowed",
                             size.width, size.height, limits_.max_pixels));
  }

  JpegHeader jpeg_header(std::span<const std::uint8_t> file, std::string_view what) {
    renew();
    int width = 0, height = 0, sampling = 0;
    JpegHeader header;
    if (::tjDecompressHeader3(jpeg_, file.data(), length(file, what), &width, &height, &sampling,
                              &header.colours) != 0 &&
        !tolerable())
      fail_jpeg(what, ::tjGetErrorStr2(jpeg_));
    if (width < 1 || height < 1) fail_jpeg(what, "no image follows its header");
    header.size = {width, height};
    check_size(header.size, what);
    return header;
  }

  void decode_jpeg(std::span<const std::uint8_t> file, std::string_view what, double keep,
                   Photo& photo) {
    const auto header = jpeg_header(file, what);
    // Reductions by powers of two alone: only those have fast inverse transforms
    int reduction = 1;
    while (reduction < 8 && keep * (2 * reduction) <= 1.0) reduction *= 2;
    const auto reduced = [&](std::int64_t side) { return (side + reduction - 1) / reduction; };
    photo.width = reduced(header.size.width);
    photo.height = reduced(header.size.height);
    photo.pixels.resize(static_cast<std::size_t>(photo.width * photo.height * 4));
    const bool cmyk = header.colours == TJCS_CMYK || header.colours == TJCS_YCCK;
    // Without a limit of scans a small progressive file can keep a core busy for minutes
    const int flags = TJFLAG_LIMITSCANS | (limits_.accept_damaged ? 0 : TJFLAG_STOPONWARNING);
    if (::tjDecompress2(jpeg_, file.data(), length(file, what), photo.pixels.data(),
                        static_cast<int>(photo.width), 0, static_cast<int>(photo.height),
                        cmyk ? TJPF_CMYK : TJPF_RGBX, flags) != 0 &&
        !tolerable())
      fail_jpeg(what, ::tjGetErrorStr2(jpeg_));
    if (cmyk) cmyk_to_rgb(photo);
  }

  /// The last call had something to complain about, but went through.
  [[nodiscard]] bool tolerable() const noexcept {
    return limits_.accept_damaged && ::tjGetErrorCode(jpeg_) == TJERR_WARNING;
  }

  static unsigned long length(std::span<const std::uint8_t> file, std::string_view what) {
    if (file.size() > std::numeric_limits<std::uint32_t>::max())
      fail(what, fmt::format("{} bytes, at most 2^32 allowed", file.size()));
    return static_cast<unsigned long>(file.size());
  }

  /// Adobe stores 255 - ink, so a channel is what paper and black leave of it.
  static void cmyk_to_rgb(Photo& photo) {
    for (std::size_t k = 0; k + 3 < photo.pixels.size(); k += 4)
      for (std::size_t c = 0; c < 3; ++c)
        photo.pixels[k + c] =
            static_cast<std::uint8_t>((photo.pixels[k + c] * photo.pixels[k + 3] + 127) / 255);
  }

  Size png_header(Png& png, std::span<const std::uint8_t> file, std::string_view what) const {
    if (::png_image_begin_read_from_memory(&png.image, file.data(), file.size()) == 0)
      fail(what, fmt::format("damaged PNG: {}", png.image.message));
    const Size size{png.image.width, png.image.height};
    check_size(size, what);
    return size;
  }

  void decode_png(std::span<const std::uint8_t> file, std::string_view what, Photo& photo) const {
    Png png;
    const auto size = png_header(png, file, what);
    png.image.format = PNG_FORMAT_RGBA;
    png.image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    photo.width = size.width;
    photo.height = size.height;
    photo.pixels.resize(static_cast<std::size_t>(size.width * size.height * 4));
    if (::png_image_finish_read(&png.image, nullptr, photo.pixels.data(), 0, nullptr) == 0)
      fail(what, fmt::format("damaged PNG: {}", png.image.message));
  }

  DecodeLimits limits_;
  tjhandle jpeg_;
};

}  // namespace cleave::data
