#pragma once

#include <cleave/archive/codecs.hpp>
#include <cstdint>
#include <vector>

namespace cleave::archive {

/// A way back: what moves in something, as bytes. `thing.moving(visitor)` names its moving fields.
/// Cost: one copy of them.
class Snapshot {
 public:
  template <class T>
  void take(T& thing) {
    Writer to;
    thing.moving(to);
    const auto* first = reinterpret_cast<const std::uint8_t*>(to.buffer().data());
    bytes_.assign(first, first + to.buffer().size());
  }
  /// Throws `DataError` when it was taken of something else, or never.
  template <class T>
  void restore(T& thing) const {
    Reader from(std::as_bytes(std::span(bytes_)), "snapshot");
    thing.moving(from);
  }
  [[nodiscard]] bool taken() const noexcept { return !bytes_.empty(); }

  template <class F>
  void fields(F&& field) {
    field("bytes", bytes_);
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace cleave::archive
