// Peak memory of search steps of the NASBench-201 supernet at full size, one way per process:
//     benchmark_supernet_memory first|second public_code|composed|fused|bfloat16
// prints JSON.
#include <fmt/format.h>
#include <sys/resource.h>

#include <string_view>

#include "scenes.hpp"

namespace {

using namespace scenes;

double peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

template <class Mixer>
void run(bool second) {
  Scene<Mixer> scene(full);
  for (int i = 0; i < 3; ++i) {
    if (second)
      search_step<strategy::SecondOrder>(scene)();
    else if constexpr (std::same_as<Mixer, PublicCode>)
      public_first_order(scene)();
    else
      search_step<strategy::FirstOrder>(scene)();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view order = argc > 1 ? argv[1] : "";
  const std::string_view mixer = argc > 2 ? argv[2] : "";
  const bool second = order == "second";
  const double before = peak_mb();
  void (*steps)(bool) = mixer == "public_code" ? run<PublicCode>
                        : mixer == "composed"  ? run<supernet::Composed>
                        : mixer == "fused"     ? run<supernet::Fused>
                        : mixer == "bfloat16"  ? run<supernet::FusedBFloat16>
                                               : nullptr;
  if (steps == nullptr || (order != "first" && !second)) {
    fmt::print(stderr, "usage: {} first|second public_code|composed|fused|bfloat16\n", argv[0]);
    return 1;
  }
  steps(second);
  fmt::print("{{\"order\": \"{}\", \"mixer\": \"{}\", \"start_mb\": {:.0f}, \"peak_mb\": {:.0f}}}\n",
             order, mixer, before, peak_mb());
}
