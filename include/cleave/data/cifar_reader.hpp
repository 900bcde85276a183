#pragma once

#include <fmt/ranges.h>

#include <array>
#include <cleave/data/parts.hpp>
#include <cleave/data/read_file.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cleave::data {

/// The binary format of the CIFAR sets (Krizhevsky 2009; cs.toronto.edu/~kriz/cifar.html): records
/// of label bytes and 3,072 pixels, planes red, green, blue of 32 x 32, row after row.
struct CifarFormat {
  /// Number of classes per label byte, in file order; the last one is the label that counts.
  std::vector<int> label_classes;
  std::vector<std::string> train_files;  ///< those that exist are read, at least one must
  std::string test_file;
  std::size_t max_train_records;  ///< of one file
  std::size_t max_test_records = 10'000;

  [[nodiscard]] std::size_t record_bytes() const noexcept { return label_classes.size() + 3072; }
};

[[nodiscard]] inline CifarFormat cifar10_format() {
  return {.label_classes = {10},
          .train_files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                          "data_batch_4.bin", "data_batch_5.bin"},
          .test_file = "test_batch.bin",
          .max_train_records = 10'000};
}

/// A coarse label (20) and a fine one (100); the fine one counts.
[[nodiscard]] inline CifarFormat cifar100_format() {
  return {.label_classes = {20, 100},
          .train_files = {"train.bin"},
          .test_file = "test.bin",
          .max_train_records = 50'000};
}

/// Appends the records in `bytes` to `images`. Throws `DataError` with `what` and the byte for
/// no records, more than `max_records`, a last record that is cut short and a label out of range;
/// `images` is then unchanged.
inline void append_cifar(std::span<const std::uint8_t> bytes, const CifarFormat& format,
                         std::size_t max_records, std::string_view what, RawImages& images) {
  const std::size_t record = format.record_bytes();
  const std::size_t count = bytes.size() / record;
  const std::size_t labels = format.label_classes.size();
  if (bytes.empty()) throw DataError(fmt::format("{}: at byte 0: the file is empty", what));
  if (bytes.size() % record != 0)
    throw DataError(fmt::format("{}: at byte {}: image {} has {} of its {} bytes", what,
                                count * record, count, bytes.size() % record, record));
  if (count > max_records)
    throw DataError(fmt::format("{}: at byte {}: {} images, at most {} allowed", what,
                                max_records * record, count, max_records));
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t k = 0; k < labels; ++k)
      if (bytes[i * record + k] >= format.label_classes[k])
        throw DataError(fmt::format("{}: at byte {}: image {} has label {}, allowed 0 to {}", what,
                                    i * record + k, i, bytes[i * record + k],
                                    format.label_classes[k] - 1));
  images.shape = {3, 32, 32};
  images.pixels.reserve(images.pixels.size() + count * (record - labels));
  images.labels.reserve(images.labels.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto one = bytes.subspan(i * record, record);
    images.labels.push_back(one[labels - 1]);
    images.pixels.insert(images.pixels.end(), one.begin() + static_cast<std::ptrdiff_t>(labels),
                         one.end());
  }
}

/// The train and test part in a directory of official files. Incomplete sets are legal: any of
/// the train files, each with any whole number of records up to the official one. Throws `IoError`
/// for a missing directory, no train file or no test file, `DataError` as `append_cifar` does.
[[nodiscard]] inline RawParts read_cifar(const std::filesystem::path& directory,
                                         const CifarFormat& format) {
  if (!std::filesystem::is_directory(directory))
    throw IoError(fmt::format("cannot read {}: no such directory", directory.string()));
  RawParts parts;
  const auto append = [&](const std::filesystem::path& path, std::size_t records,
                          RawImages& images) {
    // One record more than allowed, so that a file that is too long is named by its image
    const auto bytes = read_file(path, (records + 1) * format.record_bytes());
    append_cifar(bytes, format, records, path.string(), images);
  };
  for (const auto& name : format.train_files)
    if (std::filesystem::exists(directory / name))
      append(directory / name, format.max_train_records, parts.train);
  if (parts.train.count() == 0)
    throw IoError(fmt::format("{}: no train file, at least one of {} is needed", directory.string(),
                              fmt::join(format.train_files, ", ")));
  append(directory / format.test_file, format.max_test_records, parts.test);
  return parts;
}

}  // namespace cleave::data
