#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cleave {

/// Root of every error the library throws. One class per cause; the message carries the
/// offending value, what is allowed, and where. The library never exits, prints or asserts on
/// user input.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An argument or option outside its domain: a group count of 0, an option the decision lacks.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// Text that does not follow its grammar. `position()` is the 0-based byte where reading failed.
class ParseError : public Error {
 public:
  ParseError(std::string_view what_is_read, std::size_t position, std::string_view expected,
             std::string_view found)
      : Error(fmt::format("{}: at byte {}: expected {}, found {}", what_is_read, position, expected,
                          found)),
        position_(position) {}

  [[nodiscard]] std::size_t position() const noexcept { return position_; }

 private:
  std::size_t position_;
};

/// A file that is missing, unreadable or cannot be written.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A file that was read but is not what it should be: truncated, damaged, a label out of range.
class DataError : public Error {
 public:
  using Error::Error;
};

/// A loss, gradient or weight that is not finite. Names stage, leaf, step and tensor.
class NumericalError : public Error {
 public:
  using Error::Error;
};

/// A device that was asked for and is not there.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// The user asked a run to stop (Ctrl-C); the step in progress was finished first.
class Interrupted : public Error {
 public:
  using Error::Error;
};

}  // namespace cleave
