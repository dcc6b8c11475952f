"""Attention that computes no scores that are masked, and keeps few."""

import keras
from keras import ops

from keras_fpt.models import fast_ops

# Queries are taken so many at a time, or a quarter of them if that is more:
# under a causal mask a chunk needs no key after its end. More chunks would take
# long to compile. Of more than one, scores are computed again for the gradient,
# and not kept.
CHUNK = 128


def attend(query, key, value, causal, mask=None, dropout=None, training=None):
    """Scaled dot-product attention with dropout of its weights.

    Args:
        query: float tensor `(batch, heads, queries, head_dim)`.
        key: float tensor `(batch, heads, keys, head_dim)`.
        value: float tensor `(batch, heads, keys, head_dim)`.
        causal: bool, whether a query attends to no key after it; there are
            as many queries as keys then.
        mask: bool tensor that broadcasts to
            `(batch, heads, queries, keys)`, or `None`; not with `causal`.
        dropout: the `keras.layers.Dropout` whose rate and seeds are used in
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
        return ops.swapaxes(output, 1, 2)
    bias = None if mask is None else _bias(mask, query.dtype)
    if keras.backend.backend() == "torch":
        from keras_fpt.models import torch_ops

        return torch_ops.attend(query, key, value, causal, bias, dropout.rate)
    count = query.shape[2]
    if count is None or count <= CHUNK:
        if causal:
            bias = _causal_bias(0, ops.shape(query)[2], query.dtype)
        return _attend_rows(query, key, value, bias, dropout, training, False)
    outputs, size = [], max(CHUNK, (count + 3) // 4)
    for start in range(0, count, size):
        stop, keys, added = min(start + size, count), None, bias
        if causal:
            keys, added = stop, _causal_bias(start, stop, query.dtype)
        elif bias is not None and bias.shape[2] == count:
            added = bias[:, :, start:stop]
        rows = query[:, :, start:stop], key[:, :, :keys], value[:, :, :keys]
        if outputs:  # One chunk's scores at a time, in memory.
            rows = fast_ops.after(outputs[-1], *rows)
        outputs.append(_attend_rows(*rows, added, dropout, training, True))
    return ops.concatenate(outputs, axis=2)


def _has_fused_attention():
    """Whether Keras has attention in one operation, without dropout."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    return keras.backend.backend() == "torch"


def _causal_bias(start, stop, dtype):
    rows = ops.arange(start, stop, dtype="int32")
    return _bias(rows[:, None] >= ops.arange(stop, dtype="int32"), dtype)


def _bias(mask, dtype):
    lowest = (
        -1e9 if keras.backend.standardize_dtype(dtype) != "float16" else -3e4
    )
    return (1 - ops.cast(mask, dtype)) * lowest


def _attend_rows(query, key, value, bias, dropout, training, again):
    scale = query.shape[-1] ** -0.5
    # All tensors are arguments: JAX takes the gradient of a function within
    # `jax.jit` when what it had closed over is gone.
    constants = {}
    if bias is not None:
        constants["bias"] = bias
    if dropout is not None:
        shape = (*ops.shape(query)[:3], ops.shape(key)[2])
        constants["keep"] = fast_ops.kept(
            shape, dropout.rate, dropout.seed_generator
        )

    def weights(query, key, bias=None, keep=None):
        scores = ops.matmul(query * scale, _transposed(key))
        return ops.softmax(scores if bias is None else scores + bias)

    def drop(x, bias=None, keep=None):
        return x if keep is None else fast_ops.dropped(x, keep, dropout.rate)

    @fast_ops.written_gradient
    def rows(query, key, value, *constant):
        given = dict(zip(constants, constant, strict=True))
        shares = weights(query, key, **given)
        output = ops.matmul(drop(shares, **given), value)
        if again:
            shares = None

        def gradient(*args, upstream=None):
            (upstream,) = args[-1:] if upstream is None else (upstream,)
            known, kept = shares, given
            if again:
                arguments = fast_ops.after(upstream, query, key, *constant)
                kept = dict(zip(constants, arguments[2:], strict=True))
                known = weights(*arguments[:2], **kept)
            back = ops.matmul(upstream, _transposed(value))
            back = drop(back, **kept) * known
            back = back - known * ops.sum(back, axis=-1, keepdims=True)
            return (
                ops.matmul(back, key) * scale,
                ops.matmul(_transposed(back), query) * scale,
                ops.matmul(_transposed(drop(known, **kept)), upstream),
                *(None for _ in constant),
            )

        return output, gradient

    return rows(query, key, value, *constants.values(), training=training)


def _transposed(x):
    return ops.swapaxes(x, -1, -2)
