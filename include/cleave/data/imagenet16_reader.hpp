#pragma once

#include <array>
#include <cleave/data/md5.hpp>
#include <cleave/data/parts.hpp>
#include <cleave/data/pickle_reader.hpp>
#include <cleave/data/read_file.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::data {

/// How to read the down-sampled ImageNet.
struct ImageNet16Options {
  std::int64_t classes = 120;  ///< the classes 1 to this of the files' 1,000; NAS-Bench-201: 120
  /// Refuse a file whose MD5 is not that of the public one. Off: parts, other sizes, own files.
  bool verify = true;
};

/// A public file and its MD5, as NAS-Bench-201's code publishes it (D-X-Y/AutoDL-Projects,
/// lib/datasets/DownsampledImageNet.py).
struct KnownFile {
  std::string_view name;
  std::string_view md5;
};

inline constexpr std::array<KnownFile, 10> imagenet16_train_files{{
    {"train_data_batch_1", "27846dcaa50de8e21a7d1a35f30f0e91"},
    {"train_data_batch_2", "c7254a054e0e795c69120a5727050e3f"},
    {"train_data_batch_3", "4333d3df2e5ffb114b05d2ffc19b1e87"},
    {"train_data_batch_4", "1620cdf193304f4a92677b695d70d10f"},
    {"train_data_batch_5", "348b3c2fdbb3940c4e9e834affd3b18d"},
    {"train_data_batch_6", "6e765307c242a1b3d7d5ef9139b48945"},
    {"train_data_batch_7", "564926d8cbf8fc4818ba23d2faac7564"},
    {"train_data_batch_8", "f4755871f718ccb653440b9dd0ebac66"},
    {"train_data_batch_9", "bb6dd660c38c58552125b1a92f86b5d4"},
    {"train_data_batch_10", "8f03f34ac4b42271a294f91bf480f29b"},
}};
inline constexpr KnownFile imagenet16_test_file{"val_data", "3410e3017fdaefba8d5073aaa65e4bd6"};

/// The labels of a batch: a list or an array [N] of integers. Throws `DataError`, see below.
[[nodiscard]] inline std::vector<std::int64_t> imagenet16_labels(const PickleDocument& document,
                                                                 PickleRef labels,
                                                                 std::string_view what) {
  std::vector<std::int64_t> numbers;
  if (document.kind(labels) == PickleKind::Array) {
    const auto& array = document.array(labels);
    if (array.sizes.size() != 1 || (array.type[0] != 'i' && array.type[0] != 'u'))
      throw DataError(fmt::format("{}: at byte {}: `labels` is [{}] {}, expected [N] integers",
                                  what, document.offset(labels), fmt::join(array.sizes, ", "),
                                  array.type));
    const auto width = static_cast<std::size_t>(array.type[1] - '0');
    for (std::size_t i = 0; i < array.sizes[0]; ++i) {
      std::uint64_t bits = 0;
      for (std::size_t k = 0; k < width; ++k)
        bits |= std::uint64_t{array.bytes[i * width + (array.big_endian ? width - 1 - k : k)]}
                << (8 * k);
      numbers.push_back(static_cast<std::int64_t>(bits));  // a negative one is out of range too
    }
    return numbers;
  }
  for (const auto item : document.items(labels)) {
    if (document.kind(item) != PickleKind::Int)
      throw DataError(fmt::format("{}: at byte {}: label {} must be an integer, found {}", what,
                                  document.offset(item), numbers.size(),
                                  name_of(document.kind(item))));
    numbers.push_back(document.integer(item));
  }
  return numbers;
}

