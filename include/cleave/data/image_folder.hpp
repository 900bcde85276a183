#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <array>
#include <cleave/core/buffers.hpp>
#include <cleave/data/ahead.hpp>
#include <cleave/data/concept.hpp>
#include <cleave/data/folder_listing.hpp>
#include <cleave/data/image_decoder.hpp>
#include <cleave/data/kept_files.hpp>
#include <cleave/data/normalisation.hpp>
#include <cleave/data/photo_augmentation.hpp>
#include <cleave/data/photo_renderer.hpp>
#include <cleave/data/read_file.hpp>
#include <cleave/data/stratified.hpp>
#include <cleave/data/worker_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
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
  /// Batches that may lie ready or be under way, see `prepare`; each has
  /// images x 3 x size x size floats. 0, or one worker: none is made ahead.
  std::size_t ahead = 4;
  /// Bytes of files that each part keeps in memory once they were read: spares small ones the
  /// system calls.
  std::size_t keep_bytes = std::size_t{1} << 28;
  DecodeLimits limits{};
  std::size_t max_file_bytes = std::size_t{1} << 28;
};

/// A folder of JPEG and PNG files in ImageNet's layout, DIR/train/CLASS/IMAGE, read and decoded
/// batch by batch by all cores; for sets that do not fit in memory. Copies share the listing and
/// the threads. Of a JPEG only the part that the crop needs is decoded.
///
/// A model of `PreparesBatches`: the batches that the engine announces are made while it trains on
/// the one before.
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
    parts_ = {std::make_shared<const KeptPart>(std::move(train), options_.keep_bytes),
              std::make_shared<const KeptPart>(std::move(test), options_.keep_bytes)};
    workshop_ = std::make_shared<Workshop>(options_);
  }

  [[nodiscard]] std::string_view name() const noexcept { return options_.name; }
  [[nodiscard]] std::int64_t classes() const noexcept {
    return static_cast<std::int64_t>(classes_->size());
  }
  [[nodiscard]] ImageShape shape() const noexcept { return {3, options_.size, options_.size}; }
  [[nodiscard]] const ImageFolderOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Normalisation& normalisation() const noexcept {
    return options_.normalisation;
  }
  [[nodiscard]] const PhotoAugmentation& augmentation() const noexcept {
    return options_.augmentation;
  }
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
    auto request = request_of(part, indices, augment, stream);
    auto making = take_prepared(request);
    if (!making) making = begin(std::move(request));
    workshop_->pool.finish(making->job);
    auto& result = making->batch;
    if (type_ != at::kFloat) result.images = result.images.to(type_);
    if (!device_.is_cpu()) return {result.images.to(device_), result.labels.to(device_)};
    return result;
  }

  /// Begins a batch that `batch` will soon be asked for with the same arguments, and returns at
  /// once. Only time depends on it: what is never asked for is dropped for later announcements, and
  /// errors of files are kept for `batch`. Throws `ValueError` as `batch`.
  void prepare(Part part, std::span<const std::int64_t> indices, bool augment,
               Stream stream) const {
    auto request = request_of(part, indices, augment, stream);
    if (options_.ahead == 0 || workshop_->pool.workers() == 1) return;
    const std::lock_guard lock(workshop_->mutex);
    auto& prepared = workshop_->prepared;
    for (const auto& making : prepared)
      if (making.request == request) return;
    while (prepared.size() >= options_.ahead) {
      workshop_->pool.cancel(prepared.front().job);
      prepared.pop_front();
    }
    prepared.push_back(begin(std::move(request)));
  }

  /// Reads and decodes every file of a part and says what is wrong with which, in their order;
  /// empty when all are good. Costs an epoch without training.
  [[nodiscard]] std::vector<std::string> damaged_files(Part part) const {
    const auto& chosen = of(part);
    std::vector<std::string> problems(chosen.files.size());
    workshop_->pool.for_each(chosen.files.size(), [&](std::size_t i, std::size_t worker) {
      auto& bench = workshop_->benches[worker];
      try {
        const auto path = chosen.path(i).string();
        bench.decoder.decode(bench.read(path, options_.max_file_bytes), path, 1.0, bench.photo);
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
      result.parts_[p] = std::make_shared<const KeptPart>(std::move(smaller), options_.keep_bytes);
    }
    return result;
  }

 private:
  /// A part, and what of it is in memory.
  struct KeptPart : FolderPart {
    KeptPart(FolderPart part, std::size_t keep_bytes)
        : FolderPart(std::move(part)), kept(files.size(), keep_bytes) {}
    mutable KeptFiles kept;
  };
  /// What a batch depends on.
  struct Request {
    std::shared_ptr<const KeptPart> part{};
    std::vector<std::int64_t> indices{};
    std::optional<PhotoAugmentation> augmentation{};
    Stream stream{};
    std::int64_t size = 0;

    friend bool operator==(const Request&, const Request&) = default;
  };
  /// A batch under way.
  struct Making {
    Request request{};
    Batch batch{};
    WorkerPool::Handle job{};
  };
  /// What one worker works with.
  struct Bench {
    explicit Bench(const DecodeLimits& limits) : decoder(limits) {}
    FileReader read{};
    ImageDecoder decoder;
    PhotoRenderer render{};
    Photo photo{};
    std::string path{};
  };
  struct Workshop {
    explicit Workshop(const ImageFolderOptions& options) : pool(options.workers) {
      for (std::size_t worker = 0; worker < pool.workers(); ++worker)
        benches.emplace_back(options.limits);
    }
    std::deque<Bench> benches;
    std::shared_ptr<Buffers> buffers = std::make_shared<Buffers>();
    std::mutex mutex;
    std::deque<Making> prepared;  ///< oldest first
    WorkerPool pool;              // last: its threads stop before the benches go
  };

  [[nodiscard]] Request request_of(Part part, std::span<const std::int64_t> indices, bool augment,
                                   Stream stream) const {
    const auto& chosen = parts_[part == Part::Train ? 0 : 1];
    if (indices.empty()) throw ValueError(fmt::format("{}: a batch of no images", name()));
    for (std::size_t i = 0; i < indices.size(); ++i)
      if (indices[i] < 0 || indices[i] >= static_cast<std::int64_t>(chosen->labels.size()))
        throw ValueError(fmt::format("{}: entry {} of a batch is image {}, the part has {}", name(),
                                     i, indices[i], chosen->labels.size()));
    Request request{chosen, {indices.begin(), indices.end()}, {}, {}, options_.size};
    if (augment) request.augmentation = options_.augmentation, request.stream = stream;
    return request;
  }

  [[nodiscard]] std::optional<Making> take_prepared(const Request& request) const {
    const std::lock_guard lock(workshop_->mutex);
    auto& prepared = workshop_->prepared;
    const auto found = std::find_if(prepared.begin(), prepared.end(), [&](const Making& making) {
      return making.request == request;
    });
    if (found == prepared.end()) return std::nullopt;
    auto making = std::move(*found);
    prepared.erase(found);
    return making;
  }

  /// Images, channels last, whose memory goes to a later batch with them.
  [[nodiscard]] at::Tensor borrow(std::int64_t count, std::int64_t size) const {
    const auto values = static_cast<std::size_t>(count * 3 * size * size);
    auto lease = std::make_shared<Buffers::Lease>(workshop_->buffers->take(values * sizeof(float)));
    float* const memory = lease->as<float>();
    return at::from_blob(
        memory, {count, 3, size, size}, {3 * size * size, 1, 3 * size, 3},
        [lease](void*) mutable { lease.reset(); }, at::kFloat);
  }

  /// Hands a batch to the workers.
  [[nodiscard]] Making begin(Request request) const {
    const auto count = static_cast<std::int64_t>(request.indices.size());
    Batch batch{borrow(count, request.size), at::empty({count}, at::kLong)};
    // Not `this`: the job may outlive this copy of the set, though not the workshop
    auto job = workshop_->pool.begin(
        request.indices.size(),
        [request, batch, central = options_.central, normalisation = options_.normalisation,
         max_file_bytes = options_.max_file_bytes,
         workshop = workshop_.get()](std::size_t place, std::size_t worker) {
          const auto i = static_cast<std::size_t>(request.indices[place]);
          const auto values = ImageShape{3, request.size, request.size}.size();
          const auto& part = *request.part;
          batch.labels.mutable_data_ptr<std::int64_t>()[place] = part.labels[i];
          auto& bench = workshop->benches[worker];
          auto& path = bench.path;
          path = part.root.native();
          path += '/';
          path += part.files[i];
          const auto size =
              bench.decoder.open(part.kept.get(i, path, max_file_bytes, bench.read), path);
          PhotoDraw draw;
          if (request.augmentation)
            draw = draw_photo(*request.augmentation, size.width, size.height,
                              request.stream.fork(place));
          else
            draw.box = central_box(central, size.width, size.height);
          draw.box = bench.decoder.read(
              draw.box,
              static_cast<double>(request.size) / std::min(draw.box.width, draw.box.height),
              bench.photo);
          bench.render(bench.photo, draw, request.size, normalisation,
                       batch.images.mutable_data_ptr<float>() + place * values);
        });
    return {std::move(request), std::move(batch), std::move(job)};
  }

  void check_options() const {
    const auto& o = options_;
    if (o.size < 1 || o.size > 4096)
      throw ValueError(fmt::format("{}: image size {}, allowed 1 to 4096", o.name, o.size));
    if (!(o.central > 0 && o.central <= 1))
      throw ValueError(
          fmt::format("{}: central share {}, allowed above 0 to 1", o.name, o.central));
    if (o.workers > 1024)
      throw ValueError(fmt::format("{}: {} workers, at most 1024", o.name, o.workers));
    if (o.ahead > 1024)
      throw ValueError(fmt::format("{}: {} batches ahead, at most 1024", o.name, o.ahead));
    if (o.limits.max_pixels < 1)
      throw ValueError(
          fmt::format("{}: at most {} pixels, at least 1 is needed", o.name, o.limits.max_pixels));
    check(o.augmentation, o.name);
    static_cast<void>(normalised_bytes(o.normalisation, 3));
  }

  [[nodiscard]] const FolderPart& of(Part part) const noexcept {
    return *parts_[part == Part::Train ? 0 : 1];
  }

  ImageFolderOptions options_;
  std::shared_ptr<const std::vector<std::string>> classes_;
  std::array<std::shared_ptr<const KeptPart>, 2> parts_;
  std::shared_ptr<Workshop> workshop_;
  at::ScalarType type_ = at::kFloat;
  at::Device device_ = at::kCPU;
};

static_assert(DataSet<ImageFolder> && PreparesBatches<ImageFolder>);

}  // namespace cleave::data
