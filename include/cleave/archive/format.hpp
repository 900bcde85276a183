#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cleave::archive {

/// What checkpoints are made of: values that say what they are, so that any checkpoint can be
/// looked into without the types that wrote it.
///
///     file    = magic[8] version:u32 reserved:u32 size:u64 value[size] crc32c:u32
///     value   = tag:u8 payload
///     object  = (length:u16 name value)* end
///     list    = count:u64 value[count]
///     tensor  = scalar:u8 rank:u8 extent:i64[rank] bytes
///     matrix  = rows:u64 columns:u64 double[rows * columns], column by column
///
/// All numbers little-endian. The checksum covers everything before it.
enum class Tag : std::uint8_t {
  Boolean = 'b',
  Unsigned = 'u',  ///< u64
  Signed = 'i',    ///< i64
  Real = 'd',      ///< IEEE double
  Text = 's',      ///< length:u64 bytes
  List = 'l',
  Object = 'o',
  Matrix = 'm',
  Tensor = 't',
  Name = 'n',  ///< opens an object's field
  End = 'e',   ///< closes an object
};

inline constexpr std::string_view magic = "cleaveCK";
inline constexpr std::uint32_t format_version = 1;
inline constexpr std::size_t header_bytes = 24;
inline constexpr std::size_t crc_bytes = 4;
/// Values inside values; no run nests deeper, and a hostile file cannot exhaust the stack.
inline constexpr std::size_t most_depth = 64;

static_assert(std::endian::native == std::endian::little,
              "cleave archives are written as they lie in memory; this machine is big-endian");

/// How a tag is called in messages.
[[nodiscard]] constexpr std::string_view tag_name(Tag tag) noexcept {
  switch (tag) {
    case Tag::Boolean: return "a boolean";
    case Tag::Unsigned: return "an unsigned number";
    case Tag::Signed: return "a signed number";
    case Tag::Real: return "a real number";
    case Tag::Text: return "a text";
    case Tag::List: return "a list";
    case Tag::Object: return "an object";
    case Tag::Matrix: return "a matrix";
    case Tag::Tensor: return "a tensor";
    case Tag::Name: return "a field";
    case Tag::End: return "the end of an object";
  }
  return "no known value";
}

/// How a type is written. Specialised per type, with
/// `static void write(Writer&, T&)` and `static void read(Reader&, T&)`.
template <class T>
struct Codec;

}  // namespace cleave::archive
