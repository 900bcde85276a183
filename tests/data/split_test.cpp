#include <algorithm>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/holdout.hpp>
#include <cleave_test.hpp>
#include <map>
#include <numeric>
#include <set>

using namespace cleave;
using namespace cleave::data;
using Indices = std::vector<std::int64_t>;

namespace {

/// `count` labels: class 0 twice as frequent as 1, 1 as 2, ... (at random)
std::vector<std::int64_t> skewed_labels(std::size_t count, std::uint64_t seed) {
  Stream stream(seed);
  std::vector<std::int64_t> labels(count);
  for (auto& label : labels)
    while (label < 4 && stream.below(2) == 0) ++label;
  return labels;
}

Indices all_of(const Holdout& holdout) {
  Indices all = holdout.weights;
  all.insert(all.end(), holdout.search.begin(), holdout.search.end());
  all.insert(all.end(), holdout.validation.begin(), holdout.validation.end());
  std::sort(all.begin(), all.end());
  return all;
}

Indices up_to(std::size_t count) {
  Indices numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

TEST_CASE("a hold-out split is disjoint, covers the train part and has the sizes asked for") {
  for (const bool stratified : {true, false})
    for (const std::size_t count : {20UL, 101UL, 1438UL})
      for (const double validation : {0.0, 0.1, 0.37})
        for (const double search : {0.0, 0.5, 0.8}) {
          const auto labels = skewed_labels(count, count);
          const auto parts = split_train(
              labels, {.validation = validation, .search = search, .stratified = stratified},
              Stream(7));
          REQUIRE(all_of(parts) == up_to(count));  // sorted without repeats: disjoint as well
          const auto held = static_cast<std::size_t>(std::llround(double(count) * validation));
          REQUIRE(parts.validation.size() == held);
          REQUIRE(parts.search.size() ==
                  static_cast<std::size_t>(std::llround(double(count - held) * search)));
          REQUIRE(std::is_sorted(parts.weights.begin(), parts.weights.end()));
          REQUIRE(std::is_sorted(parts.search.begin(), parts.search.end()));
          REQUIRE(std::is_sorted(parts.validation.begin(), parts.validation.end()));
        }
}

TEST_CASE("a stratified split keeps class proportions to within one image") {
  const auto labels = skewed_labels(997, 1);
  std::map<std::int64_t, double> total;
  for (const auto label : labels) total[label] += 1;
  const auto parts = split_train(labels, {}, Stream(1));
  const auto deviation = [&](const Indices& part) {
    std::map<std::int64_t, double> count;
    for (const auto i : part) count[labels[static_cast<std::size_t>(i)]] += 1;
    double worst = 0;
    for (const auto& [label, images] : total)
      worst = std::max(worst, std::abs(count[label] - images * double(part.size()) / 997.0));
    return worst;
  };
  REQUIRE(deviation(parts.validation) < 1.0);
  REQUIRE(deviation(parts.search) < 2.0);  // one image of its own and half of one held out before
  REQUIRE(deviation(parts.weights) < 2.0);
  const auto plain = split_train(labels, {.stratified = false}, Stream(1));
  REQUIRE(std::max({deviation(plain.validation), deviation(plain.search),
                    deviation(plain.weights)}) > 2.0);
}

TEST_CASE("a split depends on its stream alone and is random inside a class") {
  const auto labels = skewed_labels(300, 2);
  REQUIRE(split_train(labels, {}, Stream(1)) == split_train(labels, {}, Stream(1)));
  REQUIRE_FALSE(split_train(labels, {}, Stream(1)) == split_train(labels, {}, Stream(2)));
  // Every image is held out about one time in ten
  std::vector<int> held(300);
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    for (const auto i : split_train(labels, {}, Stream(seed)).validation)
      ++held[static_cast<std::size_t>(i)];
  REQUIRE(*std::min_element(held.begin(), held.end()) > 10);
  REQUIRE(*std::max_element(held.begin(), held.end()) < 90);
  // Search and validation are drawn independently: no image is always in the same part
  std::set<std::int64_t> searched;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (const auto i : split_train(labels, {}, Stream(seed)).search) searched.insert(i);
  REQUIRE(searched.size() == 300);
}

TEST_CASE("bad splits are refused with the value") {
  const auto labels = skewed_labels(10, 3);
  const auto split = [&](HoldoutOptions options) { return split_train(labels, options, Stream()); };
  using Catch::Matchers::Contains;
  REQUIRE_THROWS_WITH(split({.validation = 1.0}), Contains("validation is 1, allowed 0 up to"));
  REQUIRE_THROWS_WITH(split({.validation = -0.1}), Contains("validation is -0.1"));
  REQUIRE_THROWS_WITH(split({.search = 1.5}), Contains("search is 1.5"));
  REQUIRE_THROWS_AS(split({.search = std::nan("")}), ValueError);
  REQUIRE_THROWS_WITH(split({.validation = 0.01}), Contains("the validation part of 10 images"));
  REQUIRE_THROWS_WITH(split({.validation = 0.96}), Contains("the search part of 10 images"));
  REQUIRE_THROWS_WITH(split({.validation = 0.0, .search = 0.99}),
                      Contains("the weights part of 10 images"));
  REQUIRE_THROWS_AS(split_train({}, {}, Stream()), ValueError);
}

TEST_CASE("proportional counts sum up, stay within one and never exceed a class") {
  Stream stream(4);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::size_t> sizes(1 + stream.below(8));
    for (auto& size : sizes) size = stream.below(50);
    const auto sum = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
    const auto total = stream.below(sum + 1);
    const auto counts = proportional_counts(sizes, total);
    REQUIRE(std::accumulate(counts.begin(), counts.end(), std::size_t{0}) == total);
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      REQUIRE(counts[i] <= sizes[i]);
      if (sum > 0)
        REQUIRE(std::abs(double(counts[i]) - double(sizes[i]) * double(total) / double(sum)) < 1.0);
    }
    REQUIRE_THROWS_AS(proportional_counts(sizes, sum + 1), ValueError);
  }
}

