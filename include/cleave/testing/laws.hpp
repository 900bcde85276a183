#pragma once

// The law checks of the rooms that need neither Eigen nor LibTorch. A check returns the broken
// laws as sentences, so it works with any test framework: `REQUIRE(check_space<Mine>().empty())`.

#include <cleave/testing/space_laws.hpp>