/// Appends the images of one batch file whose label lies in 1 to `classes`, with labels from 0.
/// The file is a pickled dict: `data` a [N, 768] or [N, 3072] array of bytes (red, green, blue
/// plane of 16 x 16 or 32 x 32), `labels` N integers from 1 to 1,000; other keys are not looked
/// at. Throws `DataError` with `what`, byte and image; `images` is then unchanged.
inline void append_imagenet16(std::span<const std::uint8_t> file, std::int64_t classes,
                              std::string_view what, RawImages& images) {
  constexpr std::int64_t all_classes = 1000;
  if (classes < 1 || classes > all_classes)
    throw ValueError(fmt::format("{}: {} classes, allowed 1 to {}", what, classes, all_classes));
  const auto document = read_pickle(file, what);
  const auto fail = [&](PickleRef where, std::string_view reason) {
    throw DataError(fmt::format("{}: at byte {}: {}", what, document.offset(where), reason));
  };
  const auto member = [&](std::string_view key, PickleKind kind) {
    const auto found = document.find(document.root(), key);
    if (!found) fail(document.root(), fmt::format("the dict has no key `{}`", key));
    if (document.kind(*found) != kind)
      fail(*found, fmt::format("`{}` must be {}, found {}", key, name_of(kind),
                               name_of(document.kind(*found))));
    return *found;
  };
  if (document.kind(document.root()) != PickleKind::Dict)
    fail(document.root(),
         fmt::format("a dict is expected, found {}", name_of(document.kind(document.root()))));
  const auto data = member("data", PickleKind::Array);
  const auto list = document.find(document.root(), "labels");
  if (!list || document.kind(*list) != PickleKind::Array) member("labels", PickleKind::List);

  const auto& array = document.array(data);
  const auto& sizes = array.sizes;
  if (array.type != "u1" || sizes.size() != 2 || (sizes[1] != 768 && sizes[1] != 3072))
    fail(data, fmt::format("`data` is [{}] {}, expected [N, 768] or [N, 3072] u1",
                           fmt::join(sizes, ", "), array.type));
  const std::int64_t side = sizes[1] == 768 ? 16 : 32;
  const ImageShape shape{3, side, side};
  if (images.count() != 0 && images.shape != shape)
    fail(data, fmt::format("images of {} x {}, those before have {} x {}", side, side,
                           images.shape.height, images.shape.width));
  const auto labels = imagenet16_labels(document, *list, what);
  if (labels.size() != sizes[0])
    fail(*list, fmt::format("{} labels for {} images", labels.size(), sizes[0]));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 1 || labels[i] > all_classes)
      fail(*list, fmt::format("image {} has label {}, allowed 1 to {}", i, labels[i], all_classes));
    if (labels[i] <= classes) ++kept;
  }
  images.shape = shape;
  images.labels.reserve(images.labels.size() + kept);
  images.pixels.reserve(images.pixels.size() + kept * sizes[1]);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] > classes) continue;
    images.labels.push_back(labels[i] - 1);
    for (std::size_t k = 0; k < sizes[1]; ++k)
      images.pixels.push_back(
          array.bytes[array.column_major ? k * sizes[0] + i : i * sizes[1] + k]);
  }
}

/// The train and test part (`val_data`) in a directory of the public files. Any of the train files
/// may be missing. Throws `IoError` for a missing directory, no train file or no test file, and
/// `DataError` as `append_imagenet16` does, for a wrong MD5 (`verify`), and for a part without any
/// image of the classes asked for. Memory: one file and the images kept.
[[nodiscard]] inline RawParts read_imagenet16(const std::filesystem::path& directory,
                                              const ImageNet16Options& options = {}) {
  constexpr std::size_t max_bytes = std::size_t{1} << 30;
  if (!std::filesystem::is_directory(directory))
    throw IoError(fmt::format("cannot read {}: no such directory", directory.string()));
  RawParts parts;
  const auto append = [&](const KnownFile& known, RawImages& images) {
    const auto path = directory / known.name;
    const auto bytes = read_file(path, max_bytes);
    if (options.verify)
      if (const auto found = md5(bytes); found != known.md5)
        throw DataError(fmt::format(
            "{}: {} bytes with MD5 {}, the public file has {}; a damaged copy, or another file "
            "(ImageNet16Options::verify = false reads it)",
            path.string(), bytes.size(), found, known.md5));
    append_imagenet16(bytes, options.classes, path.string(), images);
  };
  bool any = false;
  for (const auto& known : imagenet16_train_files)
    if (std::filesystem::exists(directory / known.name)) {
      append(known, parts.train);
      any = true;
    }
  if (!any)
    throw IoError(
        fmt::format("{}: no train file, at least one of train_data_batch_1 to "
                    "train_data_batch_10 is needed",
                    directory.string()));
  append(imagenet16_test_file, parts.test);
  for (const auto* part : {&parts.train, &parts.test})
    if (part->count() == 0)
      throw DataError(fmt::format("{}: the {} part has no image of the classes 1 to {}",
                                  directory.string(), part == &parts.train ? "train" : "test",
                                  options.classes));
  if (parts.train.shape != parts.test.shape)
    throw DataError(fmt::format("{}: train images of {} x {}, test images of {} x {}",
                                directory.string(), parts.train.shape.height,
                                parts.train.shape.width, parts.test.shape.height,
                                parts.test.shape.width));
  return parts;
}

}  // namespace cleave::data
