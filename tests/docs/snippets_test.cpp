// What docs/policies.md and docs/data.md quote. cmake/quotes.cmake holds the pages to this text.

#include <cleave/data/cifar.hpp>
#include <cleave/data/digits.hpp>
#include <cleave/data/epoch_order.hpp>
#include <cleave/data/holdout.hpp>
#include <cleave/engine/autosave.hpp>
#include <cleave/engine/checkpoint.hpp>
#include <cleave/engine/few_shot_search.hpp>
#include <cleave/network/nasbench201.hpp>
#include <cleave/select/best_validation.hpp>
#include <cleave/split/gradient_matching.hpp>
#include <cleave/strategy/darts.hpp>
#include <cleave/strategy/rsps.hpp>
#include <cleave/supernet/nasbench201.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave_test.hpp>
#include <filesystem>
#include <fstream>
#include <temporary_folder.hpp>

using namespace cleave;

namespace {

const std::uint64_t seed = 1;

/// A folder to work in; the snippets name files without a path.
struct Folder {
  TemporaryFolder folder;
  std::filesystem::path before = std::filesystem::current_path();
  Folder() { std::filesystem::current_path(folder.path()); }
  ~Folder() { std::filesystem::current_path(before); }
};

}  // namespace

TEST_CASE("policies.md: a data set") {
  std::size_t seen = 0;
  // [data]
  const auto set = data::digits();
  const auto parts = data::split_train(set.labels(data::Part::Train), {}, Stream(seed).fork("split"));
  const data::EpochOrder epoch(parts.weights, 64, Stream(seed).fork("order").fork(0));
  for (std::size_t k = 0; k < epoch.batches(); ++k) {
    const auto [images, labels] =
        set.batch(data::Part::Train, epoch.batch(k), true, Stream(seed).fork("augment").fork(k));
    seen += static_cast<std::size_t>(labels.size(0));
  }
  // [data]
  CHECK(seen == epoch.batches() * 64);
}

TEST_CASE("policies.md: a supernet") {
  const auto images = torch::randn({2, 3, 8, 8});
  auto draw = Stream(seed);
  const auto genotype = sample<space::NasBench201>({}, draw);
  // [supernet]
  const supernet::NasBench201<> net({}, {.channels = 8, .cells = 1}, Stream(seed).fork("weights"));
  const auto logits = net.forward(images, net.context_of(genotype));
  // [supernet]
  CHECK(logits.sizes() == at::IntArrayRef({2, 10}));
}

TEST_CASE("policies.md: settings of strategies and criteria") {
  {
    // [strategy]
    const strategy::Darts<strategy::FirstOrder> darts{.weights = {.rate = {0.05, 0.0}}};
    // [strategy]
    CHECK(darts.weights.rate.at(0) == Approx(0.05));
  }
  {
    // [race]
    const strategy::Rsps<> thorough{.paths = 400, .choice = {.z = 3.5}};
    const strategy::Rsps<strategy::FullEvaluation> literal{};
    // [race]
    CHECK(thorough.choice.z == 3.5);
    CHECK(literal.paths == 200);
  }
  {
    // [matching]
    const split::GradientMatching<> matching{.repeats = {.confidence = 0.99}, .probe = Probe::Soft};
    // [matching]
    CHECK(matching.repeats.confidence == 0.99);
  }
  {
    // [edges]
    using Matching = split::GradientMatching<score::Cosine, graph::ExactBalanced, split::FixedOrder>;
    const Matching matching{.edges = {.order = {DecisionId(0), DecisionId(3)}}};
    // [edges]
    CHECK(matching.edges.order.size() == 2);
  }
  {
    // [repeats]
    const split::GradientMatching<> matching{.repeats = {.confidence = 0.9, .least = 4}};
    // [repeats]
    CHECK(matching.repeats.least == 4);
  }
}

