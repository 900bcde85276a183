#pragma once

#include <Eigen/Core>
#include <cleave/archive/reader.hpp>
#include <cleave/archive/shapes.hpp>
#include <cleave/archive/writer.hpp>
#include <cleave/core/ids.hpp>
#include <cleave/core/option_set.hpp>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace cleave::archive {

/// A struct that names its fields: `template <class F> void fields(F&& field)` calls
/// `field("name", member)` for each, always in the same order.
template <class T>
concept NamesFields = requires(T& value, Writer& writer) { value.fields(writer); };

template <NamesFields T>
struct Codec<T> {
  static void write(Writer& to, T& value) {
    to.begin_object();
    value.fields(to);
    to.end_object();
  }
  static void read(Reader& from, T& value) {
    from.begin_object();
    value.fields(from);
    from.end_object();
  }
};

template <>
struct Codec<bool> {
  static void write(Writer& to, bool value) { to.boolean(value); }
  static void read(Reader& from, bool& value) { value = from.boolean(); }
};

template <std::unsigned_integral T>
struct Codec<T> {
  static void write(Writer& to, T value) { to.unsigned_number(value); }
  static void read(Reader& from, T& value) {
    const auto wide = from.unsigned_number();
    value = static_cast<T>(wide);
    if (value != wide) from.fail("a smaller number", fmt::format("{}", wide));
  }
};

template <std::signed_integral T>
struct Codec<T> {
  static void write(Writer& to, T value) { to.signed_number(value); }
  static void read(Reader& from, T& value) {
    const auto wide = from.signed_number();
    value = static_cast<T>(wide);
    if (value != wide) from.fail("a smaller number", fmt::format("{}", wide));
  }
};

template <>
struct Codec<double> {
  static void write(Writer& to, double value) { to.real(value); }
  static void read(Reader& from, double& value) { value = from.real(); }
};

template <>
struct Codec<std::string> {
  static void write(Writer& to, const std::string& value) { to.text(value); }
  static void read(Reader& from, std::string& value) { value = from.text(); }
};

/// Enumerations that say how many they are: `constexpr std::size_t count_of(E)`, found by its
/// argument.
template <class E>
  requires std::is_enum_v<E>
struct Codec<E> {
  static void write(Writer& to, E value) { to.unsigned_number(static_cast<std::uint64_t>(value)); }
  static void read(Reader& from, E& value) {
    const auto number = from.unsigned_number();
    if (number >= count_of(E{}))
      from.fail(fmt::format("a number below {}", count_of(E{})), fmt::format("{}", number));
    value = static_cast<E>(number);
  }
};

template <class Tag, class Integer>
struct Codec<StrongId<Tag, Integer>> {
  using Id = StrongId<Tag, Integer>;
  static void write(Writer& to, Id value) { to.unsigned_number(value.index()); }
  static void read(Reader& from, Id& value) {
    Integer number = 0;
    Codec<Integer>::read(from, number);
    value = Id(number);
  }
};

template <>
struct Codec<OptionSet> {
  static void write(Writer& to, OptionSet value) { to.unsigned_number(value.mask()); }
  static void read(Reader& from, OptionSet& value) {
    std::uint32_t mask = 0;
    Codec<std::uint32_t>::read(from, mask);
    value = OptionSet::from_mask(mask);
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static void write(Writer& to, std::vector<T>& values) {
    to.begin_list(values.size());
    for (auto& value : values) Codec<T>::write(to, value);
  }
  static void read(Reader& from, std::vector<T>& values) {
    values.clear();
    for (auto left = from.begin_list(); left > 0; --left)
      Codec<T>::read(from, values.emplace_back());
  }
};

/// Bytes in one piece.
template <>
struct Codec<std::vector<std::uint8_t>> {
  static void write(Writer& to, const std::vector<std::uint8_t>& value) {
    to.text({reinterpret_cast<const char*>(value.data()), value.size()});
  }
  static void read(Reader& from, std::vector<std::uint8_t>& value) {
    const auto bytes = from.text();
    value.assign(bytes.begin(), bytes.end());
  }
};

/// Nothing or one value: a list of at most one.
template <class T>
struct Codec<std::optional<T>> {
  static void write(Writer& to, std::optional<T>& value) {
    to.begin_list(value ? 1 : 0);
    if (value) Codec<T>::write(to, *value);
  }
  static void read(Reader& from, std::optional<T>& value) {
    const auto count = from.begin_list();
    if (count > 1) from.fail("at most one value", fmt::format("{}", count));
    value.reset();
    if (count == 1) Codec<T>::read(from, value.emplace());
  }
};

template <class K, class T>
struct Codec<std::map<K, T>> {
  static void write(Writer& to, std::map<K, T>& values) {
    to.begin_list(2 * values.size());
    for (auto& [key, value] : values) {
      auto copy = key;
      Codec<K>::write(to, copy);
      Codec<T>::write(to, value);
    }
  }
  static void read(Reader& from, std::map<K, T>& values) {
    values.clear();
    const auto count = from.begin_list();
    if (count % 2 != 0) from.fail("keys and values in pairs", fmt::format("{} values", count));
    for (std::size_t i = 0; i < count; i += 2) {
      K key{};
      Codec<K>::read(from, key);
      Codec<T>::read(from, values[key]);
    }
  }
};

template <>
struct Codec<Eigen::MatrixXd> {
  static void write(Writer& to, const Eigen::MatrixXd& value) {
    to.put(Tag::Matrix);
    to.raw(static_cast<std::uint64_t>(value.rows()));
    to.raw(static_cast<std::uint64_t>(value.cols()));
    to.bytes(std::as_bytes(std::span(value.data(), static_cast<std::size_t>(value.size()))));
  }
  static void read(Reader& from, Eigen::MatrixXd& value) {
    from.expect(Tag::Matrix);
    const auto [rows, columns] = read_matrix_shape(from);
    const auto data = from.bytes(rows * columns * sizeof(double));
    value.resize(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
    if (!data.empty()) std::memcpy(value.data(), data.data(), data.size());
  }
};

}  // namespace cleave::archive
