#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cleave/data/concept.hpp>
#include <cleave/data/folder_listing.hpp>
#include <cleave/data/image_decoder.hpp>
#include <cleave/data/normalisation.hpp>
#include <cleave/data/photo_augmentation.hpp>
#include <cleave/data/read_file.hpp>
#include <cleave/data/resample.hpp>
#include <cleave/data/stratified.hpp>
#include <cleave/data/worker_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cleave::data {

/// Per channel mean and standard deviation of ImageNet's train images, of value / 255, as commonly
/// rounded.
[[nodiscard]] inline Normalisation imagenet_normalisation() {
  return {.scale = 255.0, .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
}

/// How an image folder becomes batches.
struct ImageFolderOptions {
  std::string name = "image_folder";
  std::int64_t size = 224;  ///< side of the square images of a batch
  /// Share of the shorter side that evaluation looks at; 0.875 = 224 / 256. 1: all of it.
  double central = 0.875;
  Normalisation normalisation = imagenet_normalisation();
  PhotoAugmentation augmentation{};
  std::string train_folder = "train";
  std::string test_folder{};  ///< empty: `val` or `test`, whichever is there
  std::size_t workers = 0;    ///< threads that decode, the caller's included; 0: one per core
  DecodeLimits limits{};
  std::size_t max_file_bytes = std::size_t{1} << 28;
};

/// A folder of JPEG and PNG files in ImageNet's layout, DIR/train/CLASS/IMAGE, read and decoded
/// batch by batch by all cores; for sets that do not fit in memory. Copies share the listing and
/// the threads.
///
/// Every image draws from `stream.fork(its place in the batch)`, never from a worker, so a batch is
/// the same, bit for bit, with any number of workers. A file that is not what it should be
/// makes the whole batch a `DataError` or `IoError` with the file's path; nothing is printed.
class ImageFolder {
 public:
  /// Lists the folder (see `list_image_folder` for what it throws); no image is read before it is
  /// asked for, see `damaged_files`. Throws `ValueError` for options outside their domain.
  explicit ImageFolder(const std::filesystem::path& directory, ImageFolderOptions options = {})
      : options_(std::move(options)) {
    check_options();
    auto [classes, train, test] =
        list_image_folder(directory, options_.train_folder, options_.test_folder);
    classes_ = std::make_shared<const std::vector<std::string>>(std::move(classes));
    parts_ = {std::make_shared<const FolderPart>(std::move(train)),
              std::make_shared<const FolderPart>(std::move(test))};
    workshop_ = std::make_shared<Workshop>(options_);
  }

  [[nodiscard]] std::string_view name() const noexcept { return options_.name; }
  [[nodiscard]] std::int64_t classes() const noexcept {
    return static_cast<std::int64_t>(classes_->size());
  }
  [[nodiscard]] ImageShape shape() const noexcept { return {3, options_.size, options_.size}; }
  [[nodiscard]] const ImageFolderOptions& options() const noexcept { return options_; }
  [[nodiscard]] at::Device device() const noexcept { return device_; }
  /// Names of the classes; class k is label k.
  [[nodiscard]] std::span<const std::string> class_names() const noexcept { return *classes_; }
  /// The files of a part, for messages and to look at.
  [[nodiscard]] const FolderPart& files(Part part) const noexcept { return of(part); }
  [[nodiscard]] std::span<const std::int64_t> labels(Part part) const noexcept {
    return of(part).labels;
  }

  /// Images by number, see `DataSet`; decoded by all workers. Throws `ValueError` for an empty list
  /// and a number that the part does not have, `IoError` and `DataError` for a file.
  [[nodiscard]] Batch batch(Part part, std::span<const std::int64_t> indices, bool augment,
                            Stream stream) const {
    const auto& chosen = of(part);
    if (indices.empty()) throw ValueError(fmt::format("{}: a batch of no images", name()));
    for (std::size_t i = 0; i < indices.size(); ++i)
      if (indices[i] < 0 || indices[i] >= static_cast<std::int64_t>(chosen.labels.size()))
        throw ValueError(fmt::format("{}: entry {} of a batch is image {}, the part has {}", name(),
                                     i, indices[i], chosen.labels.size()));
    const auto count = static_cast<std::int64_t>(indices.size());
    Batch result{at::empty({count, 3, options_.size, options_.size}, at::kFloat,
                           at::MemoryFormat::ChannelsLast),
                 at::empty({count}, at::kLong)};
    float* images = result.images.mutable_data_ptr<float>();
    auto* labels = result.labels.mutable_data_ptr<std::int64_t>();
    workshop_->pool.for_each(indices.size(), [&](std::size_t place, std::size_t worker) {
      const auto i = static_cast<std::size_t>(indices[place]);
      labels[place] = chosen.labels[i];
      make_image(chosen.path(i), augment, stream.fork(place), workshop_->benches[worker],
                 images + place * shape().size());
    });
    if (type_ != at::kFloat) result.images = result.images.to(type_);
    if (!device_.is_cpu()) return {result.images.to(device_), result.labels.to(device_)};
    return result;
  }

  /// Reads and decodes every file of a part and says what is wrong with which, in their order;
  /// empty when all are good. Costs an epoch without training.
  [[nodiscard]] std::vector<std::string> damaged_files(Part part) const {
    const auto& chosen = of(part);
    std::vector<std::string> problems(chosen.files.size());
    workshop_->pool.for_each(chosen.files.size(), [&](std::size_t i, std::size_t worker) {
      auto& bench = workshop_->benches[worker];
      try {
        const auto path = chosen.path(i);
        bench.decoder.decode(read_file(path, options_.max_file_bytes), path.string(), 1.0,
                             bench.photo);
      } catch (const Error& error) {
        problems[i] = error.what();
      }
    });
    std::erase(problems, "");
    return problems;
  }

  /// The set with batches on another device. Throws `DeviceError` when it is not there.
  [[nodiscard]] ImageFolder to(at::Device device) const {
    ImageFolder moved = *this;
    try {
      moved.device_ = at::empty({1}, at::TensorOptions(at::kFloat).device(device)).device();
    } catch (const c10::Error& error) {
      throw DeviceError(fmt::format("{}: no device {}: {}", name(), device.str(),
                                    error.what_without_backtrace()));
    }
    return moved;
  }

  /// Batches in another floating type: float (the default), double, half, bfloat16.
  [[nodiscard]] ImageFolder to(at::ScalarType type) const {
    if (type != at::kFloat && type != at::kDouble && type != at::kHalf && type != at::kBFloat16)
      throw ValueError(fmt::format("{}: scalar type {}, allowed Float, Double, Half, BFloat16",
                                   name(), at::toString(type)));
    ImageFolder result = *this;
    result.type_ = type;
    return result;
  }

  [[nodiscard]] ImageFolder with_augmentation(const PhotoAugmentation& augmentation) const {
    check(augmentation, name());
    ImageFolder result = *this;
    result.options_.augmentation = augmentation;
    return result;
  }

  /// Images of another size, in training and evaluation.
  [[nodiscard]] ImageFolder at_size(std::int64_t size) const {
    ImageFolder result = *this;
    result.options_.size = size;
    result.check_options();
    return result;
  }

  /// A smaller set: of every class the first images, with the class proportions of each part.
  [[nodiscard]] ImageFolder take(std::size_t train_count, std::size_t test_count) const {
    if (train_count == 0)
      throw ValueError(fmt::format("{}: 0 train images, at least 1 is needed", name()));
    ImageFolder result = *this;
    const std::array counts{train_count, test_count};
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      FolderPart smaller{.root = parts_[p]->root, .ignored = parts_[p]->ignored};
      for (const auto number : first_of_each_class(parts_[p]->labels, counts[p])) {
        smaller.files.push_back(parts_[p]->files[static_cast<std::size_t>(number)]);
        smaller.labels.push_back(parts_[p]->labels[static_cast<std::size_t>(number)]);
      }
      result.parts_[p] = std::make_shared<const FolderPart>(std::move(smaller));
    }
    return result;
  }

 private:
  /// What one worker works with.
  struct Bench {
    explicit Bench(const DecodeLimits& limits) : decoder(limits) {}
    ImageDecoder decoder;
    Resampler resample{};
    Photo photo{};
    std::vector<Pixel> pixels{};
  };
  struct Workshop {
    explicit Workshop(const ImageFolderOptions& options) : pool(options.workers) {
      for (std::size_t worker = 0; worker < pool.workers(); ++worker)
        benches.emplace_back(options.limits);
    }
    std::deque<Bench> benches;
    WorkerPool pool;  // last: its threads stop before the benches go
  };

  void check_options() const {
    const auto& o = options_;
    if (o.size < 1 || o.size > 4096)
      throw ValueError(fmt::format("{}: image size {}, allowed 1 to 4096", o.name, o.size));
    if (!(o.central > 0 && o.central <= 1))
      throw ValueError(
          fmt::format("{}: central share {}, allowed above 0 to 1", o.name, o.central));
    if (o.workers > 1024)
      throw ValueError(fmt::format("{}: {} workers, at most 1024", o.name, o.workers));
    if (o.limits.max_pixels < 1)
      throw ValueError(
          fmt::format("{}: at most {} pixels, at least 1 is needed", o.name, o.limits.max_pixels));
    check(o.augmentation, o.name);
    static_cast<void>(normalised_bytes(o.normalisation, 3));
  }

  /// One file to one image of the batch: `out` [size, size, 3].
  void make_image(const std::filesystem::path& path, bool augment, const Stream& stream,
                  Bench& bench, float* out) const {
    const auto bytes = read_file(path, options_.max_file_bytes);
    const auto what = path.string();
    const auto [width, height] = bench.decoder.size(bytes, what);
    PhotoDraw draw;
    if (augment)
      draw = draw_photo(options_.augmentation, width, height, stream);
    else
      draw.box = central_box(options_.central, width, height);
    const auto size = static_cast<double>(options_.size);
    bench.decoder.decode(bytes, what, size / std::min(draw.box.width, draw.box.height),
                         bench.photo);
    // The draw is in pixels of the file, the photo may have been reduced
    const double x = static_cast<double>(bench.photo.width) / static_cast<double>(width);
    const double y = static_cast<double>(bench.photo.height) / static_cast<double>(height);
    const Box box{draw.box.left * x, draw.box.top * y, draw.box.width * x, draw.box.height * y};
    bench.pixels.resize(static_cast<std::size_t>(options_.size * options_.size));
    bench.resample(bench.photo, box, options_.size, options_.size, draw.mirrored, bench.pixels);
    jitter(bench.pixels, draw);
    Pixel factor{}, offset{};
    const auto& [scale, mean, std] = options_.normalisation;
    for (std::size_t c = 0; c < 3; ++c) {
      factor[c] = static_cast<float>(1.0 / (scale * std[c]));
      offset[c] = static_cast<float>(-mean[c] / std[c]);
    }
    for (const auto& pixel : bench.pixels) {
      const Pixel value = pixel * factor + offset;
      for (std::size_t c = 0; c < 3; ++c) *out++ = value[c];
    }
  }

  [[nodiscard]] const FolderPart& of(Part part) const noexcept {
    return *parts_[part == Part::Train ? 0 : 1];
  }

  ImageFolderOptions options_;
  std::shared_ptr<const std::vector<std::string>> classes_;
  std::array<std::shared_ptr<const FolderPart>, 2> parts_;
  std::shared_ptr<Workshop> workshop_;
  at::ScalarType type_ = at::kFloat;
  at::Device device_ = at::kCPU;
};

static_assert(DataSet<ImageFolder>);

}  // namespace cleave::data
