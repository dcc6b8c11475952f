"""The operations of a transformer's block, with fewer passes over memory.

Custom gradients are used where a backend's own would keep or compute more than
is needed. Kernels and biases are tensors, and nothing here is a layer.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_fpt.models.dropout_threshold import BITS, dropout_threshold

# Tensors with as many numbers per token, or more, are computed in one pass.
_FUSED_WIDTH = 512


def dense(
    x: Any, kernel: Any, bias: Any = None, training: bool | None = None
) -> Any:
    """Computes `x @ kernel + bias` as one product of matrices.

    A kernel in bfloat16 for `x` in float32 is frozen and has no gradient. Then
    `x`, and the gradient of the product, are rounded to bfloat16 as well.
    Products are summed up in float32; where a backend's products have the type
    of their inputs (TensorFlow, PyTorch), the sums are rounded to bfloat16.

    Args:
        x: float tensor `(..., inputs)`.
        kernel: float tensor `(inputs, outputs)`.
        bias: float tensor `(outputs,)` of the type of `x`, or `None`.
        training: bool.

    Returns:
        Float tensor `(..., outputs)` of the type of `x`.
    """
    types = [keras.backend.standardize_dtype(t.dtype) for t in (x, kernel)]
    is_frozen = types == ["float32", "bfloat16"]
    if keras.backend.backend() == "torch":
        import torch

        if not is_frozen:
            return torch.nn.functional.linear(x, kernel.T, bias)
        from keras_fpt.models import torch_ops

        return torch_ops.frozen_dense(x, kernel, bias)
    flat = ops.reshape(x, (-1, x.shape[-1]))
    if is_frozen:
        product = _frozen_product(flat, kernel, training=training)
    else:
        product = ops.matmul(flat, kernel)
    if bias is not None:
        product = ops.add(product, bias)
    return ops.reshape(product, (*ops.shape(x)[:-1], kernel.shape[-1]))


def training_gradient(function: Callable) -> Callable:
    """A decorator like `ops.custom_gradient`, which acts only in training.

    At inference no gradient is needed, and exporters do not support it.

    Args:
        function: as for `ops.custom_gradient`.

    Returns:
        A function of the same arguments and of `training`.
    """
    with_gradient = ops.custom_gradient(function)

    def call(*args, training):
        return with_gradient(*args) if training else function(*args)[0]

    return call


@training_gradient
def _frozen_product(x, kernel):  # on TensorFlow and JAX
    def gradient(upstream):
        return _low_product(upstream, kernel, transpose=True), None

    return _low_product(x, kernel, transpose=False), gradient


def _low_product(x: Any, kernel: Any, transpose: bool) -> Any:
    """`x @ kernel`, or `x @ kernel.T`, in float32 from inputs in bfloat16."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.lax.dot_general(
            x.astype("bfloat16"),
            kernel,
            (((1,), (1 if transpose else 0,)), ((), ())),
            preferred_element_type="float32",
        )
    import tensorflow as tf

    product = tf.matmul(tf.cast(x, "bfloat16"), kernel, transpose_b=transpose)
    return tf.cast(product, "float32")


def gelu_tanh(x: Any, training: bool | None) -> Any:
    """GELU approximated by tanh, which keeps only `x` for the gradient."""
    if keras.backend.backend() == "torch":
        return ops.gelu(x, approximate=True)
    return _gelu_tanh(x, training=training)


@training_gradient
def _gelu_tanh(x):  # on TensorFlow and JAX
    def gradient(upstream):
        (late_x,) = optimization_barrier(upstream, x)
        return _fuse(_gelu_gradient, upstream, late_x)

    return _fuse(_gelu_value, x), gradient


# 0.5 * (1 + tanh(u)) is sigmoid(2 * u).
_GELU_SLOPE, _GELU_CUBIC = 2 * math.sqrt(2 / math.pi), 0.044715


def _gelu_gate(x: Any) -> Any:
    return ops.sigmoid(_GELU_SLOPE * x * (1 + _GELU_CUBIC * x * x))


