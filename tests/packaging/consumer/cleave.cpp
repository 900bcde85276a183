#include <cleave/cleave.hpp>

int main() {
  const auto sum = at::ones({2, 3}).sum().item<double>();
  return sum == 6 && cleave::Restriction<cleave::space::NasBench201>{}.count() == 15625 ? 0 : 1;
}
