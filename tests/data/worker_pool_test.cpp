#include <cleave/core/error.hpp>
#include <cleave/data/worker_pool.hpp>
#include <cleave_test.hpp>
#include <string>

// Built under the thread sanitizer too: every variable below that two threads reach is meant to be
// safe there.

using cleave::data::WorkerPool;

TEST_CASE("every item of a job is done once, by any number of workers, job after job") {
  for (const std::size_t workers : {1UL, 2UL, 5UL}) {
    WorkerPool pool(workers);
    CHECK(pool.workers() == workers);
    for (const std::size_t count : {0UL, 1UL, 7UL, 300UL}) {
      std::vector<int> done(count);  // one place an item: no lock needed
      std::vector<std::size_t> by(workers);
      pool.for_each(count, [&](std::size_t item, std::size_t worker) {
        ++done[item];
        ++by.at(worker);  // one place a worker
      });
      CHECK(done == std::vector<int>(count, 1));
      CHECK(std::accumulate(by.begin(), by.end(), std::size_t{0}) == count);
    }
  }
  CHECK(WorkerPool(0).workers() >= 1);
}

TEST_CASE("of several errors that of the lowest item comes out, and the pool goes on") {
  for (const std::size_t workers : {1UL, 4UL}) {
    WorkerPool pool(workers);
    for (int round = 0; round < 20; ++round) {
      const auto fail = [](std::size_t item, std::size_t) {
        if (item % 7 == 3) throw cleave::DataError(fmt::format("item {}", item));
      };
      CHECK_THROWS_WITH(pool.for_each(50, fail), "item 3");
      std::atomic<int> done = 0;
      pool.for_each(50, [&](std::size_t, std::size_t) { ++done; });
      CHECK(done == 50);
    }
  }
}

TEST_CASE("jobs from several threads wait for each other") {
  WorkerPool pool(3);
  constexpr std::size_t callers = 4;
  std::vector<std::vector<int>> done(callers, std::vector<int>(100));
  {
    std::vector<std::jthread> threads;
    for (std::size_t caller = 0; caller < callers; ++caller)
      threads.emplace_back([&, caller] {
        for (int round = 0; round < 10; ++round)
          pool.for_each(done[caller].size(),
                        [&](std::size_t item, std::size_t) { ++done[caller][item]; });
      });
  }
  for (const auto& of_caller : done) CHECK(of_caller == std::vector<int>(100, 10));
}

TEST_CASE("jobs are done in their order, can be cancelled, and go with the pool") {
  for (const std::size_t workers : {1UL, 2UL, 4UL}) {
    std::atomic<int> done = 0;
    {
      WorkerPool pool(workers);
      const auto count = [&](std::size_t, std::size_t) { ++done; };
      const auto first = pool.begin(100, count), second = pool.begin(50, count);
      pool.finish(second);  // before the first: whoever waits is served
      pool.finish(first);
      CHECK(done == 150);
      pool.finish(first);  // again: nothing to do

      std::atomic<int> begun = 0;
      const auto long_one = pool.begin(1'000'000, [&](std::size_t, std::size_t) { ++begun; });
      pool.cancel(long_one);
      pool.finish(long_one);
      CHECK(begun < 1'000'000);

      const auto fails = pool.begin(3, [](std::size_t item, std::size_t) {
        throw cleave::DataError(fmt::format("item {}", item));
      });
      pool.for_each(10, count);
      CHECK_THROWS_WITH(pool.finish(fails), "item 0");
      for (int k = 0; k < 20; ++k)
        static_cast<void>(pool.begin(100'000, count));  // most of it is never done
    }
    CHECK(done >= 160);
  }
}
