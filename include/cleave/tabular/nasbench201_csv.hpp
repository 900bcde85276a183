#pragma once

#include <algorithm>
#include <array>
#include <cleave/space/nasbench201_index.hpp>
#include <cleave/tabular/nasbench201_column.hpp>
#include <cleave/tabular/packed_column.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::tabular {

/// Every column of the table by `column_number`; absent ones are empty.
using NasBench201Columns = std::array<std::optional<DecimalColumn>, column_count>;

namespace detail {

/// One pass over the text of a CSV. Every failure is a `DataError` "file:line:column: ...", line
/// and column counted from 1, the column in bytes.
class NasBench201CsvReader {
 public:
  NasBench201CsvReader(std::string_view text, std::string_view file, std::size_t rows)
      : text_(text), file_(file), rows_(rows) {}

  NasBench201Columns read() {
    read_header();
    for (std::size_t row = 0; row < rows_; ++row) read_row(row);
    if (next_line())
      fail(0, fmt::format("expected the end after {} rows, found {}", rows_,
                          Scanner::describe(line_, 0)));
    NasBench201Columns result;
    for (auto& field : fields_) result[column_number(field.column)] = scaled(field);
    return result;
  }

 private:
  struct Field {
    NasBench201Column column;
    std::vector<std::uint32_t> digits{};   ///< the number without its point
    std::vector<std::uint8_t> decimals{};  ///< digits behind the point
  };

  [[noreturn]] void fail(std::size_t byte, std::string_view problem) const {
    throw DataError(fmt::format("{}:{}:{}: {}", file_, line_number_, byte + 1, problem));
  }

  /// Moves to the next line; false at the end of the text.
  bool next_line() {
    ++line_number_;
    at_ = 0;
    line_ = {};
    if (text_.empty()) return false;
    const auto end = text_.find('\n');
    line_ = text_.substr(0, end);
    text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    return true;
  }

  /// The text up to the next comma; `at_` moves behind it. The last field must be `last`.
  std::string_view next_field(std::string_view name, bool last) {
    const auto end = line_.find(',', at_);
    if (last != (end == std::string_view::npos))
      fail(last ? end : line_.size(),
           last ? fmt::format("expected the end of the line after column {}", name)
                : fmt::format("expected ',' after column {}, found the end of the line", name));
    const auto field = line_.substr(at_, end == std::string_view::npos ? end : end - at_);
    at_ += field.size() + 1;
    return field;
  }

  void read_header() {
    if (!next_line()) fail(0, "expected the header 'index,arch,...', found an empty file");
    constexpr std::string_view fixed = "index,arch";
    if (!line_.starts_with(fixed))
      fail(0, fmt::format("expected the header 'index,arch,...', found {}",
                          Scanner::describe(line_, 0)));
    std::array<bool, column_count> seen{};
    for (at_ = fixed.size(); at_ < line_.size();) {
      if (line_[at_] != ',') fail(at_, "expected ','");
      const auto start = at_ + 1;
      const auto end = std::min(line_.find(',', start), line_.size());
      const auto name = line_.substr(start, end - start);
      const auto column = column_of_name(name);
      if (!column)
        fail(start, fmt::format("unknown column {}; known are c10_test, c100_val, in16_params, "
                                "topo_id and so on",
                                Scanner::describe(name, 0)));
      if (std::exchange(seen[column_number(*column)], true))
        fail(start, fmt::format("column {} stands there twice", name));
      fields_.push_back({.column = *column});
      at_ = end;
    }
    if (fields_.empty()) fail(line_.size(), "expected a column behind index and arch");
  }

  void read_row(std::size_t row) {
    if (!next_line()) fail(0, fmt::format("expected {} rows, the file ends after {}", rows_, row));
    const auto index = next_field("index", false);
    if (index != fmt::format_int(row).str())
      fail(0, fmt::format("expected index {}, found {}", row, Scanner::describe(index, 0)));
    const auto arch_at = at_;
    const auto arch = next_field("arch", false);
    const auto expected = space::NasBench201::to_text(space::from_official_index(row));
    if (arch != expected) fail(arch_at, wrong_architecture(arch, expected));
    for (std::size_t f = 0; f < fields_.size(); ++f) {
      const auto start = at_;
      read_number(fields_[f], start, next_field(column_name_of(f), f + 1 == fields_.size()));
    }
  }

  /// Why the text of an architecture is not the expected one. Slow and only for errors.
  [[nodiscard]] std::string wrong_architecture(std::string_view found,
                                               std::string_view expected) const {
    try {
      const auto other = space::official_index(space::NasBench201::parse(found));
      return fmt::format("this row must be {}, found the architecture of row {}", expected, other);
    } catch (const ParseError& error) {
      return error.what();
    }
  }

