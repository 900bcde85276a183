#pragma once

#include <cleave/torch.hpp>

namespace cleave::supernet {

/// A function of autograd with a gradient written by hand; an object is one call. All of them are
/// one `torch::autograd::Function`, because each more costs every program that includes it some
/// 15 KB of machine code to compile.
class CustomFunction : public torch::CustomClassHolder {
 public:
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  /// The outputs of `function`, with gradients flowing through.
  [[nodiscard]] static Tensors apply(const c10::intrusive_ptr<CustomFunction>& function,
                                     at::TensorList inputs) {
    return Autograd::apply(inputs, function);
  }

  /// Runs without recording gradients; what `backward` needs is kept in the context or here.
  virtual Tensors forward(Context& context, at::TensorList inputs) = 0;

  /// gradients: of the outputs. Returns one for each input, undefined where none is needed.
  virtual Tensors backward(Context& context, const Tensors& gradients) = 0;

 private:
  struct Autograd : torch::autograd::Function<Autograd> {
    static Tensors forward(Context* context, at::TensorList inputs,
                           const c10::intrusive_ptr<CustomFunction>& function) {
      context->saved_data["function"] = c10::IValue::make_capsule(function);
      return function->forward(*context, inputs);
    }
    static Tensors backward(Context* context, const Tensors& gradients) {
      const auto function = c10::static_intrusive_pointer_cast<CustomFunction>(
          context->saved_data["function"].toCapsule());
      auto results = function->backward(*context, gradients);
      results.emplace_back();  // of the function itself
      return results;
    }
  };
};

}  // namespace cleave::supernet
