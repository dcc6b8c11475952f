"""Frozen weights kept as small integers."""

import contextlib
import gc

import keras

from keras_fpt import freezing
from keras_fpt.compat import int8_einsum_gradient as int8_einsum

# Weights alone: activations keep their precision, so that a gradient through
# a layer is exact for the weights that it has.
CONFIGS = {
    "int8": lambda: keras.quantizers.Int8QuantizationConfig(
        activation_quantizer=None
    ),
    "int4": lambda: keras.quantizers.Int4QuantizationConfig(),
}
# The layers that Keras quantises, and what they call their matrix.
_MATRICES = {
    keras.layers.Dense: "_kernel",
    keras.layers.EinsumDense: "_kernel",
    keras.layers.Embedding: "_embeddings",
    keras.layers.ReversibleEmbedding: "_embeddings",
}


def quantize_frozen(model, mode):
    """Quantises the matrices of a backbone that a model's policy freezes.

    Gradients flow through them. Biases and norms keep their precision. The
    token embedding, which is cut off, is quantised too, since it is kept. A
    layer that is quantised already stays so.

    Args:
        model: an `FPTClassifier` without weights of low rank.
        mode: string, `"int8"` (a scale for each output) or `"int4"` (a scale
            and a zero point for each output and 128 inputs).

    Raises:
        ValueError: an unknown mode, no matrix that is frozen, or one that is
            quantised in another mode already.
    """
    if mode not in CONFIGS:
        raise ValueError(
            f"Unknown quantization '{mode}'. Expected one of "
            f"{', '.join(CONFIGS)}."
        )
    trained = freezing.parse_policy(model.policy)
    used = {id(v) for v in model.cut.weights}
    reached = 0
    for layer, matrix, group in _quantizable(model.backbone):
        if group in trained:
            continue
        reached += id(matrix) in used
        if layer.quantization_mode is None:
            _quantize(layer, matrix.path, mode)
        elif layer.quantization_mode != mode:
            raise ValueError(
                f"quantize='{mode}', but this {type(model.backbone).__name__} "
                f"is quantised as {layer.quantization_mode} already. Load it "
                "from a preset that is not."
            )
        # A preset does not say that its activations are not quantised.
        layer.inputs_quantizer = None
        if mode == "int8" and isinstance(layer, keras.layers.EinsumDense):
            int8_einsum.repair(layer)
    if not reached:
        raise ValueError(
            f"quantize='{mode}' found nothing to quantise: this "
            f"{type(model.backbone).__name__} has no dense layer that the "
            f"policy '{model.policy}' freezes."
        )


def check_policy(backbone, policy):
    """Raises a `ValueError` where a policy trains quantised weights."""
    trained = freezing.parse_policy(policy)
    for layer, _, group in _quantizable(backbone):
        if layer.quantization_mode is not None and group in trained:
            raise ValueError(
                f"The policy '{policy}' trains the group '{group}', whose "
                f"weights are quantised ({layer.quantization_mode}) and cannot "
                "train. Leave out the group, or use low_rank in its place."
            )


def _quantizable(backbone):
    """Layers that can be quantised, with their matrix and its group."""
    for layer in backbone._flatten_layers(include_self=False):
        name = _MATRICES.get(type(layer))
        if name is not None and layer.built:
            matrix = getattr(layer, name)
            yield layer, matrix, freezing.backbone_group(matrix.path)


def _quantize(layer, path, mode):
    with contextlib.ExitStack() as scopes:
        # Keras names the new weights by the scope that they are made in.
        for name in path.split("/")[:-1]:
            scopes.enter_context(keras.name_scope(name))
        # Keras collects garbage for each layer: spare it what is there now.
        gc.freeze()
        try:
            layer.quantize(mode, config=CONFIGS[mode]())
        finally:
            gc.unfreeze()
