"""The private names of Keras 3.15 that this package needs, in one place.

Keras has no public names for them. Where a release of Keras renames one, this
is the file to change.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One call of an operation in a functional graph.

    Args:
        operation: the `keras.Operation`, as a rule a layer.
        inputs: list of the tensors that went in.
        outputs: list of the tensors that came out.
        kwargs: dict of the call's keyword arguments.
    """

    operation: Any
    inputs: list
    outputs: list
    kwargs: dict


def flatten_layers(layer: Any, include_self: bool = True) -> Iterable[Any]:
    """A layer and all layers within it, at any depth."""
    return layer._flatten_layers(include_self=include_self)


def constants(layer: Any) -> list:
    """The layer's own weights that can never train, as constants are."""
    return layer._non_trainable_variables


def seed_generators(layer: Any) -> list:
    """The layer's own `keras.random.SeedGenerator`s."""
    return layer._seed_generators


def stored_matrix(layer: Any) -> Any:
    """The variable that contains a layer's matrix, quantized or not.

    The public `kernel` and `embeddings` are the matrix with LoRA added and
    without quantization, computed again at each access.

    Args:
        layer: a built `Dense`, `EinsumDense`, `Embedding` or
            `ReversibleEmbedding`.
    """
    return layer._kernel if hasattr(layer, "_kernel") else layer._embeddings


def remove_lora(layer: Any) -> None:
    """Removes the low-rank weights of a layer.

    Args:
        layer: a `Dense` or `EinsumDense` after `enable_lora`.
    """
    del layer.lora_kernel_a, layer.lora_kernel_b
    layer.lora_enabled = False
    layer.lora_rank = layer.lora_alpha = None


def named_inputs(model: Any) -> dict[str, Any]:
    """The inputs of a functional model that takes a dict, by name.

    Any other object gives an empty dict.
    """
    import keras

    if not isinstance(model, keras.Model):
        return {}
    inputs = getattr(model, "_inputs_struct", None)
    return dict(inputs) if isinstance(inputs, dict) else {}


def call_that_made(tensor: Any) -> Call:
    """The call that a tensor of a functional graph is the output of."""
    operation, node, _ = tensor._keras_history
    return _call(operation._inbound_nodes[node])


def calls_that_use(tensor: Any) -> list[Call]:
    """All calls that an input of a functional graph goes into."""
    operation = tensor._keras_history.operation
    return [_call(node) for node in operation._outbound_nodes]


def first_call(operation: Any) -> Call:
    """The first call of an operation in a functional graph."""
    return _call(operation._inbound_nodes[0])


def _call(node: Any) -> Call:
    return Call(
        node.operation,
        node.input_tensors,
        node.outputs,
        node.arguments.kwargs,
    )


def mask_of(tensor: Any) -> Any:
    """The mask that a layer, such as `Masking`, gave to a tensor, or `None`."""
    import keras

    return keras.src.backend.get_keras_mask(tensor)


def loss_tracker(model: Any) -> Any:
    """The metric in which a compiled model keeps its mean loss."""
    return model._loss_tracker


def modules_of_ops() -> list[Any]:
    """The modules where layers and models look up `keras.ops` functions."""
    import keras

    return [keras.ops, keras.ops.nn, keras.src.ops]
