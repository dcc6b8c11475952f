"""The new layers around the backbone's blocks."""

from typing import Any

import keras
from keras import ops

from keras_fpt.models.model_settings import TaskShape


def project_tokens(shape: TaskShape, width: int, dtype: Any) -> Any:
    """A layer that projects tokens to the width of the backbone.

    Args:
        shape: a `TaskShape`, which says what tokens are.
        width: int, the width of the backbone's token embedding.
        dtype: a Keras dtype policy.
    """
    # Orthogonal with gain sqrt(2), as the reference code initializes its
    # layer for vectors. For integers the reference draws an embedding from
    # N(0, 1); here they get the same initial layer as one-hot vectors would.
    orthogonal = keras.initializers.Orthogonal(gain=2**0.5)

    def initialize(shape: Any, dtype: Any) -> Any:
        # Its decomposition exists in float32 only, on some backends.
        return ops.cast(orthogonal(shape, "float32"), dtype)

    if shape.vocabulary_size is None:
        return keras.layers.Dense(
            width, kernel_initializer=initialize, dtype=dtype, name="input"
        )
    return keras.layers.Embedding(
        shape.vocabulary_size,
        width,
        embeddings_initializer=initialize,
        dtype=dtype,
        name="input",
    )


def add_positions(num_positions: int, width: int, dtype: Any) -> Any:
    """A layer of learned positions, zero at first.

    Args:
        num_positions: int, for how many tokens.
        width: int, as of `project_tokens`.
        dtype: a Keras dtype policy.
    """
    import keras_hub

    layer = keras_hub.layers.PositionEmbedding(
        num_positions, initializer="zeros", dtype=dtype, name="positions"
    )
    layer.build((None, None, width))
    return layer


def output_dtype(policy: Any) -> Any:
    """The dtype policy of the output layer.

    It is at least float32 where the backbone computes in less. Where the
    backbone's weights are half precision too, so are the output layer's: Keras
    cannot clip gradients of several types by their common norm.

    Args:
        policy: the dtype policy of the backbone, a `keras.DTypePolicy`.
    """
    if policy.variable_dtype in ("float16", "bfloat16"):
        return policy
    return "float64" if policy.compute_dtype == "float64" else "float32"
