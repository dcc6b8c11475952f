"""The gradient through an int8 EinsumDense layer is wrong on PyTorch.

The fault: on PyTorch, with int8 weights and float inputs, `EinsumDense` of
Keras 3.15 brings the scales into the layout of its kernel once in the forward
pass and a second time in the backward pass. Where the layouts differ, as in
Gemma's `btd,ndh->btnh`, that fails or, if the shapes happen to fit, gives a
wrong gradient.

No upstream issue was found. The pull request
https://github.com/keras-team/keras/pull/23593 removes the branch for PyTorch
in which it happens.
"""

import functools
from typing import Any

import keras
from keras import ops


def correct_gradient(layer: Any) -> None:
    """Gives a quantized layer the correct gradient on PyTorch.

    Args:
        layer: a `keras.layers.EinsumDense` with int8 weights, whose inputs
            are not quantized. It is changed in place, on PyTorch only.
    """
    if keras.backend.backend() == "torch":
        layer._int8_call = functools.partial(_call, layer)


def _call(layer: Any, inputs: Any, training: bool | None = None) -> Any:
    @ops.custom_gradient
    def product(inputs, kernel, scale):
        def as_floats():
            return ops.divide(ops.cast(kernel, layer.compute_dtype), scale)

        # The backward pass makes the floats again, so they are not kept.
        def gradient(*args, upstream):
            inputs_gradient = ops.einsum(
                layer._custom_gradient_equation, upstream, as_floats()
            )
            return inputs_gradient, None, None

        return ops.einsum(layer.equation, inputs, as_floats()), gradient

    x = product(
        inputs,
        ops.convert_to_tensor(layer._kernel),
        layer._adjust_scale_for_dequant(layer.kernel_scale),
    )
    if layer.lora_enabled:
        low_rank = ops.einsum(layer.equation, inputs, layer.lora_kernel_a)
        low_rank = ops.matmul(low_rank, layer.lora_kernel_b)
        x = x + layer.lora_alpha / layer.lora_rank * low_rank
        x = ops.cast(x, layer.compute_dtype)
    if layer.bias is not None:
        x = x + layer.bias
    return x if layer.activation is None else layer.activation(x)
