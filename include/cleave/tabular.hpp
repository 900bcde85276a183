#pragma once

/// The tabular benchmark of NASBench-201 and what is measured against it: rank correlation, the
/// best k, the quality of a split, each with its bootstrap interval. The list is checked, and
/// rewritten, by cmake/umbrella.cmake.

#include <cleave/tabular/bootstrap.hpp>
#include <cleave/tabular/check.hpp>
#include <cleave/tabular/concept.hpp>
#include <cleave/tabular/nasbench201_binary.hpp>
#include <cleave/tabular/nasbench201_check.hpp>
#include <cleave/tabular/nasbench201_column.hpp>
#include <cleave/tabular/nasbench201_csv.hpp>
#include <cleave/tabular/nasbench201_table.hpp>
#include <cleave/tabular/packed_column.hpp>
#include <cleave/tabular/rank_correlation.hpp>
#include <cleave/tabular/split_quality.hpp>
#include <cleave/tabular/top_k.hpp>
