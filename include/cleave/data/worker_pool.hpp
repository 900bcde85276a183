#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace cleave::data {

/// Threads that share the items of jobs, the oldest job first. Whoever waits for a job works too,
/// as worker 0, so a pool of one worker has no thread at all: its jobs are done when they are
/// waited for. Which worker does an item is open; results must not depend on it.
class WorkerPool {
 public:
  /// task(item, worker) for every item in [0, count), in any order, each once. A task must not
  /// call the pool.
  using Task = std::function<void(std::size_t item, std::size_t worker)>;

  class Job {
    friend class WorkerPool;
    Job(std::size_t count, Task task) : count_(count), left_(count), task_(std::move(task)) {}

    const std::size_t count_;
    std::atomic<std::size_t> next_ = 0;
    std::atomic<std::size_t> left_;
    Task task_;
    std::mutex error_mutex_;
    std::exception_ptr error_;
    std::size_t error_item_ = 0;
  };
  using Handle = std::shared_ptr<Job>;

  /// `workers` = 0: one per core that this process may use.
  explicit WorkerPool(std::size_t workers)
      : workers_(workers > 0 ? workers : std::max(1U, std::thread::hardware_concurrency())) {
    for (std::size_t worker = 1; worker < workers_; ++worker)
      threads_.emplace_back([this, worker](const std::stop_token& stop) { serve(stop, worker); });
  }

  [[nodiscard]] std::size_t workers() const noexcept { return workers_; }

  /// Begins a job and returns at once.
  [[nodiscard]] Handle begin(std::size_t count, Task task) {
    const Handle job(new Job(count, std::move(task)));
    {
      const std::lock_guard lock(mutex_);
      if (count > 0) jobs_.push_back(job);
    }
    wake_.notify_all();
    return job;
  }

  /// Works until a job is done. Of what its tasks threw, the exception of the lowest item is thrown
  /// again, so that an error does not depend on the number of workers either. Any thread may wait.
  void finish(const Handle& job) {
    std::unique_lock helper(helper_, std::defer_lock);
    if (threads_.empty())
      helper.lock();  // nobody else works
    else
      static_cast<void>(helper.try_lock());
    if (helper.owns_lock()) {
      while (work_on_one(*job, 0)) {
      }
      while (job->left_ > 0) {  // the rest is in other hands: meanwhile the next job
        const auto other = front();
        if (!other || !work_on_one(*other, 0)) break;
      }
      helper.unlock();
    }
    {
      std::unique_lock lock(mutex_);
      done_.wait(lock, [&] { return job->left_ == 0; });
      static_cast<void>(oldest());  // lets go of this one
    }
    if (job->error_) std::rethrow_exception(job->error_);
  }

  /// Leaves undone what nobody has begun of a job.
  void cancel(const Handle& job) {
    const auto from = std::min(job->next_.exchange(job->count_), job->count_);
    count_done(*job, job->count_ - from);
  }

  /// A job from beginning to end.
  void for_each(std::size_t count, Task task) { finish(begin(count, std::move(task))); }

 private:
  /// False when all items of the job are taken.
  bool work_on_one(Job& job, std::size_t worker) {
    if (job.next_.load(std::memory_order_relaxed) >= job.count_) return false;
    const auto item = job.next_++;
    if (item >= job.count_) return false;
    try {
      job.task_(item, worker);
    } catch (...) {
      const std::lock_guard lock(job.error_mutex_);
      if (!job.error_ || item < job.error_item_)
        job.error_ = std::current_exception(), job.error_item_ = item;
    }
    count_done(job, 1);
    return true;
  }

  void count_done(Job& job, std::size_t items) {
    if (items == 0 || job.left_.fetch_sub(items) != items) return;
    const std::lock_guard lock(mutex_);  // or the wait could miss it
    done_.notify_all();
  }

  /// The oldest job with items that nobody has taken, if there is one.
  [[nodiscard]] Handle front() {
    const std::lock_guard lock(mutex_);
    return oldest();
  }
  /// The same for one who holds the mutex.
  [[nodiscard]] Handle oldest() {
    while (!jobs_.empty() && jobs_.front()->next_ >= jobs_.front()->count_) jobs_.pop_front();
    return jobs_.empty() ? nullptr : jobs_.front();
  }

  void serve(const std::stop_token& stop, std::size_t worker) {
    while (!stop.stop_requested()) {  // jobs that are left then stay undone
      Handle job;
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait(lock, stop, [&] { return (job = oldest()) != nullptr; })) return;
      }
      while (!stop.stop_requested() && work_on_one(*job, worker)) {
      }
    }
  }

  std::size_t workers_;
  std::mutex helper_;  ///< held by the one waiting thread that works as worker 0
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable done_;
  std::deque<Handle> jobs_;
  std::vector<std::jthread> threads_;  // last: they stop before the rest goes
};

}  // namespace cleave::data
