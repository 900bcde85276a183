#pragma once

#include <algorithm>
#include <array>
#include <cleave/core/error.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace cleave::data {

/// One part of an image folder: paths below the part's folder, by class and then by name.
struct FolderPart {
  std::filesystem::path root{};
  std::vector<std::string> files{};  ///< CLASS/FILE
  std::vector<std::int64_t> labels{};
  std::size_t ignored = 0;  ///< files of a class folder whose name is not an image's

  [[nodiscard]] std::filesystem::path path(std::size_t i) const { return root / files[i]; }
};

/// The files of a folder in ImageNet's layout.
struct FolderListing {
  std::vector<std::string>
      classes{};  ///< names of train's class folders, ascending; labels 0, 1, ...
  FolderPart train{};
  FolderPart test{};  ///< no files when there is no such folder
};

/// Whether a file is listed: its name ends in .jpg, .jpeg, .jpe or .png, in capitals too, and
/// does not begin with a dot. (What it holds is known when it is read.)
[[nodiscard]] inline bool has_image_name(const std::filesystem::path& path) {
  const auto name = path.filename().string();
  auto ending = path.extension().string();
  for (auto& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name.front() != '.' &&
         (ending == ".jpg" || ending == ".jpeg" || ending == ".jpe" || ending == ".png");
}

namespace detail {

/// Entries of a folder by name, folders or regular files (links are followed).
inline std::vector<std::string> entries(const std::filesystem::path& folder, bool folders,
                                        std::size_t& others) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    const bool fits = folders ? entry->is_directory(ignored)
                              : entry->is_regular_file(ignored) && has_image_name(entry->path());
    if (fits && entry->path().filename().string().front() != '.')
      names.push_back(entry->path().filename().string());
    else
      ++others;
  }
  if (error) throw IoError(fmt::format("cannot read {}: {}", folder.string(), error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace detail

/// Lists DIR/train/CLASS/FILE and DIR/val or DIR/test in the same layout. Files that have no
/// image's name are counted and left alone. Throws `IoError` for a folder that is missing or
/// unreadable, `DataError` for no class folder, a class folder without an image, a class of val or
/// test that train does not have, and both a val and a test folder (`test_folder` then says which
/// counts).
[[nodiscard]] inline FolderListing list_image_folder(const std::filesystem::path& directory,
                                                     const std::string& train_folder = "train",
                                                     const std::string& test_folder = "") {
  FolderListing listing;
  const auto exists = [&](const std::string& name) {
    return std::filesystem::is_directory(directory / name);
  };
  if (!std::filesystem::is_directory(directory))
    throw IoError(fmt::format("cannot read {}: no such directory", directory.string()));
  if (!exists(train_folder))
    throw IoError(fmt::format("{}: no folder `{}` in it; expected {}/CLASS/IMAGE.jpg",
                              directory.string(), train_folder, train_folder));
  auto test = test_folder;
  if (test.empty()) {
    if (exists("val") && exists("test"))
      throw DataError(
          fmt::format("{}: both `val` and `test` are there; say which one holds the "
                      "test part (test_folder)",
                      directory.string()));
    test = exists("val") ? "val" : exists("test") ? "test" : "";
  } else if (!exists(test)) {
    throw IoError(fmt::format("{}: no folder `{}` in it", directory.string(), test));
  }
  std::size_t others = 0;
  listing.train.root = directory / train_folder;
  listing.classes = detail::entries(listing.train.root, true, others);
  if (listing.classes.empty())
    throw DataError(fmt::format("{}: no class folder in it", listing.train.root.string()));

  const auto add = [&](FolderPart& part, const std::vector<std::string>& names) {
    for (const auto& name : names) {
      const auto found = std::lower_bound(listing.classes.begin(), listing.classes.end(), name);
      if (found == listing.classes.end() || *found != name)
        throw DataError(fmt::format("{}: class `{}` is not one of the {} of {}", part.root.string(),
                                    name, listing.classes.size(), listing.train.root.string()));
      const auto images = detail::entries(part.root / name, false, part.ignored);
      if (images.empty())
        throw DataError(fmt::format("{}: the class folder holds no .jpg, .jpeg or .png file",
                                    (part.root / name).string()));
      for (const auto& image : images) {
        part.files.push_back(name + "/" + image);
        part.labels.push_back(found - listing.classes.begin());
      }
    }
  };
  add(listing.train, listing.classes);
  if (!test.empty()) {
    listing.test.root = directory / test;
    add(listing.test, detail::entries(listing.test.root, true, others));
  }
  return listing;
}

}  // namespace cleave::data
