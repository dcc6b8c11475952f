"""The new layers around the backbone's blocks."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt import freezing
from keras_fpt.compat import keras_internals
from keras_fpt.models.model_settings import TaskShape


def project_tokens(
    shape: TaskShape,
    width: int,
    dtype: Any,
    embedding_init: str | None = None,
    norm: float | None = None,
) -> Any:
    """A layer that projects tokens to the width of the backbone.

    Args:
        shape: a `TaskShape`, which says what tokens are.
        width: int, the width of the backbone's token embedding.
        dtype: a Keras dtype policy.
        embedding_init: string, as of `ModelOptions`.
        norm: float, the norm that embedded tokens begin with, as
            `input_scale` of `ModelOptions` says; `None` for the initializer's.
    """
    is_embedding = shape.vocabulary_size is not None
    # Orthogonal with gain sqrt(2), which for vectors is the reference code's
    # (1.41). For integers it is what one-hot vectors would get, while the
    # reference code draws them from N(0, 1).
    initializer: Any = keras.initializers.Orthogonal(gain=2**0.5)
    if is_embedding and embedding_init == "normal":
        initializer = keras.initializers.RandomNormal(stddev=1.0)

    def initialize(shape: Any, dtype: Any) -> Any:
        # The orthogonal decomposition exists in float32 only, on some backends.
        value = initializer(shape, "float32")
        if norm is not None:
            rows = shape[0] if is_embedding else 1
            value = value * (norm * rows**0.5 / ops.norm(value))
        return ops.cast(value, dtype)

    if not is_embedding:
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


def embedding_norm(backbone: Any, width: int) -> float:
    """The root mean square norm of the rows of a backbone's token embedding.

    Args:
        backbone: a KerasHub backbone.
        width: int, the width of its token embedding.

    Raises:
        ValueError: it has no token embedding.
    """
    for layer in keras_internals.flatten_layers(backbone):
        if isinstance(layer, keras.layers.Embedding):
            path = keras_internals.stored_matrix(layer).path
            is_tokens = freezing.backbone_group(path) == "token_embedding"
            if is_tokens and layer.output_dim == width:
                rows = layer(ops.arange(layer.input_dim, dtype="int32"))
                rows = ops.convert_to_numpy(ops.cast(rows, "float32"))
                return float(np.linalg.norm(rows) / layer.input_dim**0.5)
    raise ValueError(
        "input_scale='pretrained' needs a backbone with a token embedding, "
        f"which a {type(backbone).__name__} does not have. Leave it out."
    )


def add_positions(num_positions: int, width: int, dtype: Any) -> Any:
    """A layer of learned positions, initialized to zero.

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


def project_states(
    units: int, width: int | None, dtype: Any, output_init: str | None
) -> Any:
    """The output layer, from hidden states to logits.

    Args:
        units: int, the number of logits.
        width: int, the width of what it reads. `None` leaves the layer
            without weights, until it is built.
        dtype: a Keras dtype policy.
        output_init: string, as of `ModelOptions`.
    """
    initializers = {} if width is None else _initializers(width, output_init)
    layer = keras.layers.Dense(
        units, dtype=dtype, name="output", **initializers
    )
    if width is not None:
        layer.build((None, None, width))
    return layer


def build_output(layer: Any, width: int, output_init: str | None) -> None:
    """Builds an output layer that was made without a width.

    Args:
        layer: what `project_states` returned.
        width: int, the width of what it reads.
        output_init: string, as of `ModelOptions`.
    """
    for name, initializer in _initializers(width, output_init).items():
        setattr(layer, name, initializer)
    layer.build((None, None, width))


def _initializers(width: int, output_init: str | None) -> dict[str, Any]:
    initializers = {}
    if output_init == "pytorch":
        limit = width**-0.5
        for name in ("kernel_initializer", "bias_initializer"):
            initializers[name] = keras.initializers.RandomUniform(-limit, limit)
    return initializers


def normalize_states(kind: str | None, dtype: Any) -> Any:
    """The norm before the output layer, or `None`.

    Args:
        kind: string, `output_norm` of `ModelOptions`.
        dtype: a Keras dtype policy.
    """
    norms = {
        "layer": keras.layers.LayerNormalization,
        "batch": keras.layers.BatchNormalization,
    }
    if kind is None:
        return None
    # An average over 10 steps: a run may be short.
    more = {"momentum": 0.9} if kind == "batch" else {}
    return norms[kind](epsilon=1e-5, dtype=dtype, name="output_norm", **more)


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
