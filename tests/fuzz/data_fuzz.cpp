// Every image file a user may hand us: the first byte picks the reader, the rest is its input. A
// reader must either throw one of the library's errors or return exactly what the bytes say.

#include <cleave/data/base64.hpp>
#include <cleave/data/cifar_reader.hpp>
#include <cleave/data/idx_reader.hpp>
#include <cleave/data/imagenet16_reader.hpp>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

namespace {

using namespace cleave::data;
using Input = std::span<const std::uint8_t>;

void require(bool holds) {
  if (!holds) std::abort();
}

void cifar(Input input, const CifarFormat& format) {
  RawImages images;
  append_cifar(input, format, 4, "fuzz", images);
  require(images.count() * format.record_bytes() == input.size() && images.count() <= 4);
  check_images(images, format.label_classes.back(), "fuzz");
}

void idx(Input input, std::size_t dimensions) {
  const auto array = parse_idx(input, dimensions, "fuzz", 1 << 24);
  std::size_t product = 1;
  for (const auto size : array.sizes) product *= size;
  require(array.sizes.size() == dimensions && array.values.size() == product);
  if (input[0] != 0) return;  // compressed
  require(input.size() == 4 + 4 * dimensions + product);
  require(std::equal(array.values.rbegin(), array.values.rend(), input.rbegin()));
}

/// Both files of a part: the first byte is the length of the label file.
void idx_part(Input input) {
  if (input.empty() || input[0] >= input.size()) return;
  const auto labels = input.subspan(1, input[0]);
  const auto images =
      parse_idx_images(input.subspan(1 + labels.size()), labels, 10, "images", "labels");
  check_images(images, 10, "fuzz");
}

void inflate(Input input) {
  std::vector<std::uint8_t> out(1 << 12);
  Inflater inflater(input, "fuzz");
  const auto first = inflater.read(std::span(out).first(7));
  require(first <= 7);
  if (inflater.read(std::span(out).subspan(first)) < out.size() - first) inflater.expect_end();
}

void base64(Input input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const auto bytes = decode_base64(text);
  require(bytes.size() <= text.size() / 4 * 3 && bytes.size() + 2 >= text.size() / 4 * 3);
}

/// Any pickle, and one of images; every value of what was accepted can be looked at.
void pickle(Input input) {
  const auto document = read_pickle(input, "fuzz", 1 << 12);
  if (document.kind(document.root()) == PickleKind::Dict) {
    if (const auto data = document.find(document.root(), "data");
        data && document.kind(*data) == PickleKind::Array) {
      const auto& array = document.array(*data);
      std::size_t product = array.type.empty() ? 0 : static_cast<std::size_t>(array.type[1] - '0');
      for (const auto size : array.sizes) product *= size;
      require(product == array.bytes.size());
      unsigned sum = 0;
      for (const auto byte : array.bytes) sum += byte;
      require(sum <= 255 * array.bytes.size());
    }
  }
  RawImages images;
  append_imagenet16(input, 120, "fuzz", images);
  check_images(images, 120, "fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Input input(data + 1, size - 1);
  try {
    switch (data[0] % 8) {
      case 0:
        cifar(input, cifar10_format());
        break;
      case 1:
        cifar(input, cifar100_format());
        break;
      case 2:
        idx(input, 1);
        break;
      case 3:
        idx(input, 3);
        break;
      case 4:
        idx_part(input);
        break;
      case 5:
        inflate(input);
        break;
      case 6:
        base64(input);
        break;
      default:
        pickle(input);
        break;
    }
  } catch (const cleave::Error&) {
  }
  return 0;
}
