#pragma once

/// What cleave needs of LibTorch: tensors, their operations, automatic differentiation. Reading
/// torch/torch.h takes nearly twice as long, for modules, optimisers and loaders that nothing here
/// uses; a program that does includes it itself.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/version.h>
