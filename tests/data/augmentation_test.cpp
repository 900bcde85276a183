#include <cleave/data/augmentation.hpp>
#include <cleave/data/normalisation.hpp>
#include <cleave/data/raw_images.hpp>
#include <cleave_test.hpp>
#include <map>

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;

TEST_CASE("draws cover their ranges evenly") {
  const auto draws =
      draw_images({.pad = 1, .flip = true, .cutout = 2}, {3, 4, 5}, 18'000, Stream(1));
  std::map<std::pair<std::int64_t, std::int64_t>, int> places;
  std::map<std::pair<std::int64_t, std::int64_t>, int> centres;
  int mirrored = 0;
  for (const auto& draw : draws) {
    ++places[{draw.top, draw.left}];
    ++centres[{draw.cut_y, draw.cut_x}];
    mirrored += draw.mirrored ? 1 : 0;
  }
  REQUIRE(places.size() == 9);
  for (const auto& [place, count] : places) {
    REQUIRE((place.first >= 0 && place.first <= 2 && place.second >= 0 && place.second <= 2));
    REQUIRE(count == Approx(2000).margin(250));
  }
  REQUIRE(centres.size() == 20);
  for (const auto& [centre, count] : centres) {
    REQUIRE((centre.first < 4 && centre.second < 5));
    REQUIRE(count == Approx(900).margin(170));
  }
  REQUIRE(mirrored == Approx(9000).margin(400));
}

TEST_CASE("draws depend on the stream, and nothing is drawn for what is off") {
  const ImageShape shape{1, 8, 8};
  const Augmentation all{.pad = 2, .flip = true, .cutout = 3};
  REQUIRE(draw_images(all, shape, 20, Stream(1)) == draw_images(all, shape, 20, Stream(1)));
  REQUIRE_FALSE(draw_images(all, shape, 20, Stream(1)) == draw_images(all, shape, 20, Stream(2)));
  for (const auto& draw : draw_images({}, shape, 5, Stream(1))) REQUIRE(draw == ImageDraw{});
}

TEST_CASE("bytes are normalised by scale, mean and standard deviation") {
  const auto table = normalised_bytes({.scale = 16, .mean = {0.25, 0}, .std = {0.5, 2}}, 2);
  REQUIRE(table.size() == 2);
  REQUIRE(table[0][0] == -0.5);
  REQUIRE(table[0][16] == 1.5);
  REQUIRE(table[1][8] == 0.25);
  REQUIRE_THROWS_WITH(normalised_bytes({.scale = 0, .mean = {0}, .std = {1}}, 1),
                      Contains("scale 0"));
  REQUIRE_THROWS_WITH(normalised_bytes({.mean = {0}, .std = {1}}, 3),
                      Contains("1 means and 1 standard deviations for 3 channels"));
  REQUIRE_THROWS_WITH(normalised_bytes({.mean = {0, 0}, .std = {1, 0}}, 2),
                      Contains("standard deviation of channel 1 is 0"));
  REQUIRE_THROWS_WITH(normalised_bytes({.mean = {0, std::nan("")}, .std = {1, 1}}, 2),
                      Contains("mean of channel 1 is nan"));
}

TEST_CASE("raw images are checked: shape, bytes, labels") {
  const RawImages good{{1, 2, 2}, std::vector<std::uint8_t>(12), {0, 1, 2}};
  REQUIRE_NOTHROW(check_images(good, 3, "part"));
  REQUIRE_THROWS_WITH(check_images(good, 2, "part"),
                      Contains("part: image 2 has label 2, allowed 0 to 1"));
  auto bad = good;
  bad.labels[1] = -1;
  REQUIRE_THROWS_WITH(check_images(bad, 3, "part"), Contains("image 1 has label -1"));
  bad = good;
  bad.pixels.pop_back();
  REQUIRE_THROWS_WITH(check_images(bad, 3, "part"),
                      Contains("11 bytes of pixels, 3 images of 1 x 2 x 2 need 12"));
  bad = good;
  bad.shape.height = 0;
  REQUIRE_THROWS_WITH(check_images(bad, 3, "part"), Contains("shape 1 x 0 x 2"));
  bad.shape = {1 << 16, 1 << 16, 1 << 16};
  REQUIRE_THROWS_AS(check_images(bad, 3, "part"), ValueError);
}
