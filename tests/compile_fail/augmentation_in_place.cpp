// expect: Augmented: an augmentation needs name and at::Tensor operator()
// needs: torch
#include <cleave/data/augmented.hpp>
#include <cleave/data/in_memory.hpp>

// What belongs to the data set is not changed in place.
struct Mirrored {
  static constexpr std::string_view name = "mirrored";
  void operator()(at::Tensor& images, const cleave::data::Normalisation&, cleave::Stream) const {
    images = images.flip(3);
  }
};

using Data = cleave::data::Augmented<cleave::data::InMemory, Mirrored>;
int main() { return sizeof(Data) == 0; }
