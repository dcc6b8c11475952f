"""The mask that a Keras layer upstream, such as `Masking`, gives to tokens."""

from typing import Any

from keras import ops


def move_to_front(tokens: Any, mask: Any) -> tuple[Any, Any]:
    """Moves the tokens that a mask keeps to the front, in their order.

    A token that is masked is left out, wherever it is, as Keras's recurrent
    layers skip it. The model itself has its padding on the right.

    Args:
        tokens: float tensor `(batch, tokens, dim)` or int tensor
            `(batch, tokens)`.
        mask: bool tensor `(batch, tokens)`, `False` where a token is left
            out.

    Returns:
        Tuple of the tokens in their new order and their `padding_mask`, an
        int tensor `(batch, tokens)`.
    """
    mask = ops.cast(mask, "int32")
    length = ops.shape(mask)[1]
    steps = ops.arange(length, dtype="int32")[None]
    order = ops.argsort(steps + (1 - mask) * length, axis=1)
    index = order[..., None] if len(tokens.shape) == 3 else order
    return (
        ops.take_along_axis(tokens, index, axis=1),
        ops.take_along_axis(mask, order, axis=1),
    )


def nan_where_wrong(embeddings: Any, mask: Any, minimum: int) -> Any:
    """NaN for sequences whose mask has too few tokens, or padding elsewhere.

    A compiled step cannot raise an error for values that it computes. Without
    this, its output would depend on masked tokens.

    Args:
        embeddings: float tensor `(batch, tokens, dim)`.
        mask: int tensor `(batch, tokens)`, 1 where a token is real. Padding
            is on the right.
        minimum: int, how many tokens the model reads.
    """
    count = ops.sum(mask, axis=1, keepdims=True)
    steps = ops.arange(ops.shape(mask)[1], dtype=mask.dtype)[None]
    differs = ops.any(mask != ops.cast(steps < count, mask.dtype), axis=1)
    wrong = differs | (count[:, 0] < minimum)
    return ops.where(wrong[:, None, None], float("nan"), embeddings)
