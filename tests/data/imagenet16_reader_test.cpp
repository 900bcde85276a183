#include <cleave/data/imagenet16_reader.hpp>
#include <cleave_test.hpp>
#include <fstream>
#include <iterator>

#include "made_files.hpp"
#include <temporary_folder.hpp>

using namespace cleave;
using namespace cleave::data;
using Catch::Matchers::Contains;

namespace {

Bytes committed(const std::string& name) {
  std::ifstream file(CLEAVE_TEST_DATA "/pickles/" + name, std::ios::binary);
  REQUIRE(file);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// Pixel k of image i of the committed files.
std::uint8_t pixel(std::size_t i, std::size_t k) {
  return static_cast<std::uint8_t>(11 * k + 37 * i);
}

RawImages images_of(const Bytes& file, std::int64_t classes = 120) {
  RawImages images;
  append_imagenet16(file, classes, "file", images);
  return images;
}

/// Pieces of pickles: numbers and texts, strung together.
Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }
Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}
Bytes integer(std::uint32_t value) {
  Bytes packed{'J'};
  for (int shift = 0; shift < 32; shift += 8)
    packed.push_back(static_cast<std::uint8_t>(value >> shift));
  return packed;
}
Bytes text(std::string_view value) {
  return Bytes{'U', static_cast<std::uint8_t>(value.size())} + bytes(value);
}
const Bytes protocol2{0x80, 2};

/// An array of bytes with these sizes that carries `count` elements (of value 7).
Bytes array(const std::vector<std::uint32_t>& sizes, std::size_t count,
            std::string_view type = "u1", Bytes elements = {}, bool column_major = false,
            std::string_view order = "|") {
  elements.resize(count, 7);
  Bytes shape{'('}, length{'B'};
  for (const auto size : sizes) shape = shape + integer(size);
  for (int shift = 0; shift < 32; shift += 8)
    length.push_back(static_cast<std::uint8_t>(count >> shift));
  return bytes("cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK") + Bytes{0, 0x85} +
         text("b") + Bytes{0x87, 'R'} + Bytes{'(', 'K', 1} + shape + bytes("t") +
         bytes("cnumpy\ndtype\n") + text(type) + Bytes{'K', 0, 'K', 1, 0x87, 'R'} + bytes("(K") +
         Bytes{3} + text(order) + bytes("tb") +
         Bytes{static_cast<std::uint8_t>(column_major ? 0x88 : 0x89)} + length + elements +
         bytes("tb");
}
Bytes labels(const std::vector<std::uint32_t>& values) {
  Bytes list{']', '('};
  for (const auto value : values) list = list + integer(value);
  return list + bytes("e");
}
Bytes batch(const Bytes& data, const Bytes& list) {
  return protocol2 + bytes("}(") + text("data") + data + text("labels") + list + bytes("u.");
}

}  // namespace

TEST_CASE("pickled batches of Python 2 and 3, numpy 1 and 2, protocols 2 to 4 are read alike") {
  for (const std::string name :
       {"numpy1_protocol2", "numpy1_protocol3", "numpy1_protocol4", "numpy2_protocol2",
        "numpy2_protocol3", "numpy2_protocol4", "python2"}) {
    INFO(name);
    const auto images = images_of(committed(name));  // labels 1, 1000, 120, 121
    REQUIRE(images.shape == ImageShape{3, 16, 16});
    REQUIRE(images.labels == std::vector<std::int64_t>{0, 119});
    REQUIRE(images.pixels.size() == 2 * 768);
    bool same = true;
    for (std::size_t k = 0; k < 768; ++k)
      same = same && images.pixels[k] == pixel(0, k) && images.pixels[768 + k] == pixel(2, k);
    REQUIRE(same);
    REQUIRE(images_of(committed(name), 1000).labels == std::vector<std::int64_t>{0, 999, 119, 120});
  }
}

TEST_CASE("a committed pickle that is cut anywhere is an error and changes nothing") {
  for (const std::string name : {"numpy1_protocol2", "numpy2_protocol4", "python2"}) {
    const auto whole = committed(name);
    RawImages images = images_of(whole);
    const auto before = images;
    for (std::size_t size = 0; size < whole.size(); size += size < 400 ? 1 : 61) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      REQUIRE_THROWS_AS(append_imagenet16(cut, 120, "cut", images), DataError);
      REQUIRE(images == before);
    }
    REQUIRE_THROWS_WITH(append_imagenet16(whole + bytes("!"), 120, "long", images),
                        Contains(fmt::format("at byte {}: 1 bytes after the end", whole.size())));
  }
}

