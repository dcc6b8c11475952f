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
    quantized_save_again,
)
from keras_fpt.models import low_rank

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
        raise _unknown(mode)
    trains = freezing.names_weight(model.backbone, model.policy)
    used = {id(v) for v in model.cut.weights}
    num_used = 0
    for layer, matrix in _quantizable(model.backbone):
        if trains(matrix.path):
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
        _keep_activations(layer)
    if not num_used:
        raise ValueError(
            f"quantize='{mode}' found nothing to quantize: this "
            f"{type(model.backbone).__name__} has no dense layer that the "
            f"policy '{model.policy}' freezes."
        )


def resolve_policies(backbone: Any) -> None:
    """Lets a backbone that was loaded quantized be saved again."""
    for layer, _ in _quantizable(backbone):
        if layer.quantization_mode is not None:
            quantized_save_again.resolve_policy(layer)


def compute_alike(backbone: Any, copy: Any) -> None:
    """Makes a copy of a quantized backbone compute as the backbone does.

    Args:
        backbone: a KerasHub backbone.
        copy: a backbone with the same dtype policies.
    """
    kept = {
        matrix.path
        for layer, matrix in _quantizable(backbone)
        if layer.quantization_mode and layer.inputs_quantizer is None
    }
    for layer, matrix in _quantizable(copy):
        if matrix.path in kept:
            _keep_activations(layer)


def _keep_activations(layer: Any) -> None:
    int8_activations.keep_activations(layer)
    is_einsum = isinstance(layer, keras.layers.EinsumDense)
    if layer.quantization_mode == "int8" and is_einsum:
        int8_einsum_gradient.correct_gradient(layer)


def check_policy(backbone: Any, policy: str) -> None:
    """Raises `ValueError` if a policy trains quantized weights."""
    trains = freezing.names_weight(backbone, policy)
    for layer, matrix in _quantizable(backbone):
        if layer.quantization_mode is not None and trains(matrix.path):
            group = freezing.backbone_group(matrix.path)
            raise ValueError(
                f"The policy '{policy}' trains the group '{group}', whose "
                f"weights are quantized ({layer.quantization_mode}) and cannot "
                "be trained. Leave out the group, or use low_rank instead."
            )


def check_arguments(model: Any, mode: str, config: Any, filters: Any) -> None:
    """Checks that a model can be quantized after it was built.

    Args:
        model: an `FPTClassifier`.
        mode: string.
        config: a Keras quantization config. Keras fills in the mode's default.
        filters: which layers to quantize, or `None`.

    Raises:
        ValueError: they say more than the mode, or the model has LoRA.
    """
    if mode not in CONFIGS:
        raise _unknown(mode)
    usual = [type(config)().get_config(), CONFIGS[mode]().get_config()]
    if filters is not None or config.get_config() not in usual:
        raise ValueError(
            "Expected only a mode: config and filters would be lost when the "
            "model is saved."
        )
    if model.options.precision != "float32":
        raise ValueError(
            f"This model has precision='{model.options.precision}', which is "
            "for weights that are not quantized. Build it with "
            "precision='float32'."
        )
    if low_rank.enabled(model.backbone):
        raise ValueError(
            "This model has low-rank weights already, and would be rounded "
            "with them. Build it with quantize=..., and load its adapter."
        )


def _unknown(mode: str) -> ValueError:
    return ValueError(
        f"Unknown quantization '{mode}'. Expected one of {', '.join(CONFIGS)}."
    )


def is_quantized(backbone: Any) -> bool:
    """Whether a layer of a backbone has quantized weights."""
    return any(
        layer.quantization_mode is not None
        for layer, _ in _quantizable(backbone)
    )


def is_unquantized(backbone: Any, policy: str) -> bool:
    """Whether a matrix that a policy freezes is not quantized yet."""
    trains = freezing.names_weight(backbone, policy)
    return any(
        layer.quantization_mode is None
        for layer, matrix in _quantizable(backbone)
        if not trains(matrix.path)
    )


def _quantizable(backbone: Any) -> Iterator[tuple[Any, Any]]:
    """Layers that can be quantized, with their matrix."""
    for layer in keras_internals.flatten_layers(backbone, include_self=False):
        if type(layer) in _QUANTIZABLE and layer.built:
            matrix = keras_internals.stored_matrix(layer)
            yield layer, matrix


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
