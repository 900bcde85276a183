#pragma once

#include <cleave/data/idx.hpp>
#include <cleave/data/parts.hpp>
#include <cleave/data/read_file.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace cleave::data {

/// Images of one channel from an IDX file of images [N, H, W] and one of labels [N].
/// Throws `DataError` for a file that `parse_idx` refuses, different counts, and a label outside
/// [0, classes), with file and byte.
[[nodiscard]] inline RawImages parse_idx_images(std::span<const std::uint8_t> image_file,
                                                std::span<const std::uint8_t> label_file,
                                                std::int64_t classes, std::string_view image_name,
                                                std::string_view label_name) {
  constexpr std::size_t label_header = 8;
  const auto labels = parse_idx(label_file, 1, label_name);
  for (std::size_t i = 0; i < labels.values.size(); ++i)
    if (labels.values[i] >= classes)
      throw DataError(fmt::format("{}: at byte {}: image {} has label {}, allowed 0 to {}",
                                  label_name, label_header + i, i, labels.values[i], classes - 1));
  auto images = parse_idx(image_file, 3, image_name);
  if (images.sizes[0] != labels.sizes[0])
    throw DataError(fmt::format("{}: at byte 4: {} images, but {} has {} labels", image_name,
                                images.sizes[0], label_name, labels.sizes[0]));
  return {.shape = {1, static_cast<std::int64_t>(images.sizes[1]),
                    static_cast<std::int64_t>(images.sizes[2])},
          .pixels = std::move(images.values),
          .labels = {labels.values.begin(), labels.values.end()}};
}

/// A set in the four files of MNIST and its relatives: {train,t10k}-images-idx3-ubyte and
/// {train,t10k}-labels-idx1-ubyte, each plain or with .gz. Throws `IoError` for a missing file
/// and `DataError` as `parse_idx_images`.
[[nodiscard]] inline RawParts read_idx_parts(const std::filesystem::path& directory,
                                             std::int64_t classes) {
  constexpr std::size_t max_bytes = std::size_t{1} << 30;
  const auto path_of = [&](const std::string& name) {
    const auto plain = directory / name;
    return std::filesystem::exists(plain) ? plain : directory / (name + ".gz");
  };
  const auto part = [&](const std::string& prefix) {
    const auto images = path_of(prefix + "-images-idx3-ubyte");
    const auto labels = path_of(prefix + "-labels-idx1-ubyte");
    return parse_idx_images(read_file(images, max_bytes), read_file(labels, max_bytes), classes,
                            images.string(), labels.string());
  };
  RawParts parts{.train = part("train"), .test = part("t10k")};
  if (parts.train.shape != parts.test.shape)
    throw DataError(fmt::format("{}: at byte 8: images of {} x {}, the train part has {} x {}",
                                path_of("t10k-images-idx3-ubyte").string(), parts.test.shape.height,
                                parts.test.shape.width, parts.train.shape.height,
                                parts.train.shape.width));
  return parts;
}

}  // namespace cleave::data
