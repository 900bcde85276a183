#include <ATen/ATen.h>

#include <cleave/data/image_decoder.hpp>
#include <cleave/data/photo_renderer.hpp>
#include <cleave_test.hpp>
#include <string>
#include <vector>

#include "image_files.hpp"

// One photograph: decoded, resampled, jittered, cut out.

using namespace cleave;
using namespace cleave::data;

namespace {

/// Values 0 to 255 come out as they are.
const Normalisation as_it_is{.scale = 1, .mean = {0, 0, 0}, .std = {1, 1, 1}};

Photo noise(std::int64_t width, std::int64_t height) {
  Photo photo;
  photo.resize(width, height);
  Stream stream(3);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t k = 0; k < 4 * width; ++k)
      photo.row(y)[k] = static_cast<std::uint8_t>(stream.below(256));
  return photo;
}

/// [3, size, size].
at::Tensor rendered(const Photo& photo, const PhotoDraw& draw, std::int64_t size,
                    PhotoRenderer renderer = {}) {
  const auto out = at::empty({size, size, 3}, at::kFloat);
  renderer(photo, draw, size, as_it_is, out.mutable_data_ptr<float>());
  return out.permute({2, 0, 1}).to(at::kDouble);
}

}  // namespace

TEST_CASE("rows of a photo begin beside the addresses that libjpeg-turbo writes past the caches") {
  Photo photo;
  for (const std::int64_t width : {1, 7, 8, 32, 500, 33, 4})
    for (const std::int64_t height : {1, 3, 40}) {
      photo.resize(width, height);
      REQUIRE(photo.stride() >= 4 * width);
      for (const std::int64_t y : {std::int64_t{0}, height - 1})
        REQUIRE(reinterpret_cast<std::uintptr_t>(photo.row(y)) % 32 == 16);
      photo.row(height - 1)[photo.stride() + Photo::slack - 1] = 1;  // room that loops may read
    }
}

TEST_CASE("resampling is that of torch's antialiased interpolation") {
  auto photo = noise(37, 29);
  const auto source =
      at::from_blob(photo.row(0), {1, 29, 37, 4}, {0, photo.stride(), 4, 1}, at::kByte)
          .permute({0, 3, 1, 2})
          .to(at::kDouble)
          .slice(1, 0, 3);
  for (const int size : {8, 9, 20, 30, 64})
    for (const bool mirrored : {false, true})
      for (const Box& box : {Box{5, 3, 30, 20}, Box{0, 0, 37, 29}, Box{36, 3, 1, 20}}) {
        CAPTURE(size, mirrored, box.width);
        const auto part = source
                              .slice(2, static_cast<std::int64_t>(box.top),
                                     static_cast<std::int64_t>(box.top + box.height))
                              .slice(3, static_cast<std::int64_t>(box.left),
                                     static_cast<std::int64_t>(box.left + box.width));
        auto expected = at::_upsample_bilinear2d_aa(part, {size, size}, false)[0];
        if (mirrored) expected = expected.flip(2);
        const auto got = rendered(photo, {.box = box, .mirrored = mirrored}, size);
        REQUIRE((got - expected).abs().max().item<double>() < 1e-3);
      }
}

TEST_CASE("every part of a JPEG is decoded as in the whole") {
  ImageDecoder decoder;
  Photo whole, part;
  Stream stream(4);
  const auto pixels = [&](std::int64_t width, std::int64_t height, int channels) {
    Bytes values(static_cast<std::size_t>(width * height * channels));
    for (std::size_t k = 0; k < values.size(); ++k)  // coarse noise over a slope
      values[k] = static_cast<std::uint8_t>(k / 97 % 200 + stream.below(56));
    return values;
  };
  const std::vector<JpegForm> forms{{},
                                    {.horizontal = 2},
                                    {.horizontal = 2, .vertical = 2},
                                    {.vertical = 2},
                                    {.horizontal = 4},
                                    {.horizontal = 2, .vertical = 2, .progressive = true},
                                    {.space = JCS_GRAYSCALE},
                                    {.space = JCS_CMYK}};
  for (const auto& form : forms)
    for (const auto& [width, height] : {std::pair{97, 71}, std::pair{32, 32}, std::pair{7, 5}}) {
      const int channels = form.space == JCS_GRAYSCALE ? 1 : form.space == JCS_CMYK ? 4 : 3;
      const auto file = jpeg(pixels(width, height, channels), width, height, form);
      for (const double keep : {1.0, 0.5, 0.25}) {
        decoder.decode(file, "file", keep, whole);
        for (std::uint64_t draw = 0; draw < 30; ++draw) {
          const auto crop =
              draw_photo({.min_area = 0.02}, width, height, stream.fork("crop").fork(draw)).box;
          decoder.open(file, "file");
          const auto box = decoder.read(crop, keep, part);
          CAPTURE(form.horizontal, form.vertical, form.progressive, form.space, width, keep,
                  crop.left, crop.top, crop.width, crop.height);
          // The same crop of both, pixel by pixel
          const double x = static_cast<double>(whole.width()) / width;
          const double y = static_cast<double>(whole.height()) / height;
          const auto dx = static_cast<std::int64_t>(std::llround(crop.left * x - box.left));
          const auto dy = static_cast<std::int64_t>(std::llround(crop.top * y - box.top));
          REQUIRE(box.left + box.width <= static_cast<double>(part.width()) + 1e-9);
          REQUIRE(box.top + box.height <= static_cast<double>(part.height()) + 1e-9);
          std::size_t different = 0;
          for (auto r = static_cast<std::int64_t>(box.top);
               r < static_cast<std::int64_t>(std::ceil(box.top + box.height - 1e-9)); ++r)
            for (auto c = static_cast<std::int64_t>(box.left);
                 c < static_cast<std::int64_t>(std::ceil(box.left + box.width - 1e-9)); ++c)
              for (std::int64_t k = 0; k < 3; ++k)
                different += part.row(r)[4 * c + k] != whole.row(r + dy)[4 * (c + dx) + k] ? 1 : 0;
          REQUIRE(different == 0);
        }
      }
    }
}

