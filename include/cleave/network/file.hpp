#pragma once

#include <cleave/archive/file.hpp>
#include <cleave/archive/tensor.hpp>
#include <cleave/network/concept.hpp>
#include <filesystem>
#include <string>
#include <string_view>

namespace cleave::network {

/// Writes a network to a file: its space, its genotype as others read it, weights and statistics.
/// Throws `IoError`.
template <Network N>
void save(const std::filesystem::path& path, N& net) {
  using Space = typename N::Space;
  archive::Writer to;
  to.begin_object();
  std::string space(Space::name);
  auto genotype = to_text<Space>(net.genotype());
  auto weights = net.arena().values();
  auto statistics = net.statistics().values();
  to("space", space);
  to("genotype", genotype);
  to("weights", weights);
  to("statistics", statistics);
  to.end_object();
  archive::write_file(path, to);
}

/// Reads what `save` wrote, as a network of these sizes. Throws `DataError` for what is damaged, of
/// another space, or of other sizes.
template <Network N>
[[nodiscard]] N read(archive::Reader& from, const typename N::Config& config) {
  using Space = typename N::Space;
  from.begin_object();
  std::string space;
  std::string genotype;
  from("space", space);
  if (space != Space::name) from.fail(fmt::format("a network of {}", Space::name), space);
  from("genotype", genotype);
  const auto parsed = [&] {
    try {
      return parse<Space>(genotype);
    } catch (const ParseError& error) {
      from.fail("a genotype", error.what());
      throw;
    }
  }();
  N net(parsed, config, Stream());
  auto weights = net.arena().values();
  auto statistics = net.statistics().values();
  from("weights", weights);
  from("statistics", statistics);
  from.end_object();
  return net;
}

/// The same from a file. Throws `IoError` as well.
template <Network N>
[[nodiscard]] N load(const std::filesystem::path& path, const typename N::Config& config) {
  const archive::File file(path);
  auto from = file.reader();
  return read<N>(from, config);
}

}  // namespace cleave::network
