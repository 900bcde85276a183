#pragma once

#include <cleave/supernet/nasbench201.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace example {

/// The mixed edges as `--precision` has them. Supernets make their mixers themselves, so the choice is
/// one of the whole program, made before the first.
struct ChosenMixer {
  using Space = cleave::space::NasBench201;
  static constexpr std::string_view name = "chosen mixer";
  static constexpr auto memory_format = cleave::supernet::Fused::memory_format;

  /// precision: float32 or bfloat16.
  static void choose(std::string_view precision) { bfloat16() = precision == "bfloat16"; }

  template <class F>
  void fields(F&& field) const {
    std::visit([&](const auto& chosen) { field("chosen", chosen); }, mixer);
  }

  void leave(const cleave::WeightArena& arena, const at::Tensor& x,
             std::span<const cleave::supernet::CellEdge> edges,
             const cleave::Mixture<Space>& mixture, const cleave::MixtureScalars<Space>& scalars,
             std::span<at::Tensor> sums) const {
    std::visit([&](const auto& chosen) { chosen.leave(arena, x, edges, mixture, scalars, sums); },
               mixer);
  }

  using Either = std::variant<cleave::supernet::Fused, cleave::supernet::FusedBFloat16>;
  Either mixer = bfloat16() ? Either(cleave::supernet::FusedBFloat16{})
                            : Either(cleave::supernet::Fused{});

 private:
  static bool& bfloat16() {
    static bool chosen = false;
    return chosen;
  }
};

}  // namespace example
