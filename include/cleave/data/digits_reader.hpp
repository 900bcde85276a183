#pragma once

#include <algorithm>
#include <cleave/data/base64.hpp>
#include <cleave/data/digits_bytes.hpp>
#include <cleave/data/inflate.hpp>
#include <cleave/data/parts.hpp>
#include <cleave/data/stratified.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cleave::data {

inline constexpr std::size_t digits_count = 1797;
inline constexpr std::size_t digits_train_count = 1438;  ///< the other 359 are 20 %

/// All 1,797 embedded digits in the order of the UCI file, 8 x 8, values 0 to 16. 1 ms.
[[nodiscard]] inline RawImages read_digits() {
  const auto compressed = decode_base64(detail::digits_bytes);
  Inflater inflater(compressed, "embedded digits");
  RawImages all{.shape = {1, 8, 8}, .pixels = {}, .labels = {}};
  all.pixels.resize(digits_count * all.shape.size());
  std::vector<std::uint8_t> labels(digits_count);
  if (inflater.read(all.pixels) != all.pixels.size() || inflater.read(labels) != labels.size())
    throw DataError("embedded digits: shorter than 1,797 images");
  inflater.expect_end();
  all.labels.assign(labels.begin(), labels.end());
  return all;
}

/// Our cut of the digits, always the same: of every class the first images (1,438) train, the
/// last (359, 20 %) test. The file is ordered by writer, so that most test images come from
/// writers that training has not seen; a random cut would be easier (one nearest neighbour is
/// right on 98.6 % of a spread test part, on 95.5 % of this one).
[[nodiscard]] inline RawParts read_digits_parts() {
  const auto all = read_digits();
  const auto train = first_of_each_class(all.labels, digits_train_count);
  RawParts parts;
  parts.train.shape = parts.test.shape = all.shape;
  auto next = train.begin();
  for (std::size_t i = 0; i < all.count(); ++i) {
    const bool trains = next != train.end() && *next == static_cast<std::int64_t>(i);
    if (trains) ++next;
    auto& part = trains ? parts.train : parts.test;
    const auto pixels = std::span(all.pixels).subspan(i * all.shape.size(), all.shape.size());
    part.pixels.insert(part.pixels.end(), pixels.begin(), pixels.end());
    part.labels.push_back(all.labels[i]);
  }
  return parts;
}

}  // namespace cleave::data
