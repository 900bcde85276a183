#pragma once

#include <atomic>
#include <cleave/data/read_file.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cleave::data {

/// Files kept in memory as they were first read, up to a number of bytes in all; what does not fit
/// is read each time. (The system's page cache spares the disk, but opening and reading a file of a
/// kilobyte through it takes half as long as decoding it.) Any number of threads may read.
class KeptFiles {
 public:
  KeptFiles(std::size_t files, std::size_t most_bytes)
      : kept_(most_bytes > 0 ? files : 0), room_(most_bytes) {}
  KeptFiles(const KeptFiles&) = delete;
  KeptFiles& operator=(const KeptFiles&) = delete;
  ~KeptFiles() {
    for (auto& file : kept_) delete file.load(std::memory_order_relaxed);
  }

  /// The bytes of file number i, which lies at `path`; valid until `read` is used again. Throws as
  /// `read`.
  [[nodiscard]] std::span<const std::uint8_t> get(std::size_t i, const std::string& path,
                                                  std::size_t max_bytes, FileReader& read) {
    if (i < kept_.size())
      if (const auto* kept = kept_[i].load(std::memory_order_acquire)) return *kept;
    const auto bytes = read(path, max_bytes);
    if (i < kept_.size() && take(bytes.size())) {
      auto copy = std::make_unique<const Bytes>(bytes.begin(), bytes.end());
      const Bytes* none = nullptr;
      if (kept_[i].compare_exchange_strong(none, copy.get(), std::memory_order_release))
        static_cast<void>(copy.release());
      else
        room_ += bytes.size();  // another thread was faster
    }
    return bytes;
  }

 private:
  using Bytes = std::vector<std::uint8_t>;

  [[nodiscard]] bool take(std::size_t bytes) {
    auto room = room_.load(std::memory_order_relaxed);
    while (bytes <= room)
      if (room_.compare_exchange_weak(room, room - bytes)) return true;
    return false;
  }

  std::vector<std::atomic<const Bytes*>> kept_;
  std::atomic<std::size_t> room_;
};

}  // namespace cleave::data
