// expect: OnceForAll: a sampler needs name, in_place, stages, after_restart
// needs: torch
#include <cleave/strategy/once_for_all.hpp>
#include <cleave/supernet/ofa.hpp>

struct Smallest {
  static constexpr std::string_view name = "smallest";
  static constexpr bool in_place = false;
  template <class Net>
  std::vector<typename Net::Context> subnets(const Net& net, const cleave::strategy::OfaStage&,
                                             cleave::Stream) const {
    return {net.smallest()};
  }
};

int main() {
  cleave::supernet::Ofa net({}, {}, cleave::Stream());
  return static_cast<int>(
      cleave::strategy::OnceForAll<Smallest>{}.start(net, cleave::Stream()).stage);
}