TEST_CASE("what a JPEG gives does not depend on the files before it") {
  const auto whole = jpeg(picture(40, 30, 1), 40, 30);
  // The same without its tables of quantisation (DQT) or of codes (DHT)
  const auto without = [&](std::uint8_t marker) {
    auto file = whole;
    for (std::size_t k = 0; k + 4 < file.size();) {
      if (file[k] == 0xff && file[k + 1] == 0xda) break;  // the image's data
      if (file[k] != 0xff || file[k + 1] != marker) {
        ++k;
        continue;
      }
      const auto length = 2 + 256 * file[k + 2] + file[k + 3];
      const auto at = file.begin() + static_cast<std::ptrdiff_t>(k);
      file.erase(at, at + length);
    }
    REQUIRE(file.size() < whole.size());
    return file;
  };
  auto progressive = jpeg(picture(33, 20, 2), 33, 20, {.vertical = 2, .progressive = true});
  auto cut = whole;
  cut.resize(cut.size() / 2);
  const std::vector<Bytes> files{
      whole,         without(0xdb),
      without(0xc4), jpeg(picture(17, 9, 3), 17, 9, {.space = JCS_GRAYSCALE}),
      progressive,   cut};
  const auto outcome = [](ImageDecoder& decoder, const Bytes& file, bool part) {
    Photo photo;
    try {
      const auto size = decoder.open(file, "file");
      auto box = size.box();
      if (part) box.height = 5;  // left before its end
      decoder.read(box, 1.0, photo);
      std::string pixels;
      for (std::int64_t y = 0; y < photo.height(); ++y)
        pixels.append(photo.row(y), photo.row(y) + 4 * photo.width());
      return pixels;
    } catch (const DataError& error) {
      return std::string(error.what());
    }
  };
  std::vector<std::string> fresh;
  for (const auto& file : files) {
    ImageDecoder decoder;
    fresh.push_back(outcome(decoder, file, false));
  }
  CHECK(fresh[1] != fresh[0]);
  ImageDecoder decoder;
  Stream stream(1);
  for (int k = 0; k < 400; ++k) {
    const auto before = stream.below(files.size());
    static_cast<void>(outcome(decoder, files[before], stream.below(2) == 1));
    const auto i = stream.below(files.size());
    CAPTURE(k, before, i);
    REQUIRE((outcome(decoder, files[i], false) == fresh[i]));
  }
}

TEST_CASE("a reduced decode looks like the whole one") {
  const auto pixels = picture(320, 240, 6);
  const auto file = jpeg(pixels, 320, 240);
  ImageDecoder decoder;
  Photo whole, reduced;
  decoder.decode(file, "file", 1.0, whole);
  REQUIRE(whole.width() == 320);
  decoder.decode(file, "file", 0.26, reduced);
  REQUIRE(reduced.width() == 160);
  decoder.decode(file, "file", 0.25, reduced);
  REQUIRE(reduced.width() == 80);
  const auto a = rendered(whole, {.box = {40, 40, 160, 160}}, 10);
  const auto b = rendered(reduced, {.box = {10, 10, 40, 40}}, 10);
  REQUIRE((a - b).abs().max().item<double>() < 3.0);
}