TEST_CASE("made pickles are read; images of 32 x 32 too") {
  const auto small = images_of(batch(array({2, 768}, 2 * 768), labels({3, 500})));
  REQUIRE(small.labels == std::vector<std::int64_t>{2});
  const auto large = images_of(batch(array({2, 3072}, 2 * 3072), labels({3, 120})));
  REQUIRE(large.shape == ImageShape{3, 32, 32});
  REQUIRE(large.labels == std::vector<std::int64_t>{2, 119});
  RawImages both = small;
  REQUIRE_THROWS_WITH(
      append_imagenet16(batch(array({1, 3072}, 3072), labels({1})), 120, "file", both),
      Contains("images of 32 x 32, those before have 16 x 16"));
  REQUIRE(both == small);
}

TEST_CASE("arrays stored column by column, and labels that are arrays, of either byte order") {
  Bytes columns;  // pixel k of image i is 10 * i + (k mod 10), image after image inside a pixel
  for (std::size_t k = 0; k < 768; ++k)
    for (std::size_t i = 0; i < 2; ++i)
      columns.push_back(static_cast<std::uint8_t>(10 * i + k % 10));
  const auto data = array({2, 768}, 2 * 768, "u1", columns, true);
  const auto images = images_of(batch(data, array({2}, 4, "i2", {120, 0, 1, 0}, false, "<")));
  REQUIRE(images.labels == std::vector<std::int64_t>{119, 0});
  REQUIRE(images.pixels[13] == 3);
  REQUIRE(images.pixels[768 + 13] == 13);
  REQUIRE(
      images_of(batch(data, array({2}, 4, "i2", {0, 2, 0x03, 0xe7}, false, ">")), 1000).labels ==
      std::vector<std::int64_t>{1, 998});
  REQUIRE_THROWS_WITH(images_of(batch(data, array({2}, 4, "i2", {0, 2, 0x03, 0xe9}, false, ">"))),
                      Contains("image 1 has label 1001"));
  REQUIRE_THROWS_WITH(images_of(batch(data, array({2}, 16, "f8"))), Contains("`labels` is [2] f8"));
  REQUIRE_THROWS_WITH(images_of(batch(data, array({2, 1}, 2))), Contains("`labels` is [2, 1] u1"));
  REQUIRE_THROWS_WITH(images_of(batch(array({2, 768}, 1536, "u1", {}, false, "="), labels({1, 2}))),
                      Contains("byte order `=`"));
}

TEST_CASE("nothing but numpy's reconstruction can be named") {
  const auto refused = [](const Bytes& file, const std::string& sentence) {
    INFO(sentence);
    RawImages images;
    REQUIRE_THROWS_AS(append_imagenet16(file, 120, "file", images), DataError);
    REQUIRE_THROWS_WITH(append_imagenet16(file, 120, "file", images), Contains(sentence));
  };
  refused(protocol2 + bytes("cos\nsystem\n") + text("ls") + Bytes{0x85} + bytes("R."),
          "file: at byte 2: the pickle names os.system, which an array does not need; nothing of "
          "it was executed");
  refused(protocol2 + bytes("c__builtin__\neval\n."), "names __builtin__.eval");
  refused(protocol2 + bytes("cnumpy\nload\n."), "names numpy.load");
  refused(protocol2 + bytes("c\x1b[31m\nx\n."), "names ?[31m.x");
  refused(Bytes{0x80, 4, 0x8c, 2, 'o', 's', 0x8c, 5, 'p', 'o', 'p', 'e', 'n', 0x93, '.'},
          "at byte 13: the pickle names os.popen");
  refused(protocol2 + bytes("cnumpy\nndarray\n)R."), "numpy.ndarray is called");
  for (const auto& [code, name] : std::vector<std::pair<int, std::string>>{{'i', "INST"},
                                                                           {'o', "OBJ"},
                                                                           {0x81, "NEWOBJ"},
                                                                           {0x92, "NEWOBJ_EX"},
                                                                           {'P', "PERSID"},
                                                                           {'Q', "BINPERSID"},
                                                                           {0x82, "EXT1"},
                                                                           {'I', "INT"},
                                                                           {'0', "POP"},
                                                                           {0x96, "BYTEARRAY8"}}) {
    INFO(name);
    refused(protocol2 + Bytes{static_cast<std::uint8_t>(code), '.'},
            fmt::format("at byte 2: pickle opcode 0x{:02x}, which a file of images", code));
  }
  // encode works for latin1 alone, and no text can be blown up by encoding it over and over
  const auto encode = bytes("c_codecs\nencode\n");
  refused(
      protocol2 + encode + Bytes{'X', 1, 0, 0, 0, 'a'} + text("idna") + Bytes{0x86} + bytes("R."),
      "encoding `idna`, allowed latin1");
  refused(protocol2 + encode + Bytes{'X', 2, 0, 0, 0, 0xc4, 0x80} + text("latin1") + Bytes{0x86} +
              bytes("R."),
          "a text that is not latin1");
  Bytes again = protocol2 + encode + Bytes{'q', 0, 'X', 200, 0, 0, 0} + Bytes(200, 'a') +
                Bytes{'q', 1} + text("latin1") + Bytes{'q', 2};
  for (int k = 0; k < 30; ++k) again = again + Bytes{'h', 0, 'h', 1, 'h', 2, 0x86, 'R'};
  refused(again + bytes("."), "more text is encoded than the file has bytes");
}

