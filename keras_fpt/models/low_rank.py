"""Adapters of low rank on frozen dense layers."""

import keras

from keras_fpt import freezing


def add_low_rank(model, rank):
    """Adds Keras's LoRA to the dense layers of attention and feedforward.

    A model that has it already is left as it is. At first it changes no
    output. The new weights are the group `low_rank`.

    Args:
        model: an `FPTClassifier`.
        rank: int.

    Source: Hu et al., 2021, "LoRA: Low-Rank Adaptation of Large Language
    Models", arXiv 2106.09685.
    """
    used = {id(v) for v in model.cut.weights}
    for layer in model.backbone._flatten_layers(include_self=False):
        if (
            isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense)
            and not layer.lora_enabled
            and id(layer._kernel) in used
            and freezing.backbone_group(layer._kernel.path)
            in ("attention", "feedforward")
        ):
            layer.enable_lora(rank)