TEST_CASE("data.md: what an in-memory set can do") {
  const Folder folder;
  std::filesystem::create_directory("cifar-10-batches-bin");
  for (const char* name : {"data_batch_1.bin", "test_batch.bin"}) {  // 20 images, 2 of each class
    std::ofstream file(std::filesystem::path("cifar-10-batches-bin") / name, std::ios::binary);
    for (int i = 0; i < 20; ++i) file << static_cast<char>(i % 10) << std::string(3072, 'x');
  }
  // [in_memory]
  auto set = data::cifar10("cifar-10-batches-bin")
                 .with_augmentation({.pad = 4, .flip = true, .cutout = 16})
                 .at_size(16, 16)   // mean of the pixels under each new one; pad 2, cutout 8
                 .take(10, 10)      // of every class the first images
                 .to(at::kDouble);  // float by default; half and bfloat16 as well
  // [in_memory]
  CHECK(set.labels(data::Part::Train).size() == 10);
  CHECK(set.shape() == data::ImageShape{3, 16, 16});
}

TEST_CASE("reliability.md: a search that goes on where it was stopped") {
  const Folder folder;
  at::set_num_threads(1);
  using Search = FewShotSearch<space::NasBench201, strategy::Darts<strategy::FirstOrder>,
                               split::GradientMatching<>>;
  Search::Settings settings;
  settings.schedule = {.splits = {{1, 2}}, .final_epochs = 1};
  settings.supernet = settings.network = {.channels = 2, .cells = 1, .image_channels = 1};
  const Search search(settings, {}, {.repeats = {.limit = 8}}, {.rungs = {1}});
  const auto data = data::digits().take(200, 50);
  const auto expected = search.run(data);
  {
    const auto& result = expected;
    // [compare]
    const auto by_supernet = result.chosen_by(select::BestValidation{});
    const bool agree = by_supernet == *result.chosen;
    // [compare]
    CHECK(agree == (result.leaves[by_supernet].genotype == result.genotype()));
  }
  for (const std::size_t stop_after : {5U, 0U}) {  // the second time nobody stops it
    std::size_t ticks = 0;
    const auto stop_requested = [&] { return stop_after > 0 && ++ticks > stop_after; };
    bool stopped = false;
    try {
      // [resume]
      const auto settings_now = settings_of(search, data);
      auto state = std::filesystem::exists("checkpoint")
                       ? load_checkpoint("checkpoint", search.plan(), settings_now)
                       : search.start();
      Autosave autosave(std::chrono::minutes(1),
                        [&] { save_checkpoint("checkpoint", settings_now, state); });
      search.run(data, {.observe = std::ref(autosave), .stop_requested = stop_requested}, state);
      // [resume]
      CHECK(state.result.genotype() == expected.genotype());
      CHECK(state.result.search_steps() == expected.search_steps());
    } catch (const Interrupted&) {
      stopped = true;
    }
    CHECK(stopped == (stop_after > 0));
    CHECK(std::filesystem::exists("checkpoint"));
  }
}

TEST_CASE("policies.md: a tabular benchmark") {
  const auto csv = testing::data_path("nasbench201.csv");
  if (!csv) {
    fmt::print("docs snippet of the NAS-Bench-201 table skipped: no nasbench201.csv\n");
    return;
  }
  const Folder folder;
  std::filesystem::copy(*csv, "nasbench201.csv");
  // [table]
  using namespace cleave::tabular;
  const auto table = NasBench201Table::read_csv("nasbench201.csv");
  table.write("nasbench201.bin");                                // 944,283 bytes
  const auto again = NasBench201Table::open("nasbench201.bin");  // mapped and checked: 0.5 ms
  const auto architecture = cleave::space::NasBench201::parse(
      "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
      "|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|");
  const auto accuracy = again.value(architecture, {DataSetName::Cifar10, Metric::TestAccuracy});
  // [table]
  CHECK(accuracy == Approx(94.3733).margin(1e-4));
  CHECK(std::filesystem::file_size("nasbench201.bin") == 944283);
}
