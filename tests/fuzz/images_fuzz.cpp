// What an image folder does with a file: header, limits, decoding, resampling. The file must give
// either one of the library's errors or the image that its header announced. The first byte
// chooses how far the decoder may reduce it, whether it decodes a part or the whole, and whether
// damage is accepted. (The decoders are not
// instrumented, so this finds what breaks our use of them rather than bugs inside them.)

#include <cleave/data/image_decoder.hpp>
#include <cleave/data/photo_renderer.hpp>
#include <cstdlib>

using namespace cleave::data;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> file(data + 1, size - 1);
  constexpr std::int64_t max_pixels = 1 << 14;
  try {
    ImageDecoder decoder({.max_pixels = max_pixels, .accept_damaged = (data[0] & 1U) != 0});
    const auto announced = decoder.open(file, "fuzz");
    if (announced.width * announced.height > max_pixels) std::abort();
    Photo photo;
    const double keep = (data[0] & 2U) != 0 ? 0.2 : 1.0;
    const auto draw = draw_photo({}, announced.width, announced.height, cleave::Stream(data[0]));
    const bool part = (data[0] & 4U) != 0;
    const auto wanted = part ? draw.box : announced.box();
    auto found = draw;
    found.box = decoder.read(wanted, keep, photo);
    if (keep == 1.0 && !part &&
        (photo.width() != announced.width || photo.height() != announced.height))
      std::abort();
    if (photo.stride() < 4 * photo.width()) std::abort();
    // The last byte that loops may read is there, or the address sanitizer says so
    photo.row(photo.height() - 1)[photo.stride() + Photo::slack - 1] = 0;
    constexpr std::int64_t size = 5;
    std::array<float, 3 * size * size> out{};
    PhotoRenderer()(photo, found, size, {.scale = 1, .mean = {0, 0, 0}, .std = {1, 1, 1}},
                    out.data());
    for (const auto value : out)
      if (!(value >= -0.01F && value <= 255.01F)) std::abort();
  } catch (const cleave::Error&) {
  }
  return 0;
}
