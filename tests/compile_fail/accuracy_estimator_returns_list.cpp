// expect: OnceForAll: an accuracy estimator needs name and Estimate
// needs: torch
#include <cleave/strategy/once_for_all.hpp>

// Numbers without what they were made from: nobody can tell how good they are.
struct Parameters {
  static constexpr std::string_view name = "parameters";
  template <class S>
  std::vector<double> operator()(const cleave::Restriction<S>&,
                                 const cleave::strategy::AccuracyOf<S>&, cleave::Stream) const {
    return {0.5};
  }
};

using Strategy = cleave::strategy::OnceForAll<cleave::strategy::Progressive, Parameters>;
int main() { return sizeof(Strategy) == 0; }
