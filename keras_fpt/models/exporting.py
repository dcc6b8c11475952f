"""The input signatures with which each backend can export a model."""

from typing import Any

import keras
from keras import ops

from keras_fpt.compat import keras_internals

# Backends and formats that Keras 3.15 does not convert, or whose result does
# not run.
FAILING = {("jax", "onnx"), ("jax", "openvino"), ("torch", "litert")}


def input_signature(model: Any, format: str, given: list | None = None) -> list:
    """The input signature for `keras.Model.export`.

    Args:
        model: an `FPTClassifier`.
        format: string, a format of `keras.Model.export`.
        given: list of one `keras.InputSpec`, or of a dict of one for
            `tokens` and one for `padding_mask`; or `None`.

    Returns:
        `given`, or a signature for any number of sequences of any length.

    Raises:
        ValueError: the width of the tokens is not known yet, or the backend
            cannot write the format or not with the `None` sizes of the
            signature.
    """
    backend = keras.backend.backend()
    is_quantized = any(
        layer.quantization_mode
        for layer in keras_internals.flatten_layers(model.backbone)
    )
    if (backend, format) in FAILING or (
        (backend, format, is_quantized) == ("torch", "openvino", True)
    ):
        kind = " of a quantized model" if is_quantized else ""
        raise ValueError(
            f"On {backend} the format '{format}'{kind} does not work. Save "
            "the model, load it with KERAS_BACKEND=tensorflow, and export it "
            "there."
        )
    signature = [_tokens(model)] if given is None else given
    shapes = [spec.shape for spec in keras.tree.flatten(signature)]
    if backend == "torch" and format in ("onnx", "torch"):
        closed, name = shapes, "every size"
    elif backend == "jax":
        closed, name = [shape[1:] for shape in shapes], "the number of tokens"
    else:
        return signature
    if any(None in shape for shape in closed):
        dim = "" if model.vocabulary_size is not None else ", dim"
        raise ValueError(
            f"Keras on {backend} writes the format '{format}' only where "
            f"{name} is fixed. Pass it, as input_signature="
            f"[keras.InputSpec(shape=(batch, tokens{dim}), "
            f"dtype='{_tokens(model).dtype}', name='tokens')]."
        )
    return signature


def call_once(model: Any, signature: list) -> None:
    """Calls a model, since PyTorch can only trace one that was called."""
    inputs = keras.tree.map_structure(
        lambda spec: ops.ones(
            [size or model.least_length for size in spec.shape],
            spec.dtype,
        ),
        signature[0],
    )
    model(inputs)


def _tokens(model: Any) -> keras.InputSpec:
    shape: tuple[int | None, ...] = (None, model.sequence_length)
    if model.vocabulary_size is not None:
        return keras.InputSpec(shape=shape, dtype="int32", name="tokens")
    if model.input_dim is None:
        raise ValueError(
            "The width of the tokens is not known yet. Train the model, or "
            "build it with input_dim, and export it then."
        )
    shape = (*shape, model.input_dim)
    return keras.InputSpec(shape=shape, dtype="float32", name="tokens")
