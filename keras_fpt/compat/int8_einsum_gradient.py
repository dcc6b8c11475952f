"""EinsumDense with int8 weights and float inputs, on PyTorch."""

import functools

import keras
from keras import ops


def repair(layer):
    """Gives a quantised layer a gradient that is right on PyTorch.

    Keras 3.15 there brings the scales into the kernel's layout on the way
    forward, and a second time on the way back, which fails or, where the
    shapes happen to fit, gives a wrong gradient.

    Args:
        layer: a `keras.layers.EinsumDense` with int8 weights, whose inputs
            are not quantised. It is changed in place, on PyTorch alone.
    """
    if keras.backend.backend() == "torch":
        layer._int8_call = functools.partial(_call, layer)


def _call(layer, inputs, training=None):
    @ops.custom_gradient
    def product(inputs, kernel, scale):
        def as_floats():
            return ops.divide(ops.cast(kernel, layer.compute_dtype), scale)

        # The floats are made again on the way back, not kept for it.
        def gradient(*args, upstream):
            back = ops.einsum(
                layer._custom_gradient_equation, upstream, as_floats()
            )
            return back, None, None

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
