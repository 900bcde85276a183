// expect: Proxyless: an update of alpha needs at::Tensor step
// needs: torch
#include <cleave/strategy/proxyless.hpp>
#include <cleave/supernet/proxyless.hpp>

struct Still {
  static constexpr std::string_view name = "still";
};

int main() {
  cleave::supernet::Proxyless net({}, {}, cleave::Stream());
  return static_cast<int>(
      cleave::strategy::Proxyless<Still>{}.start(net, cleave::Stream()).steps);
}
