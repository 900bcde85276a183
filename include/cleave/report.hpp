#pragma once

/// The drawings: cells, heat maps, split trees and scatter plots as SVG. report/result_json.hpp is
/// left out, as it needs nlohmann/json.hpp; include it by name. The list is checked, and
/// rewritten, by cmake/umbrella.cmake.

#include <cleave/report/cell_svg.hpp>
#include <cleave/report/darts_cell_svg.hpp>
#include <cleave/report/diverging_colour.hpp>
#include <cleave/report/heat_map_svg.hpp>
#include <cleave/report/scatter_svg.hpp>
#include <cleave/report/split_tree_svg.hpp>
#include <cleave/report/svg.hpp>
#include <cleave/report/xml_text.hpp>
