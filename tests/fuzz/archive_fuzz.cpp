// Archives on arbitrary bytes: as a file, as a value without its checksum, and as the values of a
// result. They may throw DataError and nothing else, and what was read is written to equal bytes.

#include <cleave/archive/codecs.hpp>
#include <cleave/archive/describe.hpp>
#include <cleave/archive/file.hpp>
#include <cleave/split/evidence.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace cleave;

/// One of every kind of value that a checkpoint holds without LibTorch.
struct Everything {
  std::map<std::string, std::string> settings{};
  std::vector<SplitOutcome> splits{};
  std::vector<std::vector<Eigen::MatrixXd>> memory{};
  std::vector<std::vector<std::uint8_t>> judged{};
  std::optional<std::size_t> chosen{};
  std::int64_t steps = 0;
  bool flag = false;

  template <class F>
  void fields(F&& field) {
    field("settings", settings);
    field("splits", splits);
    field("memory", memory);
    field("judged", judged);
    field("chosen", chosen);
    field("steps", steps);
    field("flag", flag);
  }
};

template <class Work>
void allow_data_errors(Work work) {
  try {
    work();
  } catch (const DataError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  allow_data_errors([&] { (void)archive::checked_payload(bytes, "fuzz"); });
  allow_data_errors([&] {
    archive::Reader reader(bytes, "fuzz");
    (void)archive::Description(reader, 3).text();
  });
  allow_data_errors([&] {
    archive::Reader reader(bytes, "fuzz");
    Everything all;
    archive::Codec<Everything>::read(reader, all);
    archive::Writer again;
    archive::Codec<Everything>::write(again, all);
    archive::Reader second(again.buffer(), "fuzz");
    Everything twin;
    archive::Codec<Everything>::read(second, twin);
    archive::Writer once_more;
    archive::Codec<Everything>::write(once_more, twin);
    if (again.buffer().size() != once_more.buffer().size() ||
        std::memcmp(again.buffer().data(), once_more.buffer().data(), again.buffer().size()) != 0)
      std::abort();
  });
  return 0;
}
