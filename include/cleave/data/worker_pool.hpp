#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace cleave::data {

/// Threads that share the items of one job at a time. The caller works too, as worker 0, so a pool
/// of one worker has no thread at all. Which worker does an item is open; results must not depend
/// on it.
class WorkerPool {
 public:
  /// `workers` = 0: one per core that this process may use.
  explicit WorkerPool(std::size_t workers)
      : workers_(workers > 0 ? workers : std::max(1U, std::thread::hardware_concurrency())) {
    for (std::size_t worker = 1; worker < workers_; ++worker)
      threads_.emplace_back([this, worker](const std::stop_token& stop) { serve(stop, worker); });
  }

  [[nodiscard]] std::size_t workers() const noexcept { return workers_; }

  /// task(item, worker) for every item in [0, count), in any order, each once; returns when all are
  /// done. Of what the tasks throw, the exception of the lowest item is thrown again, so that an
  /// error does not depend on the number of workers either. One job at a time: calls from several
  /// threads wait for each other. A task must not call the pool.
  template <class Task>
  void for_each(std::size_t count, const Task& task) {
    const std::lock_guard alone(one_job_);
    std::atomic<std::size_t> next = 0;
    std::mutex error_mutex;
    std::exception_ptr error;
    std::size_t error_item = count;
    const std::function<void(std::size_t)> work = [&](std::size_t worker) {
      for (std::size_t item = next++; item < count; item = next++) {
        try {
          task(item, worker);
        } catch (...) {
          const std::lock_guard lock(error_mutex);
          if (item < error_item) error = std::current_exception(), error_item = item;
        }
      }
    };
    {
      const std::lock_guard lock(mutex_);
      work_ = &work;
      ++job_;
      busy_ = threads_.size();
    }
    wake_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return busy_ == 0; });
    lock.unlock();
    if (error) std::rethrow_exception(error);
  }

 private:
  void serve(const std::stop_token& stop, std::size_t worker) {
    std::uint64_t seen = 0;
    while (true) {
      const std::function<void(std::size_t)>* work = nullptr;
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [&] { return job_ != seen; })) return;
        seen = job_;
        work = work_;
      }
      (*work)(worker);
      {
        const std::lock_guard lock(mutex_);
        --busy_;
      }
      idle_.notify_one();
    }
  }

  std::size_t workers_;
  std::mutex one_job_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable idle_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::uint64_t job_ = 0;
  std::size_t busy_ = 0;
  std::vector<std::jthread> threads_;  // last: they stop before the rest goes
};

}  // namespace cleave::data
