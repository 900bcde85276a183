// Every text a user may hand us: the first byte picks the reader, the rest is its input. A reader
// must either throw one of the library's errors or return something whose text leads back to it.

#include <cleave/space/darts.hpp>
#include <cleave/space/mobile_network_json.hpp>
#include <cleave/space/nasbench201.hpp>
#include <cleave/space/ofa.hpp>
#include <cleave/space/proxyless.hpp>
#include <cleave/space/toy.hpp>
#include <cleave/split/tree_dot.hpp>
#include <cleave/split/tree_json.hpp>
#include <cleave/split/tree_text.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace cleave;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class S>
void genotype(std::string_view text) {
  const auto read = parse<S>(text);
  require(parse<S>(to_text<S>(read)) == read);
  require(allows<S>(Restriction<S>(), read));
}

template <class S>
void plain(std::string_view text) {
  const auto read = parse_plain_text<S>(text);
  require(plain_text<S>(read) == text);
  const Restriction<S> all;
  require(all.at(all.index_of(read)) == read);
}

template <class S>
void cover(const SplitTree<S>& tree) {
  Count sum = 0;
  for (const auto leaf : tree.leaves()) sum += tree[leaf].restriction.count();
  require(sum == tree[0].restriction.count());
  require(!to_dot(tree).empty());
}

template <class S>
void tree_text(std::string_view text) {
  const auto read = tree_from_text<S>(text);
  require(tree_from_text<S>(to_text(read)) == read);
  cover(read);
}

template <class S>
void tree_json(std::string_view text) {
  const auto read = tree_from_json_text<S>(text);
  require(tree_from_json<S>(to_json(read)) == read);
  cover(read);
}

void network(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return;
  require(cost(space::mobile_network_from_json(json)).params > 0);
}

void dispatch(char reader, std::string_view text) {
  switch (reader) {
    case 'n': return genotype<space::NasBench201>(text);
    case 'd': return genotype<space::Darts>(text);
    case 'D': return genotype<space::DartsWithNone>(text);
    case 'o': return genotype<space::Ofa>(text);
    case 'p': return plain<space::Proxyless>(text);
    case 'y': return plain<space::Toy>(text);
    case 't': return tree_text<space::NasBench201>(text);
    case 'T': return tree_text<space::Toy>(text);
    case 'j': return tree_json<space::NasBench201>(text);
    case 'J': return tree_json<space::Toy>(text);
    case 'm': return network(text);
    default: return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    dispatch(text.front(), text.substr(1));
  } catch (const Error&) {
    // A clear refusal is as good as success.
  }
  return 0;
}
