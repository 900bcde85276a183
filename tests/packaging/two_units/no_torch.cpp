// cleave::core gives no path to LibTorch, so a header of it that included LibTorch would not compile.
#if __has_include(<torch/torch.h>) || __has_include(<ATen/core/Tensor.h>)
#error "cleave::core leads to the headers of LibTorch"
#endif

int main() {}
