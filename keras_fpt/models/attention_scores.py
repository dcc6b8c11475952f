"""What the heads of a network's blocks attend to, whatever its family."""

import contextlib

import keras
from keras import ops


@contextlib.contextmanager
def recorded():
    """Collects the weights of attention that is computed within the block.

    Every family of KerasHub computes them with `keras.layers.Softmax`,
    `keras.ops.softmax` or `keras.ops.dot_product_attention`: for as long as
    the block lasts, these also keep what they compute. Nothing may be
    compiled, and no other thread may compute with Keras meanwhile.

    Yields:
        List that fills with float arrays `(batch, heads, queries, keys)`, in
        the order in which they are computed.
    """
    found, places = [], _places()
    before = [getattr(owner, name) for owner, name in places]
    for (owner, name), function in zip(places, before, strict=True):
        attends = name == "dot_product_attention"
        keep = _keeping_weights if attends else _keeping_softmax
        setattr(owner, name, keep(function, found))
    try:
        yield found
    finally:
        for (owner, name), function in zip(places, before, strict=True):
            setattr(owner, name, function)


def _places():
    """Where those who call one of the three find it."""
    modules = [keras.ops, keras.ops.nn, keras.src.ops]
    names = ["softmax", "dot_product_attention"]
    functions = [(m, name) for m in modules for name in names]
    return [(keras.layers.Softmax, "call"), *functions]


def _keeping_softmax(softmax, found):
    def function(*args, **kwargs):
        before = len(found)
        weights = softmax(*args, **kwargs)
        # The layer calls the operation, and masks what that gives.
        del found[before:]
        if len(weights.shape) >= 4:  # Else it is no attention of many heads.
            found.append(_per_head(weights))
        return weights

    return function


def _keeping_weights(attention, found):
    def function(query, key, value, bias=None, mask=None, **kwargs):
        given = {"bias": bias, "mask": mask, **kwargs}
        before = len(found)
        output = attention(query, key, value, **given)
        del found[before:]
        found.append(_per_head(_weights(query, key, **given)))
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
    """Of `keras.ops.dot_product_attention`, whose arguments these are."""
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


def _per_head(weights):
    """Groups of heads that share keys, as so many heads."""
    weights = ops.convert_to_numpy(ops.cast(weights, "float32"))
    batch, *_, queries, keys = weights.shape
    # What GPT-OSS's heads give to no token comes after the tokens.
    keys = min(keys, queries) if keys == queries + 1 else keys
    return weights.reshape((batch, -1, *weights.shape[-2:]))[..., :keys]
