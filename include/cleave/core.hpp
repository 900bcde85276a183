#pragma once

/// The vocabulary, the search spaces and the split tree: what a method is written in, on std and
/// fmt alone. The other rooms that need no LibTorch have umbrellas of their own, cleave/graph.hpp
/// (cuts, with Eigen), cleave/report.hpp and cleave/tabular.hpp: a source compiles what it uses.
/// JSON readers and core/{mapped,replace}_file.hpp are left out for the same reason; include them
/// by name. The list is checked, and rewritten, by cmake/umbrella.cmake.

#include <cleave/core/buffers.hpp>
#include <cleave/core/count.hpp>
#include <cleave/core/crc32c.hpp>
#include <cleave/core/error.hpp>
#include <cleave/core/ids.hpp>
#include <cleave/core/option_set.hpp>
#include <cleave/core/random.hpp>
#include <cleave/core/scanner.hpp>
#include <cleave/core/settings_list.hpp>
#include <cleave/space/architecture.hpp>
#include <cleave/space/concept.hpp>
#include <cleave/space/darts.hpp>
#include <cleave/space/darts_cost.hpp>
#include <cleave/space/darts_genotype.hpp>
#include <cleave/space/distinct_samples.hpp>
#include <cleave/space/genotype.hpp>
#include <cleave/space/mobile_network.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/nasbench201_cost.hpp>
#include <cleave/space/nasbench201_index.hpp>
#include <cleave/space/nasbench201_rows.hpp>
#include <cleave/space/nasbench201_topology.hpp>
#include <cleave/space/network_cost.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/space/restriction.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/split/split.hpp>
#include <cleave/split/tree.hpp>
#include <cleave/split/tree_dot.hpp>
#include <cleave/split/tree_text.hpp>
#include <cleave/version.hpp>