TEST_CASE("the first images of each class") {
  const std::vector<std::int64_t> labels{1, 0, 1, 1, 0, 1};
  REQUIRE(first_of_each_class(labels, 3) == Indices{0, 1, 2});
  REQUIRE(first_of_each_class(labels, 6) == up_to(6));
  REQUIRE(first_of_each_class(labels, 0).empty());
  REQUIRE_THROWS_AS(first_of_each_class(labels, 7), ValueError);
}

TEST_CASE("an epoch visits each image at most once, in full batches") {
  Indices some{5, 9, 2, 40, 41, 42, 7};
  const EpochOrder order(some, 3, Stream(1));
  REQUIRE(order.batches() == 2);
  std::set<std::int64_t> seen;
  for (std::size_t k = 0; k < order.batches(); ++k) {
    REQUIRE(order.batch(k).size() == 3);
    for (const auto i : order.batch(k)) {
      REQUIRE(std::find(some.begin(), some.end(), i) != some.end());
      REQUIRE(seen.insert(i).second);
    }
  }
  REQUIRE_THROWS_WITH(order.batch(2), "epoch order: batch 2, it has 2");

  const EpochOrder small(some, 64, Stream(1));
  REQUIRE(small.batches() == 1);
  REQUIRE(small.batch(0).size() == 7);
  REQUIRE_THROWS_AS(EpochOrder(some, 0, Stream()), ValueError);
  REQUIRE_THROWS_AS(EpochOrder({}, 4, Stream()), ValueError);
}

TEST_CASE("epochs shuffle by their stream and drop different images") {
  const auto numbers = up_to(10);
  const auto first_batch = [&](std::uint64_t seed) {
    const EpochOrder order(numbers, 4, Stream(seed));
    return Indices(order.batch(0).begin(), order.batch(0).end());
  };
  REQUIRE(first_batch(3) == first_batch(3));
  std::set<Indices> orders;
  std::set<std::int64_t> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    orders.insert(first_batch(seed));
    const EpochOrder order(numbers, 4, Stream(seed));
    for (std::size_t k = 0; k < 2; ++k) seen.insert(order.batch(k).begin(), order.batch(k).end());
  }
  REQUIRE(orders.size() > 15);
  REQUIRE(seen.size() == 10);
}

TEST_CASE("sequential batches keep the order and lose nothing") {
  const Indices some{5, 9, 2, 40, 41, 42, 7};
  const SequentialBatches order(some, 3);
  REQUIRE(order.batches() == 3);
  Indices joined;
  for (std::size_t k = 0; k < order.batches(); ++k)
    joined.insert(joined.end(), order.batch(k).begin(), order.batch(k).end());
  REQUIRE(joined == some);
  REQUIRE(order.batch(2).size() == 1);
  REQUIRE(SequentialBatches(some, 100).batches() == 1);
  REQUIRE(SequentialBatches(some, 7).batches() == 1);
  REQUIRE_THROWS_AS(order.batch(3), ValueError);
  REQUIRE_THROWS_AS(SequentialBatches(some, 0), ValueError);
  REQUIRE_THROWS_AS(SequentialBatches({}, 1), ValueError);
}
