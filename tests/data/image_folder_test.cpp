#include <ATen/ATen.h>

#include <cleave/data/image_folder.hpp>
#include <cleave/testing/data_laws.hpp>
#include <cleave_test.hpp>
#include <set>
#include <temporary_folder.hpp>

#include "made_files.hpp"

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;
using Indices = std::vector<std::int64_t>;

namespace {

/// Smooth random colours [height, width, 3], so that a JPEG keeps them well.
Bytes picture(std::int64_t width, std::int64_t height, std::uint64_t seed) {
  Stream stream(seed);
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

Bytes jpeg(const Bytes& pixels, std::int64_t width, std::int64_t height,
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

Bytes png(const Bytes& pixels, std::int64_t width, std::int64_t height) {
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

/// train: ant 4 JPEGs and a PNG with a JPEG's name, bee 3 JPEGs; val: one PNG each. A note that
/// is no image lies about.
struct Folder : TemporaryFolder {
  Folder() {
    for (const std::string name : {"train/ant", "train/bee", "val/ant", "val/bee"})
      std::filesystem::create_directories(path() / name);
    for (int i = 0; i < 4; ++i)
      write(fmt::format("train/ant/{}.jpg", i), jpeg(picture(40 + i, 30, 1), 40 + i, 30));
    write("train/ant/4.JPEG", png(picture(24, 24, 9), 24, 24));
    for (int i = 0; i < 3; ++i)
      write(fmt::format("train/bee/{}.jpg", i), jpeg(picture(300, 200 + i, 2), 300, 200 + i));
    for (const std::string name : {"ant", "bee"})
      write("val/" + name + "/a.png", png(picture(16, 16, name == "ant" ? 3 : 4), 16, 16));
    write("train/bee/notes.txt", Bytes{'h', 'i'});
  }
};

const ImageFolderOptions small{.size = 16, .workers = 2};

}  // namespace

TEST_CASE("an image folder keeps the laws of a data set and knows its files") {
  const Folder folder;
  const ImageFolder set(folder.path(), small);
  REQUIRE(testing::check_data_set(set).empty());
  REQUIRE(testing::check_data_set(set.to(at::kDouble).take(4, 2).at_size(9)).empty());
  REQUIRE(set.classes() == 2);
  REQUIRE(set.class_names()[1] == "bee");
  const auto labels = set.labels(Part::Train);
  REQUIRE(Indices(labels.begin(), labels.end()) == Indices{0, 0, 0, 0, 0, 1, 1, 1});
  REQUIRE(set.labels(Part::Test).size() == 2);
  REQUIRE(set.files(Part::Train).ignored == 1);
  REQUIRE(set.damaged_files(Part::Train).empty());
  REQUIRE(set.shape() == ImageShape{3, 16, 16});
}

TEST_CASE("a batch does not depend on the number of workers, bit for bit") {
  const Folder folder;
  Indices chosen;
  for (int k = 0; k < 40; ++k) chosen.push_back(k % 8);
  auto options = small;
  options.workers = 1;
  const auto one = ImageFolder(folder.path(), options).batch(Part::Train, chosen, true, Stream(5));
  for (const std::size_t workers : {2U, 3U, 7U}) {
    options.workers = workers;
    const ImageFolder set(folder.path(), options);
    for (int again = 0; again < 3; ++again) {
      const auto batch = set.batch(Part::Train, chosen, true, Stream(5));
      REQUIRE(batch.images.equal(one.images));
      REQUIRE(batch.labels.equal(one.labels));
    }
  }
  // The same image at two places of a batch draws twice
  REQUIRE_FALSE(one.images[0].equal(one.images[8]));
}

TEST_CASE("an image of the set's size comes through as it is, normalised") {
  const Folder folder;
  auto options = small;
  options.central = 1.0;
  const ImageFolder set(folder.path(), options);
  const auto batch = set.batch(Part::Test, Indices{0}, false, Stream());
  const auto pixels = picture(16, 16, 3);
  const auto normalisation = imagenet_normalisation();
  double worst = 0;
  for (std::int64_t y = 0; y < 16; ++y)
    for (std::int64_t x = 0; x < 16; ++x)
      for (std::int64_t c = 0; c < 3; ++c) {
        const auto k = static_cast<std::size_t>(c);
        const double expected = (pixels[static_cast<std::size_t>((y * 16 + x) * 3 + c)] / 255.0 -
                                 normalisation.mean[k]) /
                                normalisation.std[k];
        worst = std::max(worst, std::abs(batch.images[0][c][y][x].item<double>() - expected));
      }
  REQUIRE(worst < 1e-5);
}

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

TEST_CASE("batches made ahead are the batches, whoever announces what") {
  const Folder folder;
  auto options = small;
  options.ahead = 2;
  options.keep_bytes = 3000;  // two or three files
  const ImageFolder set(folder.path(), options);
  options.workers = 1;
  options.keep_bytes = 0;
  const ImageFolder alone(folder.path(), options);
  const auto request = [](std::size_t k) {
    static const std::vector<Indices> chosen{{0, 1, 2}, {3, 4}, {5, 6, 7, 0}, {1}};
    return BatchRequest{Part::Train, chosen[k % 4], true, Stream(k)};
  };
  const auto same = [&](const Batch& got, std::size_t k) {
    const auto r = request(k);
    const auto expected = alone.batch(r.part, r.indices, r.augment, r.stream);
    REQUIRE(got.images.equal(expected.images));
    REQUIRE(got.labels.equal(expected.labels));
  };
  std::vector<Batch> kept;  // their memory must not be used again
  for (std::size_t k = 0; k < 12; ++k) {
    kept.push_back(batch_of_loop(set, k, 12, request));
    same(kept.back(), k);
  }
  for (std::size_t k = 0; k < 12; ++k) same(kept[k], k);
  // More than may lie ready, never asked for, asked for by a copy of another size
  for (std::size_t k = 0; k < 9; ++k) {
    const auto r = request(k);
    set.prepare(r.part, r.indices, r.augment, r.stream);
  }
  for (const std::size_t k : {0U, 8U, 7U, 3U}) {
    const auto r = request(k);
    same(set.batch(r.part, r.indices, r.augment, r.stream), k);
    REQUIRE(set.at_size(9).batch(r.part, r.indices, r.augment, r.stream).images.size(2) == 9);
  }
  // A file's error waits for whoever asks
  folder.write("train/bee/2.jpg", Bytes{'n', 'o'});
  const ImageFolder fresh(folder.path(), small);
  REQUIRE_NOTHROW(fresh.prepare(Part::Train, Indices{1, 7}, false, Stream()));
  REQUIRE_THROWS_WITH(fresh.batch(Part::Train, Indices{1, 7}, false, Stream()),
                      Contains("bee/2.jpg: at byte 0: neither JPEG nor PNG"));
  REQUIRE_THROWS_AS(fresh.prepare(Part::Train, Indices{8}, false, Stream()), ValueError);
  fresh.prepare(Part::Train, Indices{1, 2}, false, Stream());  // goes away with the set
}

TEST_CASE("files are kept in memory up to a limit") {
  TemporaryFolder folder;
  folder.write("a", Bytes{1, 2, 3});
  folder.write("b", Bytes{4, 5, 6, 7});
  folder.write("c", Bytes{8, 9});
  KeptFiles files(3, 5);
  FileReader read;
  const auto get = [&](std::size_t i) {
    const auto bytes = files.get(
        i, (folder.path() / std::string(1, static_cast<char>('a' + i))).string(), 100, read);
    return Bytes(bytes.begin(), bytes.end());
  };
  for (int again = 0; again < 2; ++again) {
    REQUIRE(get(0) == Bytes{1, 2, 3});
    REQUIRE(get(1) == Bytes{4, 5, 6, 7});  // does not fit
    REQUIRE(get(2) == Bytes{8, 9});
  }
  for (const std::string name : {"a", "b", "c"}) folder.write(name, Bytes{0});
  REQUIRE(get(0) == Bytes{1, 2, 3});
  REQUIRE(get(1) == Bytes{0});
  REQUIRE(get(2) == Bytes{8, 9});
  REQUIRE_THROWS_WITH(read((folder.path() / "d").string(), 9), Contains("d: no such file"));
  REQUIRE_THROWS_WITH(read(folder.path().string(), 9), Contains("not a regular file"));
  folder.write("long", Bytes(200'000, 5));
  REQUIRE(read((folder.path() / "long").string(), 200'000).size() == 200'000);
  REQUIRE_THROWS_WITH(read((folder.path() / "long").string(), 199'999),
                      Contains("200000 bytes, at most 199999 allowed"));
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

TEST_CASE("files that are not what they should be name themselves, and nothing is printed") {
  const Folder folder;
  const ImageFolder set(folder.path(), small);
  const auto batch = [&](const Indices& chosen) {
    return set.batch(Part::Train, chosen, false, Stream());
  };
  const auto refused = [&](const std::string& sentence) {
    INFO(sentence);
    REQUIRE_THROWS_AS(batch({7, 0, 5}), DataError);
    REQUIRE_THROWS_WITH(batch({7, 0, 5}), Contains("train/ant/0.jpg: ") && Contains(sentence));
    REQUIRE(set.damaged_files(Part::Train).size() == 1);
    REQUIRE_NOTHROW(batch({7, 1, 5}));  // the workers go on
  };
  auto file = jpeg(picture(40, 30, 1), 40, 30);
  SECTION("a text") {
    folder.write("train/ant/0.jpg", Bytes{'h', 'e', 'l', 'l', 'o', '\n'});
    refused("at byte 0: neither JPEG nor PNG, it begins with 68 65 6c 6c 6f 0a");
  }
  SECTION("empty") {
    folder.write("train/ant/0.jpg", {});
    refused("the file is empty");
  }
  SECTION("a JPEG cut short, refused or accepted") {
    auto options = small;
    options.limits.accept_damaged = true;
    const Bytes marker{0xff, 0xda};  // the image's data begin after it
    const auto scan = std::search(file.begin(), file.end(), marker.begin(), marker.end());
    REQUIRE(file.end() - scan > 40);
    const auto data = scan - file.begin();
    file.resize(file.size() - 30);
    folder.write("train/ant/0.jpg", file);
    refused("damaged JPEG: ");
    for (std::uint64_t seed = 0; seed < 30; ++seed)  // whatever part of it the crop needs
      REQUIRE_THROWS_WITH(set.batch(Part::Train, Indices{0}, true, Stream(seed)),
                          Contains("0.jpg: damaged JPEG: "));
    REQUIRE(ImageFolder(folder.path(), options).damaged_files(Part::Train).empty());
    // Cut before the data there is no image to take
    file.resize(static_cast<std::size_t>(data) - 1);
    folder.write("train/ant/0.jpg", file);
    refused("damaged JPEG: ");
    const auto problems = ImageFolder(folder.path(), options).damaged_files(Part::Train);
    REQUIRE(problems.size() == 1);
    REQUIRE_THAT(problems[0],
                 Contains("0.jpg: damaged JPEG: Invalid JPEG file structure: missing SOS"));
  }
  SECTION("a header and nothing else") {
    file.resize(20);
    folder.write("train/ant/0.jpg", file);
    refused("damaged JPEG: ");
  }
  SECTION("a PNG cut short") {
    auto whole = png(picture(40, 30, 1), 40, 30);
    whole.resize(whole.size() - 30);
    folder.write("train/ant/0.jpg", whole);
    refused("damaged PNG: ");
  }
  SECTION("a bomb: the header announces 60000 x 60000") {
    const Bytes marker{0xff, 0xc0};
    const auto frame = std::search(file.begin(), file.end(), marker.begin(), marker.end());
    REQUIRE(frame != file.end());
    for (const int k : {5, 7}) frame[k] = 0xea, frame[k + 1] = 0x60;
    folder.write("train/ant/0.jpg", file);
    refused("its header announces 60000 x 60000 pixels, at most 67108864");
  }
  SECTION("a file that went away") {
    std::filesystem::remove(folder.path() / "train/ant/0.jpg");
    REQUIRE_THROWS_AS(batch({0}), IoError);
    REQUIRE_THROWS_WITH(batch({0}), Contains("train/ant/0.jpg: no such file"));
  }
  SECTION("numbers that are not there") {
    REQUIRE_THROWS_WITH(batch({0, 8}), Contains("entry 1 of a batch is image 8, the part has 8"));
    REQUIRE_THROWS_AS(batch({}), ValueError);
  }
}

TEST_CASE("folders of another layout and options outside their domain are refused") {
  const Folder folder;
  const auto refused = [&](const std::string& sentence) {
    INFO(sentence);
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), small), Contains(sentence));
  };
  SECTION("an empty class folder") {
    std::filesystem::create_directory(folder.path() / "train/cat");
    refused("train/cat: the class folder holds no .jpg, .jpeg or .png file");
  }
  SECTION("a class that train does not have") {
    std::filesystem::create_directory(folder.path() / "val/cat");
    refused("val: class `cat` is not one of the 2 of ");
  }
  SECTION("two test parts") {
    std::filesystem::create_directory(folder.path() / "test");
    refused("both `val` and `test` are there");
    auto options = small;
    options.test_folder = "val";
    REQUIRE(ImageFolder(folder.path(), options).labels(Part::Test).size() == 2);
  }
  SECTION("no train folder, no class folder, no folder") {
    std::filesystem::rename(folder.path() / "train", folder.path() / "other");
    refused("no folder `train` in it");
    std::filesystem::create_directory(folder.path() / "train");
    refused("train: no class folder in it");
    REQUIRE_THROWS_AS(ImageFolder(folder.path() / "nowhere"), IoError);
  }
  SECTION("options") {
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.size = 0}), Contains("image size 0, allowed"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.central = 1.5}),
                        Contains("central share 1.5"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.augmentation = {.min_area = 0}}),
                        Contains("crop areas from 0 to 1"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.augmentation = {.contrast = -1}}),
                        Contains("contrast -1"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.augmentation = {.cutout = -1}}),
                        Contains("cutout -1, at least 0"));
    REQUIRE_THROWS_WITH(ImageFolder(folder.path(), {.ahead = 2000}),
                        Contains("2000 batches ahead"));
    REQUIRE_THROWS_AS(ImageFolder(folder.path(), small).to(at::kLong), ValueError);
  }
}
