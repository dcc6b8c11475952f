"""Selects the hidden states that the output layer reads."""

from typing import Any

import keras
from keras import ops

READOUTS = (
    "last",
    "first",
    "mean",
    "last+mean",
    "token+mean",
    "flatten",
    "pooled",
)


@keras.saving.register_keras_serializable(package="keras_fpt")
class Readout(keras.layers.Layer):
    """Selects the hidden states that the output layer reads.

    Padding is on the right and is never read. The reference code of Lu et
    al. reads the last *position*, which may be padding; this layer reads the
    last *real* tokens.

    Args:
        readout: string. `"last"`: the last `num_tokens` real tokens, in
            order. `"first"`: the first token. `"mean"`: the mean over the
            real tokens. `"last+mean"`: the last real token and the mean, in
            one vector. `"token+mean"`: every token, each in one vector with
            the mean, as Liu et al. (2015) join an image's mean to each of its
            places to segment it. `"flatten"`: all tokens, in one vector; for
            sequences of one length without padding. `"pooled"`: the input is
            a pooled vector of shape `(batch, dim)` already.
        num_tokens: int, how many tokens are read. Only `"last"` can read
            more than one.

    Call arguments:
        hidden_states: float tensor `(batch, tokens, dim)`, or
            `(batch, dim)` for `"pooled"`.
        padding_mask: int tensor `(batch, tokens)`, 1 where a token is real.

    Returns:
        A float tensor `(batch, num_tokens, width)`, where the width is `dim`,
        or that of what is joined; `(batch, tokens, width)` for `"token+mean"`.

    Raises:
        ValueError: the readout is unknown, or cannot read that many tokens.
    """

    def __init__(
        self, readout: str = "last", num_tokens: int = 1, **kwargs: Any
    ) -> None:
        """Creates the layer; see the class for its arguments."""
        super().__init__(**kwargs)
        if readout not in READOUTS:
            raise ValueError(
                f"Unknown readout '{readout}'. Expected one of "
                f"{', '.join(READOUTS)}."
            )
        if num_tokens != 1 and readout != "last":
            raise ValueError(
                f"The readout '{readout}' reads one token, but the model has "
                f"num_output_tokens={num_tokens}. Use readout='last'."
            )
        self.readout = readout
        self.num_tokens = num_tokens
        # The layer has no weights. It is not always called, and Keras would
        # trace a model with an unbuilt layer again in each `fit`.
        self.built = True

    def token_indices(self, padding_mask: Any) -> Any:
        """The indices of the tokens that are read.

        Args:
            padding_mask: int tensor `(batch, tokens)`.

        Returns:
            An int32 tensor `(batch, num_tokens)`, or `None` if the readout
            does not read single tokens.
        """
        if self.readout not in ("last", "first"):
            return None
        if self.readout == "first":
            return ops.zeros_like(padding_mask[:, :1], dtype="int32")
        return _last(padding_mask, self.num_tokens)

    def width(self, dim: int) -> int:
        """The width of what is read, without `"flatten"`'s number of tokens.

        Args:
            dim: int, the width of the hidden states.
        """
        return 2 * dim if self.readout.endswith("+mean") else dim

    def call(self, hidden_states: Any, padding_mask: Any) -> Any:
        if self.readout == "pooled":
            return ops.expand_dims(hidden_states, 1)
        if self.readout == "flatten":
            _, length, dim = ops.shape(hidden_states)
            return ops.reshape(hidden_states, (-1, 1, length * dim))
        if self.readout == "mean":
            return _mean(hidden_states, padding_mask)
        if self.readout == "last+mean":
            last = _gather_states(hidden_states, _last(padding_mask, 1))
            mean = _mean(hidden_states, padding_mask)
            return ops.concatenate([last, mean], axis=-1)
        if self.readout == "token+mean":
            mean = _mean(hidden_states, padding_mask)
            means = ops.broadcast_to(mean, ops.shape(hidden_states))
            return ops.concatenate([hidden_states, means], axis=-1)
        return _gather_states(hidden_states, self.token_indices(padding_mask))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(readout=self.readout, num_tokens=self.num_tokens)
        return config


def _last(padding_mask: Any, count: int) -> Any:
    """The indices of the last real tokens, `(batch, count)`."""
    lengths = ops.sum(ops.cast(padding_mask, "int32"), axis=1)
    offsets = ops.arange(-count, 0, dtype="int32")
    return ops.maximum(lengths[:, None] + offsets[None], 0)


def _gather_states(hidden_states: Any, indices: Any) -> Any:
    return ops.take_along_axis(hidden_states, indices[..., None], axis=1)


def _mean(hidden_states: Any, padding_mask: Any) -> Any:
    """The mean over the real tokens, `(batch, 1, dim)`."""
    weights = ops.cast(padding_mask, hidden_states.dtype)[..., None]
    total = ops.sum(hidden_states * weights, axis=1, keepdims=True)
    return total / ops.sum(weights, axis=1, keepdims=True)