def _gelu_value(x: Any) -> Any:
    return x * _gelu_gate(x)


def _gelu_gradient(upstream: Any, x: Any) -> Any:
    gate = _gelu_gate(x)
    inner = _GELU_SLOPE * x * (1 + 3 * _GELU_CUBIC * x * x)
    return upstream * gate * (1 + (1 - gate) * inner)


def _fuse(function: Callable, *tensors: Any) -> Any:
    """Computes a function of tensors in one pass over memory.

    XLA fuses the operations of all steps on JAX. On TensorFlow it is asked to
    do so where that was measured to be faster, on CPUs: compiling takes some
    tenths of a second for each shape, which narrow tensors do not win back.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        is_wide = tensors[0].shape[-1] >= _FUSED_WIDTH
        if is_wide and not tf.config.list_physical_devices("GPU"):
            return _compiled(function)(*tensors)
    return function(*tensors)


@functools.cache
def _compiled(function: Callable) -> Callable:  # on TensorFlow
    import tensorflow as tf

    return tf.function(
        function, autograph=False, jit_compile=True, reduce_retracing=True
    )


def layer_norm(
    x: Any, gamma: Any, beta: Any, epsilon: float, training: bool | None
) -> Any:
    """Layer normalization of float32 over the last axis.

    Args:
        x: float tensor `(batch, tokens, dim)`.
        gamma, beta: float tensors `(dim,)`; or `(runs, dim)`, where the batch
            is the examples of one run after those of another.
        epsilon: float.
        training: bool.
    """
    shape = ops.shape(x)
    is_stacked = len(gamma.shape) == 2
    if is_stacked:
        x = ops.reshape(x, (gamma.shape[0], -1, *shape[1:]))
        gamma, beta = gamma[:, None, None], beta[:, None, None]
    if keras.backend.backend() != "torch":
        x = _layer_norm(float(epsilon))(x, gamma, beta, training=training)
    elif is_stacked:
        import torch

        x = torch.nn.functional.layer_norm(x, shape[-1:], eps=epsilon)
        x = torch.addcmul(beta, x, gamma)
    else:
        x = ops.layer_normalization(x, gamma, beta, epsilon=epsilon)
    return ops.reshape(x, shape) if is_stacked else x


def _layer_norm(epsilon: float) -> Callable:
    @training_gradient
    def normalize(x, gamma, beta):
        mean = ops.mean(x, axis=-1, keepdims=True)
        centered = x - mean
        variance = ops.mean(centered * centered, axis=-1, keepdims=True)
        inverse = ops.rsqrt(variance + epsilon)
        normal = centered * inverse

        def gradient(upstream):
            scaled = upstream * gamma
            mean = ops.mean(scaled, axis=-1, keepdims=True)
            along = ops.mean(scaled * normal, axis=-1, keepdims=True)
            x_gradient = (scaled - mean - normal * along) * inverse
            is_stacked = len(gamma.shape) > 1
            axes = tuple(range(is_stacked, len(x.shape) - 1))
            return (
                x_gradient,
                ops.sum(upstream * normal, axis=axes, keepdims=is_stacked),
                ops.sum(upstream, axis=axes, keepdims=is_stacked),
            )

        return normal * gamma + beta, gradient

    return normalize


def dropout(x: Any, rate: float, seed_generator: Any) -> Any:
    """Applies dropout.

    Args:
        x: float tensor.
        rate: float. The nearest multiple of 2**-16 is used.
        seed_generator: `keras.random.SeedGenerator`. On PyTorch, the generator
            of PyTorch is used instead, as Keras does.
    """
    if keras.backend.backend() == "torch":
        from keras_fpt.models import torch_ops

        return torch_ops.dropout(x, rate)
    mask = dropout_mask(ops.shape(x), rate, seed_generator)
    return apply_dropout(x, mask, rate)


def dropout_mask(shape: tuple, rate: float, seed_generator: Any) -> Any:
    """Draws which entries dropout keeps, with a random number of 16 bits each.

    This function and `apply_dropout` are for TensorFlow and JAX.

    Args:
        shape: tuple of ints, or of scalar tensors on TensorFlow.
        rate: float. The nearest multiple of 2**-16 is used.
        seed_generator: `keras.random.SeedGenerator`.

    Returns:
        The `mask` for `apply_dropout`: on TensorFlow a bool tensor of `shape`;
        on JAX two words from which the mask is computed wherever it is needed.
    """
    if keras.backend.backend() == "jax":
        first, second = seed_generator.next()
        offset = _hashed(_hashed(first) + second)
        return ops.stack([offset, _hashed(offset ^ first)])
    import tensorflow as tf

    count = tf.reduce_prod(tf.stack(shape))
    words = tf.random.stateless_uniform(
        [(count + 1) // 2],
        tf.cast(seed_generator.next(), "int32"),
        minval=None,
        maxval=None,
        dtype="int32",
    )
    numbers = tf.reshape(tf.bitcast(words, "int16"), [-1])[:count]
    # The numbers are signed.
    limit = dropout_threshold(rate) - 2 ** (BITS - 1)
    return tf.reshape(numbers, shape) >= limit


def apply_dropout(x: Any, mask: Any, rate: float) -> Any:
    """Scales the entries of `x` that a mask keeps, and sets the others to 0.

    Args:
        x: float tensor.
        mask: what `dropout_mask` returned for the shape of `x`.
        rate: float, the same rate.
    """
    scale = 1 / (1 - dropout_threshold(rate) / 2**BITS)
    if keras.backend.backend() == "jax":
        index = ops.reshape(
            ops.arange(math.prod(x.shape), dtype="uint32"), x.shape
        )
        numbers = _hashed(_hashed(index + mask[0]) ^ mask[1])
        mask = numbers >> (32 - BITS) >= dropout_threshold(rate)
    # A product with the mask would keep floats for its gradient.
    return ops.where(mask, x * scale, ops.zeros((), x.dtype))


def _hashed(x: Any) -> Any:
    """Mixes 32 bits with a bijection from Wellons' hash-prospector.

    JAX's own random numbers, needed three times per block, are slow to compile
    and slower to draw. XLA computes these within the operation that uses them.
    """
    x = (x ^ (x >> 16)) * ops.cast(0x21F0AAAD, "uint32")
    x = (x ^ (x >> 15)) * ops.cast(0xD35A2D97, "uint32")
    return x ^ (x >> 15)


def split_heads(x: Any, shape: tuple, parts: int, num_heads: int) -> list:
    """Splits a joint projection into tensors of heads.

    Args:
        x: float tensor with `parts * num_heads * head_dim` numbers per token.
        shape: tuple `(batch, tokens)`, taken from the input of the projection.
            Exporters to ONNX lose the shape of `x`, which was just reshaped.
        parts: int, the number of projections in `x`.
        num_heads: int.

    Returns:
        List of `parts` float tensors `(batch, num_heads, tokens, head_dim)`.
    """
    head_dim = x.shape[-1] // (parts * num_heads)
    x = ops.reshape(x, (*shape, parts, num_heads, head_dim))
    x = ops.transpose(x, (2, 0, 3, 1, 4))
    if keras.backend.backend() == "torch":
        # Otherwise each product of matrices would copy its own part.
        x = x.contiguous()
    return ops.unstack(x, axis=0)


def optimization_barrier(first: Any, *tensors: Any) -> tuple:
    """Returns `tensors`, so that operations on them are computed after `first`.

    Without a barrier, compilers merge what is computed again to save memory
    with the first computation and keep its result.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.lax.optimization_barrier((first, *tensors))[1:]
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.control_dependencies([first]):
            return tuple(tf.identity(x) for x in tensors)
    return tensors


def trace_once(function: Callable) -> Callable:
    """A function of tensors that is traced once for all calls in a graph.

    Calls with tensors of other shapes or types are traced again.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.executing_eagerly():
            return tf.function(function, autograph=False)
    return function
