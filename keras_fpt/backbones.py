"""Weights and settings of KerasHub's backbones of any family."""

import collections
import re
from typing import Any

from keras_fpt.compat import keras_internals

# KerasHub gives these layers no names, so Keras numbers them across the whole
# process: the norms of T5 and T5Gemma, and mixtures of experts.
_NUMBERED = re.compile(
    r"(?<![^/])(t5_layer_norm|rms_normalization|\w+_sparse_moe_block)_\d+/"
)
_DEPTH_NAMES = ("num_layers", "encoder_num_layers")
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
        path = variable.path.removeprefix(f"{backbone.name}/")
        path = _NUMBERED.sub(r"\1/", path)
        counts[path] += 1
        suffix = f"#{counts[path]}" if counts[path] > 1 else ""
        named[path + suffix] = variable
    return named


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


def depth_name(backbone: Any) -> str:
    """The name of a backbone's argument for its number of blocks."""
    return next(name for name in _DEPTH_NAMES if hasattr(backbone, name))


def num_blocks(backbone: Any) -> int:
    """The number of blocks of a backbone, or of its encoder."""
    return getattr(backbone, depth_name(backbone))


def dropout_names(backbone: Any) -> list[str]:
    """The names of a backbone's arguments for the dropout rate."""
    config = backbone.get_config()
    return [name for name in _DROPOUT_NAMES if name in config]
