#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cleave/archive/codecs.hpp>
#include <cleave/archive/file.hpp>
#include <cleave/archive/folder_lock.hpp>
#include <cleave_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <temporary_folder.hpp>

using namespace cleave;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

archive::Writer saying(std::string text) {
  archive::Writer writer;
  writer.begin_object();
  writer("text", text);
  writer.end_object();
  return writer;
}

std::string said(const fs::path& path) {
  const archive::File file(path);
  auto reader = file.reader();
  std::string text;
  reader.begin_object();
  reader("text", text);
  reader.end_object();
  return text;
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a file is replaced as a whole and says what it holds") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint";
  archive::write_file(path, saying("first"));
  CHECK(said(path) == "first");
  archive::write_file(path, saying("second"));
  CHECK(said(path) == "second");
  CHECK_FALSE(fs::exists(folder.path() / "checkpoint.new"));
  CHECK_THROWS_AS(archive::File(folder.path() / "absent"), IoError);
}

TEST_CASE("a file cut off at any byte or with any bit turned is refused") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint";
  archive::write_file(path, saying("some text"));
  const auto whole = content(path);
  const auto refused = [&](const std::string& bytes) {
    std::ofstream(folder.path() / "broken", std::ios::binary) << bytes;
    try {
      (void)said(folder.path() / "broken");
    } catch (const DataError& error) {
      return std::string(error.what()).find("broken: ") != std::string::npos;
    }
    return false;
  };
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(refused(whole.substr(0, size)));
  CHECK(refused(whole + "x"));
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    auto broken = whole;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    CHECK(refused(broken));
  }
}

TEST_CASE("another version says which, and which is read here") {
  const TemporaryFolder folder;
  archive::write_file(folder.path() / "a", saying("x"));
  auto bytes = content(folder.path() / "a");
  bytes[8] = 9;
  std::ofstream(folder.path() / "a", std::ios::binary) << bytes;
  CHECK_THROWS_WITH(archive::File(folder.path() / "a"),
                    Contains("archive format 9, this build reads format 1"));
}

TEST_CASE("a write that fails says why and leaves the file that was there") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint";
  archive::write_file(path, saying("kept"));
  // A limit on the size of files stands for a full disk: both fail in the middle of a write.
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    archive::write_file(path, saying(std::string(5000, 'x')));
  } catch (const IoError& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK_THAT(message, Contains("cannot write") && Contains("File too large") &&
                          Contains("an earlier checkpoint is untouched"));
  CHECK(said(path) == "kept");
  CHECK_FALSE(fs::exists(folder.path() / "checkpoint.new"));
  CHECK_THROWS_WITH(archive::write_file(folder.path() / "absent" / "file", saying("x")),
                    Contains("cannot create") && Contains("No such file"));
}

TEST_CASE("a folder belongs to one process; a dead owner's lock stops nobody") {
  const TemporaryFolder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const auto child = ::fork();
  if (child == 0) {
    const archive::FolderLock lock(folder.path());
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_WITH(archive::FolderLock(folder.path()),
                    Contains(fmt::format("is in use by process {} on ", child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_NOTHROW(archive::FolderLock(folder.path()));
  CHECK_THAT(content(folder.path() / "lock"), Contains(fmt::format("process {}", ::getpid())));
  CHECK_THROWS_AS(archive::FolderLock(folder.path() / "absent"), IoError);
  {
    const archive::FolderLock mine(folder.path());
    std::ofstream(folder.path() / "lock") << "somebody\x1b[2J else";  // an escape for the terminal
    CHECK_THROWS_WITH(archive::FolderLock(folder.path()), Contains("is in use by somebody; let"));
  }
  ::close(ready[0]);
  ::close(ready[1]);
}
