#pragma once

#include <zlib.h>

#include <cleave/core/random.hpp>
#include <cleave/data/cifar_reader.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using Bytes = std::vector<std::uint8_t>;

/// `count` CIFAR records with random pixels; image i has fine label i % classes.
inline Bytes cifar_file(const cleave::data::CifarFormat& format, std::size_t count,
                        std::uint64_t seed = 0) {
  cleave::Stream stream(seed);
  Bytes bytes;
  for (std::size_t i = 0; i < count; ++i) {
    for (const int classes : format.label_classes)
      bytes.push_back(static_cast<std::uint8_t>(i % static_cast<std::size_t>(classes)));
    for (int k = 0; k < 3072; ++k) bytes.push_back(static_cast<std::uint8_t>(stream.below(256)));
  }
  return bytes;
}

/// An IDX file of unsigned bytes with the given sizes, whatever the values are.
inline Bytes idx_file(const std::vector<std::uint32_t>& sizes, const Bytes& values) {
  Bytes bytes{0, 0, 8, static_cast<std::uint8_t>(sizes.size())};
  for (const auto size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<std::uint8_t>((size >> shift) & 0xffU));
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

inline Bytes gzip(const Bytes& plain) {
  z_stream stream{};
  constexpr int gzip_window = 15 + 16;
  if (::deflateInit2(&stream, 9, Z_DEFLATED, gzip_window, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw cleave::Error("zlib cannot start");
  Bytes packed(::deflateBound(&stream, static_cast<uLong>(plain.size())));
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  const int code = ::deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (code != Z_STREAM_END) throw cleave::Error("zlib cannot compress");
  return packed;
}
