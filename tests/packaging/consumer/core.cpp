#include <cleave/core.hpp>

#include <cstdio>

int main() {
  cleave::Stream stream(1);
  const auto architecture = cleave::Restriction<cleave::space::Toy>{}.sample(stream);
  std::puts(cleave::to_text<cleave::space::Toy>(architecture).c_str());
}
