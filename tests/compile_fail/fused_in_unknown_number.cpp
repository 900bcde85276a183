// expect: supernet::FusedIn keeps numbers as float, double or at::BFloat16
// needs: torch
#include <cleave/supernet/nasbench201.hpp>

// Half has too small a range for gradients.
using Net = cleave::supernet::NasBench201<cleave::supernet::FusedIn<at::Half>>;
int main() { return sizeof(Net) == 0; }
