"""Layers with a set of weights for each of several runs.

The first axis of their inputs is the batch of one run after that of another,
`runs * batch` long, so that layers without sets of their own compute them all
at once.
"""

from typing import Any

import keras
from keras import ops

from keras_fpt.models import fast_ops


class StackedLayer(keras.layers.Layer):
    """The weights of a layer, stacked along a new first axis.

    They have the names of the layer's own, and are zero at first.

    Args:
        layer: the built layer of one run.
        size: int, the number of runs.
        sources: dict from the name of each weight of `layer` to the one that
            it has in `keras_fpt.freezing.named_weights`.
        trained: collection of those of the latter names that train.
    """

    def __init__(
        self, layer: Any, size: int, sources: dict[str, str], trained: Any
    ) -> None:
        # Blocks have norms of the same name.
        path = min(sources.values()).rpartition("/")[0]
        super().__init__(name=path.replace("/", "_"), dtype=layer.dtype_policy)
        self.size, self.sources = size, sources
        for variable in layer.weights:
            weight = self.add_weight(
                shape=(size, *variable.shape),
                initializer="zeros",
                dtype=variable.dtype,
                trainable=sources[variable.name] in trained,
                name=variable.name,
            )
            setattr(self, variable.name, weight)
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class StackedNorm(StackedLayer):
    """A `keras.layers.LayerNormalization` for each run."""

    def __init__(self, layer: Any, *args: Any) -> None:
        super().__init__(layer, *args)
        self.epsilon = layer.epsilon

    def call(self, x: Any, training: bool | None = None) -> Any:
        dtype = keras.backend.result_type(x.dtype, "float32")
        x, gamma, beta = (
            ops.cast(tensor, dtype) for tensor in (x, self.gamma, self.beta)
        )
        x = fast_ops.layer_norm(x, gamma, beta, self.epsilon, training)
        return ops.cast(x, self.compute_dtype)


class StackedPositions(StackedLayer):
    """A `keras_hub.layers.PositionEmbedding` for each run."""

    def call(self, x: Any, start_index: int = 0) -> Any:
        shape = ops.shape(x)
        table = ops.slice(
            ops.convert_to_tensor(self.embeddings),
            (0, start_index, 0),
            (self.size, shape[1], x.shape[2]),
        )
        per_run = (self.size, shape[0] // self.size, *shape[1:])
        return ops.reshape(ops.broadcast_to(table[:, None], per_run), shape)


class StackedDense(StackedLayer):
    """A `keras.layers.Dense` without activation for each run."""

    def call(self, x: Any) -> Any:
        shape, width = ops.shape(x), x.shape[-1]
        x = ops.matmul(ops.reshape(x, (self.size, -1, width)), self.kernel)
        x = x + self.bias[:, None]
        return ops.reshape(x, (*shape[:-1], self.kernel.shape[-1]))


class StackedEmbedding(StackedLayer):
    """A `keras.layers.Embedding` for each run."""

    def call(self, x: Any) -> Any:
        shape = ops.shape(x)
        _, rows, width = self.embeddings.shape
        first = ops.arange(self.size, dtype="int32")[:, None] * rows
        x = ops.reshape(ops.cast(x, "int32"), (self.size, -1)) + first
        table = ops.reshape(self.embeddings, (self.size * rows, width))
        return ops.reshape(ops.take(table, x, axis=0), (*shape, width))


class StackedBlock(keras.layers.Layer):
    """A block of which only the norms differ between runs.

    `fast_network.run_block` computes it.

    Args:
        block: the `TransformerEncoder` or `TransformerDecoder` of one run.
        norms: dict of those of its norms that are stacked, by their names in
            `keras_hub_internals.BlockLayers`.
    """

    def __init__(self, block: Any, norms: dict[str, StackedNorm]) -> None:
        super().__init__(name=block.name, dtype=block.dtype_policy)
        self.block, self.norms = block, norms
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return self.block.get_config()
