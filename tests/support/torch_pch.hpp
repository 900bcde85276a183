#pragma once

// Precompiled for the torch tests. LibTorch comes first: it defines a CHECK of its own, which
// Catch2's has to replace.
#include <torch/types.h>

#include <cleave/torch.hpp>
#undef CHECK

#include <cleave_test.hpp>