  [[nodiscard]] std::string column_name_of(std::size_t field) const {
    return column_name(fields_[field].column);
  }

  /// Digits, with at most one point among them. The printed form is all the file may hold: no
  /// sign, exponent, space, nan or inf.
  void read_number(Field& field, std::size_t start, std::string_view text) {
    if (text.empty()) {
      const auto metric = field.column.metric;
      if (metric != Metric::ValidationSeed0 && metric != Metric::ValidationSeed1 &&
          metric != Metric::ValidationSeed2)
        fail(start,
             fmt::format("column {} is empty; only seeds may be", column_name(field.column)));
      field.digits.push_back(DecimalColumn::missing);
      field.decimals.push_back(0);
      return;
    }
    std::uint64_t digits = 0;
    std::size_t point = std::string_view::npos;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '.' && point == std::string_view::npos && i != 0 && i + 1 != text.size()) {
        point = i;
        continue;
      }
      if (c < '0' || c > '9')
        fail(start + i, fmt::format("column {}: expected a decimal number, found {}",
                                    column_name(field.column), Scanner::describe(text, i)));
      digits = 10 * digits + static_cast<std::uint64_t>(c - '0');
      if (digits >= DecimalColumn::missing) fail_large(field, start, text);
    }
    const auto decimals = point == std::string_view::npos ? 0 : text.size() - point - 1;
    if (decimals > DecimalColumn::max_decimals) fail_large(field, start, text);
    if (is_accuracy(field.column.metric) &&
        static_cast<double>(digits) > 100 * DecimalColumn::powers[decimals])
      fail(start, fmt::format("column {}: accuracy {}, allowed 0 to 100", column_name(field.column),
                              text));
    field.digits.push_back(static_cast<std::uint32_t>(digits));
    field.decimals.push_back(static_cast<std::uint8_t>(decimals));
  }

  [[noreturn]] void fail_large(const Field& field, std::size_t start, std::string_view text) const {
    fail(start, fmt::format("column {}: {} has too many digits; the digits without the point must "
                            "stay below {}, with at most {} behind the point",
                            column_name(field.column), Scanner::describe(text, 0),
                            DecimalColumn::missing, DecimalColumn::max_decimals));
  }

  [[nodiscard]] static constexpr bool is_accuracy(Metric metric) {
    return metric != Metric::Parameters && metric != Metric::Macs &&
           metric != Metric::TrainingSeconds && metric != Metric::LatencyMs &&
           metric != Metric::TopologyClass;
  }

  /// Brings all rows of a column to the largest number of decimals any of them has.
  [[nodiscard]] DecimalColumn scaled(Field& field) {
    DecimalColumn result;
    for (const auto decimals : field.decimals)
      result.decimals = std::max<unsigned>(result.decimals, decimals);
    for (std::size_t row = 0; row < field.digits.size(); ++row) {
      std::uint64_t number = field.digits[row];
      if (number != DecimalColumn::missing) {
        for (unsigned d = field.decimals[row]; d < result.decimals; ++d) number *= 10;
        if (number >= DecimalColumn::missing) {
          line_number_ = row + 2;
          fail(0, fmt::format("column {}: too large to be kept with the {} decimals that another "
                              "row has",
                              column_name(field.column), result.decimals));
        }
      }
      result.values.push_back(static_cast<std::uint32_t>(number));
    }
    return result;
  }

  std::string_view text_;
  std::string_view file_;
  std::size_t rows_;
  std::string_view line_{};
  std::size_t line_number_ = 0;
  std::size_t at_ = 0;
  std::vector<Field> fields_{};
};

}  // namespace detail

/// Reads a table of NAS-Bench-201 from CSV text: the header `index,arch,` and names of
/// `column_name` in any order, then `rows` rows in the official order. Nothing is allocated on
/// the word of the file. Throws `DataError` with file, line and column for anything else: unknown
/// or repeated columns, missing or extra cells and rows, an index or architecture out of its
/// place (a repeated architecture is one), numbers with signs, exponents or too many digits,
/// accuracies above 100, NUL bytes. `file` names the source in messages.
[[nodiscard]] inline NasBench201Columns read_nasbench201_csv(
    std::string_view text, std::string_view file, std::size_t rows = space::nasbench201_size) {
  if (rows > space::nasbench201_size)
    throw ValueError(fmt::format("nasbench201 csv: {} rows asked for, the space has {}", rows,
                                 space::nasbench201_size));
  return detail::NasBench201CsvReader(text, file, rows).read();
}

}  // namespace cleave::tabular
