#include "report.hpp"

#include <torch/version.h>

#include <cleave/graph/partition.hpp>
#include <cleave/report/heat_map_svg.hpp>
#include <cleave/report/result_json.hpp>
#include <cleave/space/darts.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/torch.hpp>
#include <cleave/version.hpp>
#include <utility>
#include <vector>

namespace example {

namespace {

/// What all of them begin with.
nlohmann::json begin(const Asked& asked) {
  auto command_line = nlohmann::json::parse(asked.command_line);
  command_line["threads"] = at::get_num_threads();  // where 0 was given: how many that came to
  return {{"program", asked.program},
          {"cleave", cleave::version_text},
          {"libtorch", TORCH_VERSION},
          {"settings", std::move(command_line)},
          {"all_settings", asked.settings}};
}

}  // namespace

template <class Space>
nlohmann::json json_of(const cleave::SearchResult<Space>& result) {
  return cleave::report::to_json(result);
}

template <class Space>
void write_result(const RunDirectory& directory, const Asked& asked,
                  const cleave::SearchResult<Space>& result, const std::string& trouble,
                  const std::function<void(nlohmann::json&)>& amend) {
  auto report = begin(asked);
  report["complete"] = trouble.empty();
  if (!trouble.empty()) report["stopped_by"] = trouble;
  report["search"] = json_of(result);
  if (amend) amend(report);
  directory.write("result.json", report.dump(1) + "\n");
}

template <class Space>
void write_heat_maps(const RunDirectory& directory, const std::string& prefix,
                     const cleave::SearchResult<Space>& result) {
  for (const auto& record : result.splits) {
    std::vector<cleave::report::HeatMap> maps;
    for (const auto& seen : record.outcome.evidence) {
      const cleave::graph::SimilarityMatrix matrix(seen.similarity);
      std::vector<std::vector<std::size_t>> groups;
      for (const auto group : seen.groups) {
        auto& vertices = groups.emplace_back();
        std::size_t vertex = 0;
        for (const auto option : seen.options) {
          if (group.contains(option)) vertices.push_back(vertex);
          ++vertex;
        }
      }
      maps.push_back({.title = "edge " + cleave::decision_name<Space>(seen.decision),
                      .values = matrix,
                      .names = cleave::report::option_names<Space>(seen.decision, seen.options),
                      .partition = cleave::graph::Partition(matrix, groups),
                      .chosen = seen.decision == record.outcome.split.decision});
    }
    if (maps.empty()) continue;
    const auto& path = result.tree[record.node].path;
    const auto where = path.empty() ? std::string("root") : path;
    directory.write(
        fmt::format("{}_split_{}.svg", prefix, where),
        cleave::report::heat_map_svg(
            maps, {.title = fmt::format("Gradient similarity of the options, {} ({} repeats)",
                                        where == "root" ? "supernet" : "supernet " + where,
                                        record.outcome.repeats)}));
  }
}

void write_retrained(const RunDirectory& directory, const Asked& asked, const std::string& key,
                     const std::string& genotype, std::uint64_t multiply_adds,
                     const cleave::RetrainRecord& record, double seconds) {
  auto report = begin(asked);
  report.update({{key, genotype},
                 {"multiply_adds", multiply_adds},
                 {"parameters", record.parameters},
                 {"seconds", seconds},
                 {"test_accuracy", record.test_accuracy},
                 {"test_images", record.test_images}});
  directory.write("retrained.json", report.dump(1) + "\n");
}

#define EXAMPLE_REPORT_ON(Space)                                                                \
  template nlohmann::json json_of(const cleave::SearchResult<Space>&);                          \
  template void write_result(const RunDirectory&, const Asked&,                                 \
                             const cleave::SearchResult<Space>&, const std::string&,            \
                             const std::function<void(nlohmann::json&)>&);                      \
  template void write_heat_maps(const RunDirectory&, const std::string&,                        \
                                const cleave::SearchResult<Space>&);
EXAMPLE_REPORT_ON(cleave::space::NasBench201)
EXAMPLE_REPORT_ON(cleave::space::Darts)
EXAMPLE_REPORT_ON(cleave::space::Ofa)
EXAMPLE_REPORT_ON(cleave::space::Proxyless)
#undef EXAMPLE_REPORT_ON

}  // namespace example
