#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace cleave {

/// Memory that goes from one pass to the next instead of back to the system: fresh pages cost as
/// much as the arithmetic done on them. Holds what was in use at once at most; freed with the last
/// owner. Safe to use from several threads.
class Buffers : public std::enable_shared_from_this<Buffers> {
 public:
  Buffers() = default;
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (const auto& [size, memory] : free_) std::free(memory);
  }

  /// Keeps a piece of memory until destroyed or moved from.
  class Lease {
   public:
    Lease() = default;
    Lease(std::shared_ptr<Buffers> from, void* memory, std::size_t size)
        : from_(std::move(from)), memory_(memory), size_(size) {}
    Lease(Lease&& other) noexcept
        : from_(std::move(other.from_)),
          memory_(std::exchange(other.memory_, nullptr)),
          size_(other.size_) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(from_, other.from_);
      std::swap(memory_, other.memory_);
      std::swap(size_, other.size_);
      return *this;
    }
    ~Lease() {
      if (memory_ != nullptr) from_->give_back(memory_, size_);
    }
    template <class T>
    [[nodiscard]] T* as() const noexcept {
      return static_cast<T*>(memory_);
    }

   private:
    std::shared_ptr<Buffers> from_;
    void* memory_ = nullptr;
    std::size_t size_ = 0;
  };

  /// At least `bytes` bytes, not initialised. Throws std::bad_alloc.
  [[nodiscard]] Lease take(std::size_t bytes) {
    constexpr std::size_t page = 4096;
    const auto size = (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
    {
      const std::lock_guard lock(mutex_);
      const auto found = free_.lower_bound(size);
      if (found != free_.end() && found->first <= size + size / 4) {
        const auto [kept, memory] = *found;
        free_.erase(found);
        return {shared_from_this(), memory, kept};
      }
    }
    // Large ones begin at large pages, so that the system can use these.
    const auto alignment = size >= 2 * large_page ? large_page : page;
    void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
    if (alignment == large_page) madvise(memory, size, MADV_HUGEPAGE);
#endif
    return {shared_from_this(), memory, size};
  }

 private:
  static constexpr std::size_t large_page = std::size_t{2} << 20;

  void give_back(void* memory, std::size_t size) {
    const std::lock_guard lock(mutex_);
    free_.emplace(size, memory);
  }

  std::mutex mutex_;
  std::multimap<std::size_t, void*> free_;
};

}  // namespace cleave
