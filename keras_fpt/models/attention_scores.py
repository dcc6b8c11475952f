"""Records which tokens the heads of a network attend to, in any family."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt.compat import keras_internals


@contextlib.contextmanager
def recorded() -> Iterator[list[np.ndarray]]:
    """Collects the attention weights that are computed within this context.

    Every family of KerasHub computes them with `keras.layers.Softmax`,
    `keras.ops.softmax` or `keras.ops.dot_product_attention`. Within the
    context, these also record what they compute. Nothing may be compiled in it,
    and no other thread may compute with Keras at the same time.

    Yields:
        List that collects float arrays `(batch, heads, queries, keys)`, in the
        order in which they are computed.
    """
    records: list[np.ndarray] = []
    attributes = _attributes_to_replace()
    originals = [getattr(owner, name) for owner, name in attributes]
    for (owner, name), function in zip(attributes, originals, strict=True):
        is_attention = name == "dot_product_attention"
        wrap = _recording_attention if is_attention else _recording_softmax
        setattr(owner, name, wrap(function, records))
    try:
        yield records
    finally:
        for (owner, name), function in zip(attributes, originals, strict=True):
            setattr(owner, name, function)


def _attributes_to_replace() -> list[tuple[Any, str]]:
    """The modules and classes where callers look up one of the functions."""
    names = ["softmax", "dot_product_attention"]
    modules = keras_internals.modules_of_ops()
    functions = [(m, name) for m in modules for name in names]
    return [(keras.layers.Softmax, "call"), *functions]


def _recording_softmax(softmax: Callable, records: list) -> Callable:
    def function(*args, **kwargs):
        count = len(records)
        weights = softmax(*args, **kwargs)
        # The layer calls the operation, which has recorded already, and masks
        # its output.
        del records[count:]
        if len(weights.shape) >= 4:  # Otherwise it is not multi-head attention.
            records.append(_per_head(weights))
        return weights

    return function


def _recording_attention(attention: Callable, records: list) -> Callable:
    def function(query, key, value, bias=None, mask=None, **kwargs):
        options = {"bias": bias, "mask": mask, **kwargs}
        count = len(records)
        output = attention(query, key, value, **options)
        del records[count:]
        records.append(_per_head(_weights(query, key, **options)))
        return output

    return function


def _weights(
    query,
    key,
    bias=None,
    mask=None,
    scale=None,
    is_causal=False,
    attn_logits_soft_cap=None,
    **_,
):
    """The weights of `keras.ops.dot_product_attention`, with its arguments."""
    shared = query.shape[2] // key.shape[2]
    query, key = (
        ops.transpose(ops.cast(x, "float32"), (0, 2, 1, 3))
        for x in (query, ops.repeat(key, shared, axis=2))
    )
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) * scale
    if attn_logits_soft_cap is not None:
        cap = attn_logits_soft_cap
        scores = cap * ops.tanh(scores / cap)
    if bias is not None:
        scores = scores + ops.cast(bias, "float32")
    if is_causal:
        causal = ops.tril(ops.ones(scores.shape[-2:], dtype="bool"))
        mask = causal if mask is None else ops.logical_and(mask, causal)
    if mask is not None:
        scores = ops.where(mask, scores, -1e9)
    scores = scores - ops.max(scores, axis=-1, keepdims=True)
    shares = ops.exp(scores)
    return shares / ops.sum(shares, axis=-1, keepdims=True)


def _per_head(weights: Any) -> np.ndarray:
    """Weights with one axis for all heads, also those that share keys."""
    weights = ops.convert_to_numpy(ops.cast(weights, "float32"))
    batch, *_, queries, keys = weights.shape
    # The last entry, after the tokens, is the share that heads of GPT-OSS give
    # to no token.
    keys = min(keys, queries) if keys == queries + 1 else keys
    return weights.reshape((batch, -1, *weights.shape[-2:]))[..., :keys]
