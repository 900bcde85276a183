#include <cleave/graph/exact_balanced.hpp>
#include <cleave/space/distinct_samples.hpp>
#include <cleave/space/nasbench201_index.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave/testing/graph_laws.hpp>
#include <cleave_test.hpp>
#include <functional>
#include <thread>

#include "../tabular/synthetic_table.hpp"

// Searches may run side by side in threads of one program. This is what they share, or could come
// to share, without LibTorch; built under the thread sanitizer too.

using namespace cleave;

namespace {

/// The work done by four threads at once; they must all find what one alone finds afterwards.
template <class Work>
void check_side_by_side(const Work& work) {
  std::vector<std::invoke_result_t<Work>> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : found) threads.emplace_back([&] { mine = work(); });
  }
  const auto alone = work();
  for (const auto& one : found) CHECK(one == alone);
}

}  // namespace

TEST_CASE("threads that ask for official indices build their table once") {
  check_side_by_side([] {
    std::vector<std::size_t> rows;
    for (Count i = 0; i < 500; ++i)
      rows.push_back(space::official_index(Restriction<space::NasBench201>().at(31 * i)));
    return rows;
  });
}

TEST_CASE("threads may read one table and cut one matrix") {
  Stream stream(3);
  const auto similarity = testing::random_similarity(7, stream);
  const auto table = tabular::NasBench201Table::from_columns(tabular::read_nasbench201_csv(
      synthetic_csv(space::nasbench201_size, Stream(1)), "made", space::nasbench201_size));
  check_side_by_side([&] {
    using namespace tabular;
    Stream mine(5);
    double sum = 0;
    for (const auto& architecture : distinct_samples(Restriction<space::NasBench201>(), 200, mine))
      sum += table.value(architecture, {DataSetName::Cifar10, Metric::TestAccuracy});
    return std::pair(sum, graph::ExactBalanced{}(similarity, 3, mine).text());
  });
}
