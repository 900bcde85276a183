#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cleave/space/nasbench201.hpp>
#include <string>
#include <vector>

namespace cleave::space {

/// The topology class of an architecture under the benchmark's isomorphism rule, as a canonical
/// text: two architectures have equal texts exactly when the benchmark counts them as the same
/// network. 6,466 classes over the space.
///
/// The text of node 0 is "0". A node's text joins the texts of its incoming edges, sorted, by
/// '+': "#" for `none` and for edges that leave a dead node, the source node's own text for
/// `skip_connect`, else "(source)@operation".
///
/// This is the benchmark's rule, not the finest possible one, and it is kept so that classes
/// agree with its tables: only node 1 can be dead (a later node without input reads "#+#"),
/// unused "#" terms count, and a skip splices the source's text in as one term without sorting it
/// among the others. Some networks that compute the same function therefore stay apart.
[[nodiscard]] inline std::string topology_class_text(
    const Architecture<NasBench201>& architecture) {
  std::array<std::string, NasBench201::node_count> texts{"0"};
  for (std::size_t node = 1; node < NasBench201::node_count; ++node) {
    std::vector<std::string> terms;
    for (std::size_t e = 0; e < NasBench201::decision_count; ++e) {
      if (NasBench201::edges[e].to != node) continue;
      const auto option = architecture[DecisionId(e)];
      const auto& source = texts[NasBench201::edges[e].from];
      if (option == NasBench201::none || source == "#") terms.emplace_back("#");
      else if (option == NasBench201::skip_connect) terms.push_back(source);
      else terms.push_back(fmt::format("({})@{}", source, NasBench201::operations[option.index()]));
    }
    std::sort(terms.begin(), terms.end());
    texts[node] = fmt::format("{}", fmt::join(terms, "+"));
  }
  return texts.back();
}

}  // namespace cleave::space
