"""Low-rank adapters (LoRA) on frozen dense layers."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_fpt import backbones, freezing
from keras_fpt.compat import keras_internals, lora_merged_on_save


def add_low_rank(model: Any, rank: int) -> list[Any]:
    """Adds Keras's LoRA to the dense layers of attention and feedforward.

    Layers that have it already stay as they are. Before training, it does not
    change the outputs. The new weights are the group `low_rank`.

    Args:
        model: an `FPTClassifier`.
        rank: int.

    Returns:
        List of the layers that it was added to.

    Source: Hu et al., 2021, "LoRA: Low-Rank Adaptation of Large Language
    Models", arXiv 2106.09685.
    """
    used = {id(v) for v in model.cut.weights}
    added = []
    for layer in lora_merged_on_save.dense_layers(model.backbone):
        if layer.lora_enabled:
            continue
        matrix = keras_internals.stored_matrix(layer)
        group = freezing.backbone_group(matrix.path)
        if id(matrix) in used and group in ("attention", "feedforward"):
            layer.enable_lora(rank)
            added.append(layer)
    return added


def enabled(backbone: Any) -> dict[str, list]:
    """Which layers of a backbone have LoRA.

    Args:
        backbone: a KerasHub backbone.

    Returns:
        Dict from the name of a layer's matrix, see
        `keras_fpt.backbones.weights_by_name`, to `[rank, alpha]`.
    """
    return {
        name: [layer.lora_rank, layer.lora_alpha]
        for name, layer in _by_name(backbone).items()
        if layer.lora_enabled
    }


def enable(backbone: Any, settings: Mapping[str, Sequence]) -> None:
    """Gives layers of a backbone the LoRA that `enabled` returned.

    Layers that the backbone lacks are left out.
    """
    for name, layer in _by_name(backbone).items():
        if name in settings and not layer.lora_enabled:
            layer.enable_lora(*settings[name])


def _by_name(backbone: Any) -> dict[str, Any]:
    names = {
        id(variable): name
        for name, variable in backbones.weights_by_name(backbone).items()
    }
    return {
        names[id(keras_internals.stored_matrix(layer))]: layer
        for layer in lora_merged_on_save.dense_layers(backbone)
    }
