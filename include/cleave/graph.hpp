#pragma once

/// Cuts of a similarity graph: the matrix, its partitions and every policy that finds one. Needs
/// Eigen. graph/spectral.hpp is left out for the sake of compile time; include it by name. The list
/// is checked, and rewritten, by cmake/umbrella.cmake.

#include <cleave/graph/check.hpp>
#include <cleave/graph/concept.hpp>
#include <cleave/graph/exact_balanced.hpp>
#include <cleave/graph/exact_two_way.hpp>
#include <cleave/graph/global_min_cut.hpp>
#include <cleave/graph/kernighan_lin.hpp>
#include <cleave/graph/partition.hpp>
#include <cleave/graph/random_balanced.hpp>
#include <cleave/graph/reference_rules.hpp>
#include <cleave/graph/similarity.hpp>
#include <cleave/graph/singletons.hpp>
#include <cleave/graph/ties.hpp>
#include <cleave/graph/to_split.hpp>
