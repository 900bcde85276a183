#pragma once

#include <zlib.h>

#include <algorithm>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace cleave::data {

/// Reads a zlib or gzip stream piece by piece into buffers of the caller, so that nothing is
/// allocated on the word of the stream and a decompression bomb stops where the caller does.
/// The compressed bytes must outlive the object. Errors are `DataError` with `what` and the byte
/// of the compressed data.
class Inflater {
 public:
  Inflater(std::span<const std::uint8_t> compressed, std::string_view what)
      : what_(what), rest_(compressed), size_(compressed.size()) {
    constexpr int window_bits = 15;
    constexpr int detect_zlib_or_gzip = 32;
    if (::inflateInit2(&stream_, window_bits + detect_zlib_or_gzip) != Z_OK)
      throw Error(what_ + ": zlib cannot start");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream_); }

  /// Fills `out`; returns how many bytes there were, fewer only at the end of the stream.
  std::size_t read(std::span<std::uint8_t> out) {
    std::size_t filled = 0;
    while (filled < out.size() && !ended_) {
      const auto room = portion(out.size() - filled);
      const auto input = portion(rest_.size());
      stream_.next_in = const_cast<Bytef*>(rest_.data());  // zlib only reads it
      stream_.avail_in = input;
      stream_.next_out = out.data() + filled;
      stream_.avail_out = room;
      const int code = ::inflate(&stream_, Z_NO_FLUSH);
      rest_ = rest_.subspan(input - stream_.avail_in);
      filled += room - stream_.avail_out;
      if (code == Z_STREAM_END) {
        ended_ = true;
      } else if (code != Z_OK) {
        // Z_BUF_ERROR here means that no input is left, as there is room for output
        fail(code == Z_BUF_ERROR      ? "the compressed data ends too early"
             : stream_.msg != nullptr ? stream_.msg
                                      : "not zlib or gzip data");
      }
    }
    return filled;
  }

  /// Throws unless the stream ends here, checksum included, with nothing behind it.
  void expect_end() {
    std::uint8_t extra = 0;
    if (read({&extra, 1}) != 0) fail("more data than expected");
    if (!rest_.empty()) fail("bytes after the end of the compressed data");
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const {
    throw DataError(
        fmt::format("{}: at byte {} of {}: {}", what_, size_ - rest_.size(), size_, reason));
  }

  static uInt portion(std::size_t bytes) {
    return static_cast<uInt>(std::min<std::size_t>(bytes, std::numeric_limits<uInt>::max()));
  }

  std::string what_;
  std::span<const std::uint8_t> rest_;
  std::size_t size_;
  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace cleave::data