TEST_CASE("colour jitter follows its definition, with every instruction set") {
  const auto photo = noise(11, 11);
  PhotoRenderer renderer;  // one for all, as in a worker
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    auto draw = draw_photo({}, 100, 80, Stream(seed));
    draw.mirrored = false;
    draw.box = {0, 0, 11, 11};
    if (seed % 5 == 4) draw.factors[seed % 3] = 1;
    auto expected = rendered(photo, {.box = draw.box}, 11);
    const auto luma_of = [](const at::Tensor& p) {
      return p[0].mul(0.299).add(p[1], 0.587).add(p[2], 0.114);
    };
    for (const auto step : draw.order) {
      const double f = draw.factors[static_cast<std::size_t>(step)];
      const auto luma = luma_of(expected);
      const auto centre = step == Jitter::Brightness ? luma.mul(0)
                          : step == Jitter::Contrast ? luma.mul(0).add(luma.mean())
                                                     : luma;
      expected = expected.sub(centre).mul(f).add(centre).clamp(0, 255);
    }
    const auto got = rendered(photo, draw, 11, renderer);
    REQUIRE((got - expected).abs().max().item<double>() < 1e-2);
  }
}

TEST_CASE("the loops of every instruction set make the same image") {
  const auto pixels = noise(50, 40);
  for (const std::int64_t size : {1, 2, 3, 32, 45})
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      auto draw = draw_photo({}, 50, 40, Stream(seed));
      photo::Taps rows, columns;
      rows.make(draw.box.top, draw.box.height, 40, size);
      columns.make(draw.box.left, draw.box.width, 50, size);
      if (draw.mirrored) columns.mirror();
      photo::Task task;
      task.pixels = pixels.row(0);
      task.stride = pixels.stride();
      task.rows = &rows;
      task.columns = &columns;
      task.length = 50;
      task.size = size;
      task.steps = seed % 4;
      task.order = draw.order;
      task.factors = {1.3F, 0.7F, 0.8F};
      task.factor.fill(0.5F);
      task.offset.fill(-1.0F);
      std::vector<float> line(232), image(static_cast<std::size_t>(size * (size + 1) * 4));
      task.line = line.data();
      task.image = image.data();
      const auto made = [&](auto render) {
        std::vector<float> out(static_cast<std::size_t>(size * size * 3 + 8), 7.0F);
        task.out = out.data();
        render(task);
        for (std::size_t k = 0; k < 8; ++k)  // nothing beyond the image
          REQUIRE(out[out.size() - 1 - k] == 7.0F);
        return out;
      };
      const auto plain = made(photo::baseline::render), chosen = made(photo::render);
      for (std::size_t k = 0; k < plain.size(); ++k)
        REQUIRE(plain[k] == Approx(chosen[k]).margin(1e-3));
    }
}

TEST_CASE("a cutout is a square of zeros around its centre, clipped at the border") {
  const auto photo = noise(16, 16);
  const auto whole = rendered(photo, {.box = {0, 0, 16, 16}}, 16);
  std::set<std::int64_t> zeros;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    auto draw = draw_photo({.cutout = 6}, 16, 16, Stream(seed));
    const auto cut = rendered(
        photo,
        {.box = {0, 0, 16, 16}, .cutout = draw.cutout, .cut_x = draw.cut_x, .cut_y = draw.cut_y},
        16);
    auto expected = whole.clone();
    const auto y = static_cast<std::int64_t>(16 * draw.cut_y) - 3;
    const auto x = static_cast<std::int64_t>(16 * draw.cut_x) - 3;
    expected.slice(1, std::max<std::int64_t>(0, y), y + 6)
        .slice(2, std::max<std::int64_t>(0, x), x + 6)
        .zero_();
    REQUIRE(cut.equal(expected));
    zeros.insert(cut[0].eq(0).sum().item<std::int64_t>());
  }
  REQUIRE(zeros.size() > 5);  // whole squares and clipped ones
  auto plain = draw_photo({}, 16, 16, Stream(1));
  const auto with = draw_photo({.cutout = 6}, 16, 16, Stream(1));
  plain.cutout = with.cutout, plain.cut_x = with.cut_x, plain.cut_y = with.cut_y;
  REQUIRE(plain == with);  // it draws after all others
}

TEST_CASE("crops stay inside the image and cover the areas and ratios asked for") {
  double least = 1, most = 0;
  int mirrored = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto draw = draw_photo({}, 500, 375, Stream(seed));
    const auto& box = draw.box;
    REQUIRE((box.left >= 0 && box.top >= 0 && box.left + box.width <= 500 &&
             box.top + box.height <= 375));
    const double area = box.width * box.height / (500.0 * 375.0), ratio = box.width / box.height;
    REQUIRE((area > 0.075 && area <= 1.0 && ratio > 0.73 && ratio < 1.36));
    least = std::min(least, area);
    most = std::max(most, area);
    mirrored += draw.mirrored ? 1 : 0;
  }
  REQUIRE(least < 0.1);
  REQUIRE(most > 0.9);
  REQUIRE(std::abs(mirrored - 1000) < 120);
  const auto narrow = draw_photo({}, 2, 900, Stream(1)).box;  // nothing fits: the central part
  REQUIRE((narrow.width == 2 && narrow.height == 3));
  const auto central = central_box(0.875, 500, 256);
  REQUIRE(central == Box{138, 16, 224, 224});
}
