// How well does a partition criterion split, before anything is trained? Prints the share of the
// true top 100 that the best leaf keeps, against the leaf's share of the space.
//
//     split_quality --csv nasbench201.csv [--split 0:nor_conv_1x1,nor_conv_3x3 --split ...]

#include <CLI/CLI.hpp>
#include <cleave/graph/exact_balanced.hpp>
#include <cleave/graph/to_split.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave/tabular/split_quality.hpp>
#include <cleave/tabular/top_k.hpp>
#include <cmath>
#include <cstdio>
#include <functional>

namespace tabular = cleave::tabular;
using Space = cleave::space::NasBench201;
using Networks = std::vector<cleave::Architecture<Space>>;
using Tree = cleave::SplitTree<Space>;

/// A criterion of one's own: options that make networks of similar size go on sharing weights.
/// Splits the first open edge by the balanced cut of least similarity.
struct BySize {
  cleave::Split operator()(const cleave::Restriction<Space>& leaf, cleave::Stream& stream) const {
    const auto open = tabular::open_decisions(leaf);
    if (open.empty()) throw cleave::ValueError("by size: every edge is split already");
    const auto n = static_cast<Eigen::Index>(leaf[open[0]].size());
    Eigen::VectorXd sizes(n);
    for (Eigen::Index i = 0; i < n; ++i) {
      auto network = leaf.at(0);
      network.set(open[0], leaf[open[0]].nth(static_cast<std::size_t>(i)));
      sizes(i) = std::log(static_cast<double>(cleave::space::cost(network).params));
    }
    const Eigen::MatrixXd distance =
        (sizes.replicate(1, n) - sizes.transpose().replicate(n, 1)).cwiseAbs();
    const auto similarity = cleave::graph::SimilarityMatrix::from_distance(distance);
    return cleave::graph::to_split(open[0], leaf[open[0]],
                                   cleave::graph::ExactBalanced{}(similarity, 2, stream));
  }
};
static_assert(tabular::SplitsWithoutTraining<BySize, Space>);

/// "0:skip_connect,none": edge 0, these operations against the rest.
cleave::Split read_split(const std::string& text) {
  cleave::Scanner scan("--split", text);
  const cleave::DecisionId edge(scan.integer("an edge, 0 to 5", Space::decision_count - 1));
  scan.expect(":");
  cleave::OptionSet group;
  do {
    const auto start = scan.position();
    const auto name = scan.word("an operation");
    std::size_t option = 0;
    while (option < Space::option_count(edge) && Space::operations[option] != name) ++option;
    if (option == Space::option_count(edge))
      scan.fail_at(start, fmt::format("one of {}", fmt::join(Space::operations, ", ")));
    group.insert(cleave::OptionId(option));
  } while (scan.accept(","));
  scan.expect_end();
  return {edge, {group, cleave::OptionSet::first(Space::option_count(edge)) - group}};
}

/// One line: mean, and spread where the criterion draws, of what the best leaf keeps per data set.
void print_line(const char* name, const std::vector<Networks>& good, std::size_t draws,
                const std::function<Tree(const Networks&, cleave::Stream)>& grow_tree) {
  std::printf("%-24s", name);
  double space_share = 0;
  for (const auto& top : good) {
    double sum = 0;
    double squares = 0;
    for (std::size_t draw = 0; draw < draws; ++draw) {
      const auto tree = grow_tree(top, cleave::Stream(201).fork(draw));
      const auto leaf = tabular::best_leaf<Space>(tree, top);
      const double percent = 100 * leaf.kept_share;
      sum += percent;
      squares += percent * percent;
      space_share += 100 * leaf.space_share;
    }
    const auto count = static_cast<double>(draws);
    const double mean = sum / count;
    if (draws == 1)
      std::printf(" %10.0f    ", mean);
    else
      std::printf(" %6.0f +- %-3.0f ", mean,
                  std::sqrt(std::max(0.0, squares / count - mean * mean)));
  }
  std::printf("  %3.0f\n", space_share / static_cast<double>(draws * good.size()));
}

int main(int argc, char** argv) try {
  CLI::App app("Share of the true top k that the best leaf of a split keeps");
  std::string csv;
  std::string binary;
  std::vector<std::string> split_texts;
  std::size_t k = 100;
  std::size_t levels = 2;
  auto* source = app.add_option_group("table");
  source->add_option("--csv", csv, "NAS-Bench-201 as CSV");
  source->add_option("--table", binary, "NAS-Bench-201 as binary table");
  source->require_option(1);
  app.add_option("--top", k, "how many of the best count as good")->capture_default_str();
  app.add_option("--levels", levels, "splits between the root and a leaf")
      ->check(CLI::Range(1, 6))
      ->capture_default_str();
  app.add_option("--split", split_texts,
                 "EDGE:OP,OP,... one split of your own, the named operations against the rest; "
                 "repeat it for further levels");
  CLI11_PARSE(app, argc, argv);

  std::vector<cleave::Split> own;
  for (const auto& text : split_texts) own.push_back(read_split(text));
  const auto table = csv.empty() ? tabular::NasBench201Table::open(binary)
                                 : tabular::NasBench201Table::read_csv(csv);
  std::vector<Networks> good;
  for (std::size_t set = 0; set < tabular::data_set_count; ++set) {
    const auto truth =
        table.column({static_cast<tabular::DataSetName>(set), tabular::Metric::TestAccuracy});
    good.emplace_back();
    for (const auto row : tabular::top_rows(truth, k))
      good.back().push_back(table.architecture(row));
  }

  std::printf("%% of the true top %zu in the best leaf, %zu levels of splits\n", k, levels);
  std::printf("%-24s %10s     %10s     %13s   %s\n", "criterion", "CIFAR-10", "CIFAR-100",
              "ImageNet16", "% of the space");
  constexpr std::size_t draws = 2000;
  print_line("random 2|3", good, draws, [&](const Networks&, const cleave::Stream& stream) {
    return tabular::grow<Space>(tabular::RandomTwoWay<Space>{}, levels, stream);
  });
  print_line("by size", good, 1, [&](const Networks&, const cleave::Stream& stream) {
    return tabular::grow<Space>(BySize{}, levels, stream);
  });
  if (!own.empty())
    print_line("your own", good, 1, [&](const Networks&, const cleave::Stream&) {
      Tree tree;
      for (const auto& split : own)
        for (const auto leaf : tree.leaves()) tree.split(leaf, split);
      return tree;
    });
  if (levels == 2)
    print_line("best two 2|3 (oracle)", good, 1, [](const Networks& top, const cleave::Stream&) {
      return tabular::best_two_splits<Space>(top, 2);
    });
  return 0;
} catch (const cleave::Error& error) {
  std::fprintf(stderr, "split_quality: %s\n", error.what());
  return 1;
}
