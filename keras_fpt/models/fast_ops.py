"""The operations of a transformer's block, with fewer passes over memory.

Gradients are written out where a backend's own would keep, or make again,
more than they need. Kernels and biases are tensors: nothing here is a layer.
"""

import math

import keras
from keras import ops

BITS = 16  # Of a random number that decides what dropout drops.


def dense(x, kernel, bias=None):
    """`x @ kernel + bias` as one product of matrices.

    Args:
        x: float tensor `(..., inputs)`.
        kernel: float tensor `(inputs, outputs)`.
        bias: float tensor `(outputs,)`, or `None`.
    """
    if keras.backend.backend() == "torch":
        import torch

        return torch.nn.functional.linear(x, kernel.T, bias)
    flat = ops.reshape(x, (-1, x.shape[-1]))
    product = ops.matmul(flat, kernel)
    if bias is not None:
        product = ops.add(product, bias)
    return ops.reshape(product, (*ops.shape(x)[:-1], kernel.shape[-1]))


def written_gradient(function):
    """`ops.custom_gradient`, in training.

    Elsewhere nothing is gained by it, and exporters do not know it.

    Returns:
        A function as `ops.custom_gradient` returns it, of the same arguments
        and `training`.
    """
    trained = ops.custom_gradient(function)

    def either(*args, training):
        return trained(*args) if training else function(*args)[0]

    return either


def gelu_tanh(x, training):
    """GELU in its approximation by tanh; only `x` is kept for the gradient."""
    if keras.backend.backend() == "torch":
        return ops.gelu(x, approximate=True)
    return _gelu_tanh(x, training=training)


@written_gradient
def _gelu_tanh(x):  # On TensorFlow and JAX.
    # 0.5 * (1 + tanh(u)) is sigmoid(2 * u).
    slope, cubic = 2 * math.sqrt(2 / math.pi), 0.044715

    def gate(x):
        return ops.sigmoid(slope * x * (1 + cubic * x * x))

    def gradient(upstream):
        (kept_x,) = after(upstream, x)
        s = gate(kept_x)
        inner = slope * kept_x * (1 + 3 * cubic * kept_x * kept_x)
        return upstream * s * (1 + (1 - s) * inner)

    return x * gate(x), gradient


def layer_norm(x, gamma, beta, epsilon, training):
    """Layer normalization of float32 over the last axis."""
    if keras.backend.backend() == "torch":
        return ops.layer_normalization(x, gamma, beta, epsilon=epsilon)
    return _layer_norm(float(epsilon))(x, gamma, beta, training=training)


def _layer_norm(epsilon):
    @written_gradient
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
            back = (scaled - mean - normal * along) * inverse
            rest = tuple(range(len(x.shape) - 1))
            return (
                back,
                ops.sum(upstream * normal, axis=rest),
                ops.sum(upstream, axis=rest),
            )

        return normal * gamma + beta, gradient

    return normalize


def dropout(x, rate, seed_generator):
    """Dropout of `x`.

    Args:
        x: float tensor.
        rate: float. The nearest multiple of 2**-16 is used.
        seed_generator: `keras.random.SeedGenerator`. PyTorch's own generator
            is used there in its place, as Keras does.
    """
    if keras.backend.backend() == "torch":
        from keras_fpt.models import torch_ops

        return torch_ops.dropout(x, rate)
    return dropped(x, kept(ops.shape(x), rate, seed_generator), rate)


def kept(shape, rate, seed_generator):
    """Which entries dropout keeps, each with a random number of 16 bits.

    For TensorFlow and JAX, as is `dropped`.

    Args:
        shape: tuple of ints, or of scalar tensors on TensorFlow.
        rate: float. The nearest multiple of 2**-16 is used.
        seed_generator: `keras.random.SeedGenerator`.

    Returns:
        What `dropped` takes. On TensorFlow a tensor of bool of `shape`; on
        JAX, two words that the same is made from, as often as it is needed.
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
    # The 16 bits are those of a signed integer.
    return tf.reshape(numbers, shape) >= threshold(rate) - 2 ** (BITS - 1)


def dropped(x, keep, rate):
    """`x` where `kept`, scaled up by what is lost, and 0 elsewhere."""
    scale = 1 / (1 - threshold(rate) / 2**BITS)
    if keras.backend.backend() == "jax":
        index = ops.reshape(
            ops.arange(math.prod(x.shape), dtype="uint32"), x.shape
        )
        numbers = _hashed(_hashed(index + keep[0]) ^ keep[1])
        keep = numbers >> (32 - BITS) >= threshold(rate)
    # A product would keep floats for its gradient.
    return ops.where(keep, x * scale, ops.zeros((), x.dtype))


def _hashed(x):
    """32 bits mixed, by a bijection of Wellons' hash-prospector.

    JAX's own random numbers take long to compile, three times a block, and
    longer to draw; XLA makes these within the operation that needs them.
    """
    x = (x ^ (x >> 16)) * ops.cast(0x21F0AAAD, "uint32")
    x = (x ^ (x >> 15)) * ops.cast(0xD35A2D97, "uint32")
    return x ^ (x >> 15)


def threshold(rate):
    """Numbers of `BITS` bits below it are dropped."""
    return round(rate * 2**BITS)


def split_heads(x, shape, parts, num_heads):
    """Projections side by side, as tensors of heads.

    Args:
        x: float tensor of `parts * num_heads * head_dim` for each token.
        shape: tuple `(batch, tokens)`, of what was projected: exporters to
            ONNX lose it where it is asked of `x`, which was just reshaped.

    Returns:
        List of `parts` float tensors `(batch, num_heads, tokens, head_dim)`.
    """
    head_dim = x.shape[-1] // (parts * num_heads)
    x = ops.reshape(x, (*shape, parts, num_heads, head_dim))
    x = ops.transpose(x, (2, 0, 3, 1, 4))
    if keras.backend.backend() == "torch":
        # Else each product of matrices would copy its own part.
        x = x.contiguous()
    return ops.unstack(x, axis=0)


def after(first, *tensors):
    """`tensors`, for a computation that is not to be shared or done early.

    What is computed again to save memory would otherwise be merged with the
    first computation, and kept.
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


def traced_once(function):
    """`function` of tensors, which a graph's tracing runs through once.

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
