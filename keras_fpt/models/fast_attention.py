"""Attention that skips masked scores and keeps few scores in memory."""

from typing import Any

import keras
from keras import ops

from keras_fpt.models import fast_ops

# Queries are processed in chunks of this size, or in four chunks if these are
# larger, since more chunks would take long to compile. Under a causal mask a
# chunk needs no key after its end. With several chunks, the scores are computed
# again for the gradient and are not kept.
CHUNK = 128


def attend(
    query: Any,
    key: Any,
    value: Any,
    causal: bool,
    mask: Any = None,
    dropout: Any = None,
    training: bool | None = None,
) -> Any:
    """Scaled dot-product attention with dropout of its weights.

    Args:
        query: float tensor `(batch, heads, queries, head_dim)`.
        key: float tensor `(batch, heads, keys, head_dim)`.
        value: float tensor `(batch, heads, keys, head_dim)`.
        causal: bool, whether queries attend to no later keys. If so, there are
            as many queries as keys.
        mask: bool tensor that broadcasts to
            `(batch, heads, queries, keys)`, or `None`; not with `causal`.
        dropout: `keras.layers.Dropout` whose rate and seeds are used in
            training, or `None`.
        training: bool.

    Returns:
        Float tensor `(batch, heads, queries, head_dim)`.
    """
    if dropout is not None and not (training and dropout.rate):
        dropout = None
    if dropout is None and _has_fused_attention():
        output = ops.dot_product_attention(
            *(ops.swapaxes(x, 1, 2) for x in (query, key, value)),
            mask=mask,
            is_causal=causal,
        )
        # Keras returns float32 for float64, on PyTorch.
        return ops.cast(ops.swapaxes(output, 1, 2), query.dtype)
    bias = None if mask is None else _bias(mask, query.dtype)
    if keras.backend.backend() == "torch":
        from keras_fpt.models import torch_ops

        return torch_ops.attend(query, key, value, causal, bias, dropout.rate)
    count = query.shape[2]
    if count is None or count <= CHUNK:
        if causal:
            bias = _causal_bias(0, ops.shape(query)[2], query.dtype)
        return _attend_rows(query, key, value, bias, dropout, training, False)
    outputs: list = []
    size = max(CHUNK, (count + 3) // 4)
    for start in range(0, count, size):
        stop, num_keys, chunk_bias = min(start + size, count), None, bias
        if causal:
            num_keys = stop
            chunk_bias = _causal_bias(start, stop, query.dtype)
        elif bias is not None and bias.shape[2] == count:
            chunk_bias = bias[:, :, start:stop]
        rows = (
            query[:, :, start:stop],
            key[:, :, :num_keys],
            value[:, :, :num_keys],
        )
        if outputs:  # Only one chunk's scores are in memory at a time.
            rows = fast_ops.optimization_barrier(outputs[-1], *rows)
        outputs.append(_attend_rows(*rows, chunk_bias, dropout, training, True))
    return ops.concatenate(outputs, axis=2)


def _has_fused_attention() -> bool:
    """Whether Keras computes attention without dropout in one operation."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    return keras.backend.backend() == "torch"


def _causal_bias(start: int, stop: Any, dtype: Any) -> Any:
    rows = ops.arange(start, stop, dtype="int32")
    return _bias(rows[:, None] >= ops.arange(stop, dtype="int32"), dtype)


def _bias(mask: Any, dtype: Any) -> Any:
    lowest = (
        -1e9 if keras.backend.standardize_dtype(dtype) != "float16" else -3e4
    )
    return (1 - ops.cast(mask, dtype)) * lowest


def _attend_rows(
    query: Any,
    key: Any,
    value: Any,
    bias: Any,
    dropout: Any,
    training: bool | None,
    recompute: bool,
) -> Any:
    """Attention of some queries.

    Args:
        query, key, value, dropout, training: as for `attend`.
        bias: float tensor that is added to the scores, or `None`.
        recompute: bool, whether to compute the scores again for the gradient
            instead of keeping them.
    """
    scale = query.shape[-1] ** -0.5
    # All tensors are arguments, because JAX takes the gradient of a function
    # within `jax.jit` when the tensors in its closure are no longer valid.
    constants = {}
    if bias is not None:
        constants["bias"] = bias
    if dropout is not None:
        shape = (*ops.shape(query)[:3], ops.shape(key)[2])
        constants["mask"] = fast_ops.dropout_mask(
            shape, dropout.rate, dropout.seed_generator
        )

    def weights(query, key, bias=None, mask=None):
        scores = ops.matmul(query * scale, _transposed(key))
        return ops.softmax(scores if bias is None else scores + bias)

    def drop(x, bias=None, mask=None):
        if mask is None:
            return x
        return fast_ops.apply_dropout(x, mask, dropout.rate)

    @fast_ops.training_gradient
    def rows(query, key, value, *constant):
        named = dict(zip(constants, constant, strict=True))
        shares = weights(query, key, **named)
        output = ops.matmul(drop(shares, **named), value)
        if recompute:
            shares = None

        def gradient(*args, upstream=None):
            (upstream,) = args[-1:] if upstream is None else (upstream,)
            late_shares, late_named = shares, named
            if recompute:
                arguments = fast_ops.optimization_barrier(
                    upstream, query, key, *constant
                )
                late_named = dict(zip(constants, arguments[2:], strict=True))
                late_shares = weights(*arguments[:2], **late_named)
            slope = ops.matmul(upstream, _transposed(value))
            slope = drop(slope, **late_named) * late_shares
            total = ops.sum(slope, axis=-1, keepdims=True)
            slope = slope - late_shares * total  # of the scores
            dropped = drop(late_shares, **late_named)
            return (
                ops.matmul(slope, key) * scale,
                ops.matmul(_transposed(slope), query) * scale,
                ops.matmul(_transposed(dropped), upstream),
                *(None for _ in constant),
            )

        return output, gradient

    return rows(query, key, value, *constants.values(), training=training)


def _transposed(x: Any) -> Any:
    return ops.swapaxes(x, -1, -2)
