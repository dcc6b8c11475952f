"""Stores frozen weights as small integers."""

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

import keras

from keras_fpt import freezing
from keras_fpt.compat import (
    int8_activations,
    int8_einsum_gradient,
    keras_internals,
)

# Only weights are quantized. Activations keep their precision, so that the
# gradient through a layer is exact for the quantized weights.
CONFIGS = {
    "int8": lambda: keras.quantizers.Int8QuantizationConfig(
        activation_quantizer=None
    ),
    "int4": lambda: keras.quantizers.Int4QuantizationConfig(),
}
# The layers that Keras quantizes.
_QUANTIZABLE = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Embedding,
    keras.layers.ReversibleEmbedding,
)


def quantize_frozen(model: Any, mode: str) -> None:
    """Quantizes the matrices of a backbone that a model's policy freezes.

    Gradients flow through them. Biases and norms keep their precision. The
    token embedding is quantized too: it is cut off, but stays in memory. A
    layer that is quantized already stays as it is.

    Args:
        model: an `FPTClassifier` without weights of low rank.
        mode: string, `"int8"` (one scale per output) or `"int4"` (one scale
            and one zero point per output and 128 inputs).

    Raises:
        ValueError: the mode is unknown, no matrix is frozen, or one is
            quantized in another mode already.
    """
    if mode not in CONFIGS:
        raise ValueError(
            f"Unknown quantization '{mode}'. Expected one of "
            f"{', '.join(CONFIGS)}."
        )
    trained = freezing.parse_policy(model.policy)
    used = {id(v) for v in model.cut.weights}
    num_used = 0
    for layer, matrix, group in _quantizable(model.backbone):
        if group in trained:
            continue
        num_used += id(matrix) in used
        if layer.quantization_mode is None:
            _quantize(layer, matrix.path, mode)
        elif layer.quantization_mode != mode:
            raise ValueError(
                f"quantize='{mode}', but this {type(model.backbone).__name__} "
                f"is quantized as {layer.quantization_mode} already. Load it "
                "from a preset that is not."
            )
        int8_activations.keep_activations(layer)
        if mode == "int8" and isinstance(layer, keras.layers.EinsumDense):
            int8_einsum_gradient.correct_gradient(layer)
    if not num_used:
        raise ValueError(
            f"quantize='{mode}' found nothing to quantize: this "
            f"{type(model.backbone).__name__} has no dense layer that the "
            f"policy '{model.policy}' freezes."
        )


def check_policy(backbone: Any, policy: str) -> None:
    """Raises `ValueError` if a policy trains quantized weights."""
    trained = freezing.parse_policy(policy)
    for layer, _, group in _quantizable(backbone):
        if layer.quantization_mode is not None and group in trained:
            raise ValueError(
                f"The policy '{policy}' trains the group '{group}', whose "
                f"weights are quantized ({layer.quantization_mode}) and cannot "
                "train. Leave out the group, or use low_rank instead."
            )


def _quantizable(backbone: Any) -> Iterator[tuple[Any, Any, str]]:
    """Layers that can be quantized, with their matrix and its group."""
    for layer in keras_internals.flatten_layers(backbone, include_self=False):
        if type(layer) in _QUANTIZABLE and layer.built:
            matrix = keras_internals.stored_matrix(layer)
            yield layer, matrix, freezing.backbone_group(matrix.path)


def _quantize(layer: Any, path: str, mode: str) -> None:
    with contextlib.ExitStack() as scopes:
        # Keras names the new weights after the scope that they are made in.
        for name in path.split("/")[:-1]:
            scopes.enter_context(keras.name_scope(name))
        # Keras collects garbage after each layer, which is slow with all the
        # objects that exist now.
        gc.freeze()
        try:
            layer.quantize(mode, config=CONFIGS[mode]())
        finally:
            gc.unfreeze()