TEST_CASE("pickles that lie about lengths are refused before memory is taken") {
  const auto refused = [](const Bytes& file, const std::string& sentence) {
    INFO(sentence);
    REQUIRE_THROWS_WITH(images_of(file), Contains(sentence));
  };
  refused(protocol2 + Bytes{'B', 0xff, 0xff, 0xff, 0xff, 'x'}, "4294967295 bytes announced, 1 are");
  refused(Bytes{0x80, 4, 0x8e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
          "at byte 2: 18446744073709551615 bytes announced, 0 are left");
  refused(Bytes{0x80, 4, 0x95, 1, 0, 0, 0, 0, 0, 0, 1, '.'}, "bytes announced, 1 are left");
  refused(batch(array({2, 768}, 768), labels({1, 2})), "an array of [2, 768] u1 has 768 bytes");
  refused(batch(array({0x40000000, 0x40000000, 16}, 0), labels({})), "] u1 has 0 bytes");
  refused(batch(array({0xffffffff, 768}, 768), labels({1})), "an array size of -1");
  refused(batch(array(std::vector<std::uint32_t>(65, 1), 1), labels({1})), "65 dimensions");
  refused(batch(array({0, 768}, 1), labels({})), "an array of [0, 768] u1 has 1 bytes");
  const Bytes many(3000, ']');
  REQUIRE_THROWS_WITH(read_pickle(protocol2 + many, "file", 1000),
                      Contains("at byte 1002: more than 1000 values"));
  REQUIRE_THROWS_WITH(read_pickle(protocol2 + Bytes(3000, '('), "file", 1000),
                      Contains("more than 1000 values, marks or memos"));
  REQUIRE_THROWS_WITH(read_pickle(Bytes{0x80, 4, ']'} + Bytes(3000, 0x94), "file", 1000),
                      Contains("more than 1000 values, marks or memos"));
}

TEST_CASE("pickles of another content say what they hold") {
  const auto refused = [](const Bytes& file, const std::string& sentence) {
    INFO(sentence);
    REQUIRE_THROWS_WITH(images_of(file), Contains(sentence));
  };
  const auto good = array({1, 768}, 768);
  refused({}, "file: at byte 0: the file is empty");
  refused(bytes("data"), "not a pickle of protocol 2 to 4: it begins with 0x64");
  refused(Bytes{0x80, 5, '}', '.'}, "pickle protocol 5, allowed 2 to 4");
  refused(protocol2 + bytes("]."), "at byte 2: a dict is expected, found a list");
  refused(protocol2 + bytes("}."), "the dict has no key `data`");
  refused(batch(bytes("]"), labels({1})), "`data` must be an array, found a list");
  refused(batch(good, bytes("}")), "`labels` must be a list, found a dict");
  refused(batch(good, labels({1, 2})), "2 labels for 1 images");
  refused(batch(good, labels({0})), "image 0 has label 0, allowed 1 to 1000");
  refused(batch(good, labels({1001})), "image 0 has label 1001, allowed 1 to 1000");
  refused(batch(good, labels({0xffffffff})), "image 0 has label -1");
  refused(batch(good, bytes("](Ne")), "label 0 must be an integer, found None");
  refused(batch(array({1, 192}, 192), labels({1})),
          "`data` is [1, 192] u1, expected [N, 768] or [N, 3072] u1");
  refused(batch(array({768}, 768), labels({1})), "`data` is [768] u1");
  refused(batch(array({1, 768}, 768 * 4, "f4"), labels({1})), "`data` is [1, 768] f4");
  refused(batch(array({1}, 8, "O8"), labels({1})), "element type `O8`");
  refused(protocol2 + bytes("h") + Bytes{5, '.'}, "memo 5 was never written");
  refused(protocol2 + bytes("t."), "no mark on the stack");
  refused(protocol2 + bytes("."), "ends with 0 values on the stack");
  refused(protocol2 + bytes("(."), "ends with 0 values on the stack");
  refused(protocol2 + bytes("N(") + Bytes{0x85, '.'}, "1 values are needed from the stack");
  refused(protocol2 + bytes("}(Nu."), "a key without a value");
  refused(protocol2 + bytes("NNa."), "what is extended must be a list, found None");
  refused(protocol2 + Bytes{0x8a, 9}, "an integer of 9 bytes");
  REQUIRE_THROWS_AS(images_of(batch(good, labels({1})), 0), ValueError);
  REQUIRE_THROWS_AS(images_of(batch(good, labels({1})), 1001), ValueError);
  // A list inside itself is legal, and is never walked
  REQUIRE_THROWS_WITH(
      images_of(protocol2 + bytes("]q") + Bytes{0} + bytes("h") + Bytes{0} + bytes("a.")),
      Contains("found a list"));
}

TEST_CASE("a folder of ImageNet16 batches; the public hashes are asked for unless told otherwise") {
  const TemporaryFolder folder;
  const ImageNet16Options own{.verify = false};
  REQUIRE_THROWS_WITH(read_imagenet16(folder.path() / "nowhere", own),
                      Contains("no such directory"));
  REQUIRE_THROWS_WITH(read_imagenet16(folder.path(), own), Contains("no train file, at least one"));
  folder.write("train_data_batch_2", committed("numpy1_protocol2"));
  folder.write("train_data_batch_10", batch(array({2, 768}, 2 * 768), labels({7, 8})));
  REQUIRE_THROWS_WITH(read_imagenet16(folder.path(), own), Contains("val_data: no such file"));
  folder.write("val_data", committed("python2"));
  const auto parts = read_imagenet16(folder.path(), own);
  REQUIRE(parts.train.labels == std::vector<std::int64_t>{0, 119, 6, 7});
  REQUIRE(parts.test.labels == std::vector<std::int64_t>{0, 119});
  REQUIRE(read_imagenet16(folder.path(), {.classes = 1000, .verify = false}).train.count() == 6);

  REQUIRE_THROWS_AS(read_imagenet16(folder.path()), DataError);
  REQUIRE_THROWS_WITH(read_imagenet16(folder.path()),
                      Contains("train_data_batch_2: 13446 bytes with MD5 ") &&
                          Contains("the public file has c7254a054e0e795c69120a5727050e3f"));
  folder.write("val_data", batch(array({1, 768}, 768), labels({121})));
  REQUIRE_THROWS_WITH(read_imagenet16(folder.path(), own),
                      Contains("the test part has no image of the classes 1 to 120"));
  folder.write("val_data", batch(array({1, 3072}, 3072), labels({1})));
  REQUIRE_THROWS_WITH(read_imagenet16(folder.path(), own),
                      Contains("train images of 16 x 16, test images of 32 x 32"));
  std::filesystem::resize_file(folder.path() / "val_data", std::uintmax_t{1} << 40);
  REQUIRE_THROWS_WITH(read_imagenet16(folder.path(), own), Contains("at most 1073741824 allowed"));
}

TEST_CASE("MD5 of the examples of RFC 1321, and across block borders") {
  const auto of = [](std::string_view text) { return md5(bytes(text)); };
  REQUIRE(of("") == "d41d8cd98f00b204e9800998ecf8427e");
  REQUIRE(of("a") == "0cc175b9c0f1b6a831c399e269772661");
  REQUIRE(of("abc") == "900150983cd24fb0d6963f7d28e17f72");
  REQUIRE(of("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  REQUIRE(of("abcdefghijklmnopqrstuvwxyz") == "c3fcd3d76192e4007dfb496cca67e13b");
  REQUIRE(of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
          "d174ab98d277d9f5a5611c2c9f419d9f");
  // md5sum's answers for 55, 56, 63, 64 and 65 letters x
  REQUIRE(of(std::string(55, 'x')) == "04364420e25c512fd958a70738aa8f72");
  REQUIRE(of(std::string(56, 'x')) == "668a72d5ba17f08e62dabcafad6db14b");
  REQUIRE(of(std::string(63, 'x')) == "7dc2ca208106a2f703567bdff99d8981");
  REQUIRE(of(std::string(64, 'x')) == "c1bb4f81d892b2d57947682aeb252456");
  REQUIRE(of(std::string(65, 'x')) == "1bc932052302d074bdec39795fe00cf6");
}
