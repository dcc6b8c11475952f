"""Weights and settings of KerasHub's backbones of any family."""

import collections
import hashlib
import re
from typing import Any

import numpy as np
from keras import ops

from keras_fpt.compat import keras_internals

# KerasHub gives these layers no names, so Keras numbers them across the whole
# process: the norms of T5 and T5Gemma, and mixtures of experts.
_NUMBERED = re.compile(
    r"(?<![^/])(t5_layer_norm|rms_normalization|\w+_sparse_moe_block)_\d+/"
)
_DEPTH_NAMES = ("num_layers", "encoder_num_layers")
_HEADS_NAMES = ("num_heads", "num_query_heads")
_DROPOUT_NAMES = (
    "dropout",
    "dropout_rate",
    "attention_dropout",
    "attention_dropout_rate",
    "feedforward_dropout_rate",
)


def weights_by_name(backbone: Any) -> dict[str, Any]:
    """The weights of a backbone, by name.

    Names are unique. They and their order, which is that of the graph, are the
    same in every process and on every backend. A name is the weight's path
    without the parts that change from process to process; where a path repeats,
    `#2`, `#3` and so on are added.

    Args:
        backbone: a KerasHub backbone.

    Returns:
        A dict from name to variable.
    """
    in_graph_order = [v for layer in backbone.layers for v in layer.weights]
    variables = {id(v): v for v in [*in_graph_order, *backbone.weights]}
    named: dict[str, Any] = {}
    counts: collections.Counter[str] = collections.Counter()
    for variable in variables.values():
        path = stable_path(backbone, variable.path)
        counts[path] += 1
        suffix = f"#{counts[path]}" if counts[path] > 1 else ""
        named[path + suffix] = variable
    return named


def stable_path(backbone: Any, path: str) -> str:
    """A weight's path without the parts that change from process to process."""
    return _NUMBERED.sub(r"\1/", path.removeprefix(f"{backbone.name}/"))


def parameters_by_name(backbone: Any) -> dict[str, Any]:
    """The weights of `weights_by_name` that can train.

    The others are constants that layers store as weights, such as SmolLM3's
    rotary frequencies and the scales of quantized kernels.

    Args:
        backbone: a KerasHub backbone.

    Returns:
        A dict from name to variable.
    """
    constants = {
        id(variable)
        for layer in keras_internals.flatten_layers(backbone)
        for variable in keras_internals.constants(layer)
    }
    return {
        name: variable
        for name, variable in weights_by_name(backbone).items()
        if id(variable) not in constants
    }


def digest(backbone: Any) -> str:
    """A hash of all weights of a backbone, the same on every backend.

    It follows from the weights' names, shapes and values. Files that contain
    the same weights, wherever they are, have the same digest.

    Args:
        backbone: a KerasHub backbone.

    Returns:
        A hexadecimal string. A GPT-2 of 124 million weights takes about half
        a second.
    """
    hashed = hashlib.sha256()
    for name, variable in weights_by_name(backbone).items():
        value = to_float32(variable)
        hashed.update(f"{name}{value.shape}".encode())
        hashed.update(value.data)
    return hashed.hexdigest()


def to_float32(variable: Any) -> np.ndarray:
    """A variable's value as little-endian float32, in one piece of memory.

    Of an array that JAX has spread over several processes, a process reads the
    parts on its own devices. Weights that are divided are divided between the
    devices of one process, so these are all parts.
    """
    value = variable.value
    if getattr(value, "is_fully_addressable", True) or getattr(
        value, "is_fully_replicated", True
    ):
        array = ops.convert_to_numpy(variable)
    else:
        array = np.empty(value.shape, value.dtype)
        for shard in value.addressable_shards:
            array[shard.index] = np.asarray(shard.data)
    return np.asarray(array, "<f4", order="C")


def depth_name(backbone: Any) -> str:
    """The name of a backbone's argument for its number of blocks."""
    return next(name for name in _DEPTH_NAMES if hasattr(backbone, name))


def num_blocks(backbone: Any) -> int:
    """The number of blocks of a backbone, or of its encoder."""
    return getattr(backbone, depth_name(backbone))


def num_heads(backbone: Any) -> int:
    """The number of attention heads of a backbone, 1 where it says none."""
    return next(
        (getattr(backbone, n) for n in _HEADS_NAMES if hasattr(backbone, n)), 1
    )


def dropout_names(backbone: Any) -> list[str]:
    """The names of a backbone's arguments for the dropout rate."""
    config = backbone.get_config()
    return [name for name in _DROPOUT_NAMES if name in config]


def own_dtype(backbone: Any, dtype: Any = None) -> Any:
    """The dtype policy that a backbone computes in, quantized or not.

    Args:
        backbone: a KerasHub backbone.
        dtype: a dtype policy that must be the same, or `None`.

    Raises:
        ValueError: it is another one.
    """
    import keras

    policy = backbone.dtype_policy
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        policy = policy.default_policy
    name = policy.name.split("_from_")[-1]
    if dtype is not None and keras.dtype_policies.get(dtype).name != name:
        raise ValueError(
            f"The model computes in its backbone's dtype policy, '{name}', but "
            f"received dtype='{keras.dtype_policies.get(dtype).name}'. Load "
            "the backbone with this dtype: FPTClassifier.from_preset(..., "
            "dtype=...)."
        )
    return keras.DTypePolicy(name)
