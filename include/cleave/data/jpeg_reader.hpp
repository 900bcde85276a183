#pragma once

#include <cstdio>  // jpeglib.h needs FILE
//
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <cleave/core/error.hpp>
#include <cleave/data/decode_limits.hpp>
#include <cleave/data/photo.hpp>
#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace cleave::data {

/// Decodes JPEGs, or the parts of them that are asked for, by libjpeg-turbo. One object per thread;
/// `open`, then `read`.
///
/// libjpeg reports what it cannot go on from by a function that must not return. Here that function
/// jumps back into `attempt`, over frames of libjpeg and of lambdas that own nothing, and `attempt`
/// throws. Nothing is printed.
class JpegReader {
 public:
  explicit JpegReader(const DecodeLimits& limits) : limits_(limits), state_(new State) {
    ::jpeg_std_error(&state_->errors);
    state_->errors.error_exit = [](j_common_ptr common) { leave(common); };
    state_->errors.output_message = [](j_common_ptr) {};
    state_->errors.emit_message = [](j_common_ptr common, int level) {
      if (level < 0 && !of(common).accept_damaged) leave(common);
    };
    // Without a limit of scans a small progressive file can keep a core busy for minutes
    state_->progress.progress_monitor = [](j_common_ptr common) {
      constexpr int most_scans = 500;
      if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number <= most_scans) return;
      std::snprintf(of(common).reason.data(), of(common).reason.size(), "more than %d scans",
                    most_scans);
      std::longjmp(of(common).back, 1);
    };
    state_->accept_damaged = limits.accept_damaged;
    create();
  }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader() { ::jpeg_destroy_decompress(&state_->jpeg); }

  [[nodiscard]] static bool is_jpeg(std::span<const std::uint8_t> file) noexcept {
    return file.size() >= 3 && file[0] == 0xff && file[1] == 0xd8 && file[2] == 0xff;
  }

  /// Reads the header of `file`, which like `what`, its name in messages, must stay until `read`.
  /// Throws `DataError` for a damaged header and more than `max_pixels`.
  PhotoSize open(std::span<const std::uint8_t> file, std::string_view what) {
    what_ = what;
    file_ = file;
    renew();
    auto& jpeg = state_->jpeg;
    attempt([&] {
      ::jpeg_mem_src(&jpeg, file.data(), static_cast<unsigned long>(file.size()));
      ::jpeg_read_header(&jpeg, TRUE);
    });
    const PhotoSize size{jpeg.image_width, jpeg.image_height};
    limits_.check(size, what);
    return size;
  }

  /// Decodes at least the part `wanted` of the image, in pixels of the file, reduced by `reduction`
  /// (1, 2, 4 or 8) inside the inverse transform, and returns where that part lies in `photo`. The
  /// pixels there are those of decoding everything; what lies beside the part is not transformed,
  /// and what lies below it not even unpacked. Throws `DataError` for damaged data; of what is not
  /// unpacked it only sees whether the file's end is there.
  Box read(const Box& wanted, int reduction, Photo& photo) {
    auto& jpeg = state_->jpeg;
    const bool cmyk = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
    jpeg.scale_num = 1;
    jpeg.scale_denom = static_cast<unsigned>(reduction);
    jpeg.out_color_space = cmyk ? JCS_CMYK : JCS_EXT_RGBX;
    jpeg.do_block_smoothing = FALSE;  // guesses at what an incomplete progressive file lacks
    attempt([&] { ::jpeg_start_decompress(&jpeg); });
    const double x = static_cast<double>(jpeg.output_width) / static_cast<double>(jpeg.image_width);
    const double y =
        static_cast<double>(jpeg.output_height) / static_cast<double>(jpeg.image_height);
    const Box scaled{wanted.left * x, wanted.top * y, wanted.width * x, wanted.height * y};
    const Span columns(scaled.left, scaled.width, jpeg.output_width);
    const Span rows(scaled.top, scaled.height, jpeg.output_height);
    JDIMENSION first = columns.begin;
    JDIMENSION width = columns.end - columns.begin;
    attempt([&] {
      if (width < jpeg.output_width) ::jpeg_crop_scanline(&jpeg, &first, &width);
    });
    photo.resize(jpeg.output_width, rows.end - rows.begin);
    attempt([&] {
      if (rows.begin > 0) ::jpeg_skip_scanlines(&jpeg, rows.begin);
      std::array<JSAMPROW, 16> lines{};
      while (jpeg.output_scanline < rows.end) {
        const auto count = std::min<JDIMENSION>(lines.size(), rows.end - jpeg.output_scanline);
        for (JDIMENSION k = 0; k < count; ++k)
          lines[k] = photo.row(jpeg.output_scanline - rows.begin + k);
        ::jpeg_read_scanlines(&jpeg, lines.data(), count);
      }
      if (rows.end == jpeg.output_height) ::jpeg_finish_decompress(&jpeg);
    });
    if (rows.end < jpeg.output_height && !limits_.accept_damaged) look_for_the_end();
    if (cmyk) cmyk_to_rgb(photo);
    return {scaled.left - first, scaled.top - rows.begin, scaled.width, scaled.height};
  }

 private:
  struct State {
    jpeg_decompress_struct jpeg{};
    jpeg_error_mgr errors{};
    jpeg_progress_mgr progress{};
    std::jmp_buf back{};
    std::array<char, JMSG_LENGTH_MAX> reason{};
    bool accept_damaged = false;
  };

  /// Pixels of one axis that a part needs: with two more on either side, because libjpeg smooths
  /// reduced colour from the neighbours and cannot at the edge of what it decodes.
  struct Span {
    Span(double from, double length, JDIMENSION size) {
      constexpr double margin = 2;
      const auto most = static_cast<double>(size);
      begin = static_cast<JDIMENSION>(std::clamp(std::floor(from) - margin, 0.0, most - 1));
      end = static_cast<JDIMENSION>(
          std::clamp(std::ceil(from + length) + margin, static_cast<double>(begin) + 1, most));
    }
    JDIMENSION begin = 0;
    JDIMENSION end = 0;
  };

  static State& of(j_common_ptr common) noexcept {
    return *static_cast<State*>(common->client_data);
  }
  [[noreturn]] static void leave(j_common_ptr common) {
    common->err->format_message(common, of(common).reason.data());
    std::longjmp(of(common).back, 1);
  }

  /// Runs calls of libjpeg. `work` must own nothing that a jump out of it would leak.
  template <class Work>
  [[gnu::noinline]] void attempt(const Work& work) {
    if (setjmp(state_->back) != 0)
      throw DataError(fmt::format("{}: damaged JPEG: {}", what_, state_->reason.data()));
    work();
  }

  [[gnu::noinline]] void create() {
    auto& jpeg = state_->jpeg;
    jpeg.err = &state_->errors;
    jpeg.client_data = state_.get();
    if (setjmp(state_->back) != 0) throw Error("libjpeg-turbo cannot start");
    ::jpeg_create_decompress(&jpeg);
    jpeg.client_data = state_.get();
    jpeg.progress = &state_->progress;
  }

  /// A new decompressor. The old one keeps tables, and trouble, from one file to the next: what a
  /// file without tables gives would depend on what the same worker read before.
  void renew() {
    ::jpeg_destroy_decompress(&state_->jpeg);
    create();
  }

  /// Throws `DataError` when no end of image follows what was read: the file was cut.
  void look_for_the_end() const {
    const auto& jpeg = state_->jpeg;
    if (::jpeg_input_complete(&state_->jpeg) != FALSE || jpeg.unread_marker == JPEG_EOI) return;
    constexpr std::array<std::uint8_t, 2> end{0xff, 0xd9};
    const auto rest = file_.last(std::min(file_.size(), jpeg.src->bytes_in_buffer));
    if (std::search(rest.begin(), rest.end(), end.begin(), end.end()) == rest.end())
      throw DataError(fmt::format("{}: damaged JPEG: Premature end of JPEG file", what_));
  }

  /// Adobe stores 255 - ink, so a channel is what paper and black leave of it.
  static void cmyk_to_rgb(Photo& photo) {
    for (std::int64_t y = 0; y < photo.height(); ++y) {
      std::uint8_t* const row = photo.row(y);
      for (std::int64_t k = 0; k < 4 * photo.width(); k += 4)
        for (std::int64_t c = 0; c < 3; ++c)
          row[k + c] = static_cast<std::uint8_t>((row[k + c] * row[k + 3] + 127) / 255);
    }
  }

  DecodeLimits limits_;
  std::unique_ptr<State> state_;  // stays where libjpeg points to
  std::span<const std::uint8_t> file_{};
  std::string_view what_{};
};

}  // namespace cleave::data
