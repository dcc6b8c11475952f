"""Low-rank adapters (LoRA) on frozen dense layers."""

from typing import Any

import keras

from keras_fpt import freezing
from keras_fpt.compat import keras_internals


def add_low_rank(model: Any, rank: int) -> None:
    """Adds Keras's LoRA to the dense layers of attention and feedforward.

    Layers that have it already stay as they are. Before training, it does not
    change the outputs. The new weights are the group `low_rank`.

    Args:
        model: an `FPTClassifier`.
        rank: int.

    Source: Hu et al., 2021, "LoRA: Low-Rank Adaptation of Large Language
    Models", arXiv 2106.09685.
    """
    used = {id(v) for v in model.cut.weights}
    layers = keras_internals.flatten_layers(model.backbone, include_self=False)
    for layer in layers:
        if (
            not isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense)
            or layer.lora_enabled
        ):
            continue
        matrix = keras_internals.stored_matrix(layer)
        group = freezing.backbone_group(matrix.path)
        if id(matrix) in used and group in ("attention", "feedforward"):
            layer.enable_lora(rank)
