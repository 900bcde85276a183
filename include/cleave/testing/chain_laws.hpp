#pragma once

#include <cleave/supernet/concept.hpp>
#include <cleave/supernet/weight_arena.hpp>
#include <set>
#include <string>
#include <vector>

namespace cleave::testing {

/// The law of `BeginsAnywhere` on every child of one context, logits and gradients bit for bit;
/// the broken ones as sentences. images: [B, C, H, W]; their labels are made up. Leaves gradients in
/// the arena.
template <class Net>
[[nodiscard]] std::vector<std::string> check_begins_anywhere(Net& net, const at::Tensor& images,
                                                             const typename Net::Context& context) {
  static_assert(BeginsAnywhere<Net>,
                "check_begins_anywhere: the supernet needs static constexpr place_count and "
                "place_of(decision), and at::Tensor forward_from(place, x, context, entered) const "
                "(docs/policies.md, Supernets)");
  using Space = typename Net::Space;
  std::set<std::string> broken;
  const auto gradient_of = [&](const at::Tensor& logits) {
    net.arena().gradients().zero_();
    const auto labels = at::arange(images.size(0), at::kLong).remainder(logits.size(1));
    at::cross_entropy_loss(logits, labels).backward({}, /*keep_graph=*/true);
    return net.arena().gradients().clone();
  };

  std::vector<at::Tensor> entered(Net::place_count);
  const at::Tensor whole = net.forward_from(0, images, context, entered);
  if (!at::equal(whole, net.forward(images, context)))
    broken.insert("a pass from place 0 is not forward");
  for (std::size_t place = 0; place < entered.size(); ++place)
    if (!entered[place].defined())
      broken.insert(fmt::format("place {} is not kept", place));
  if (!broken.empty()) return {broken.begin(), broken.end()};

  for (std::size_t d = 0; d < Space::decision_count; ++d) {
    const DecisionId decision(d);
    const auto place = Net::place_of(decision);
    if (place >= entered.size()) {
      broken.insert(fmt::format("{}: place {}, allowed 0 to {}", decision_name<Space>(decision),
                                place, entered.size() - 1));
      continue;
    }
    for (const auto option : net.restriction()[decision]) {
      const auto child = net.probe(context, decision, option, Probe::Hard);
      const at::Tensor expected = net.forward(images, child);
      const at::Tensor got = net.forward_from(place, entered[place], child, {});
      if (!at::equal(got, expected))
        broken.insert(fmt::format("{}: a child that begins at place {} has other logits",
                                  decision_name<Space>(decision), place));
      else if (!at::equal(gradient_of(got), gradient_of(expected)))
        broken.insert(fmt::format("{}: a child that begins at place {} has other gradients",
                                  decision_name<Space>(decision), place));
    }
  }
  return {broken.begin(), broken.end()};
}

}  // namespace cleave::testing
