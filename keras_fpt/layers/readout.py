"""Selects the hidden states that the output layer reads."""

from typing import Any

import keras
from keras import ops

READOUTS = ("last", "first", "mean", "pooled")


@keras.saving.register_keras_serializable(package="keras_fpt")
class Readout(keras.layers.Layer):
    """Selects the hidden states that the output layer reads.

    Padding is on the right and is never read. The reference code of Lu et
    al. reads the last *position*, which may be padding; this layer reads the
    last *real* tokens.

    Args:
        readout: string. `"last"`: the last `num_tokens` real tokens, in
            order. `"first"`: the first token. `"mean"`: the mean over the
            real tokens. `"pooled"`: the input is a pooled vector of shape
            `(batch, dim)` already.
        num_tokens: int, how many tokens are read. Only `"last"` can read
            more than one.

    Call arguments:
        hidden_states: float tensor `(batch, tokens, dim)`, or
            `(batch, dim)` for `"pooled"`.
        padding_mask: int tensor `(batch, tokens)`, 1 where a token is real.

    Returns:
        A float tensor `(batch, num_tokens, dim)`.

    Raises:
        ValueError: the readout is unknown, or cannot read that many tokens.
    """

    def __init__(
        self, readout: str = "last", num_tokens: int = 1, **kwargs: Any
    ) -> None:
        """Makes a layer; the class describes its arguments."""
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
        if self.readout in ("pooled", "mean"):
            return None
        lengths = ops.sum(ops.cast(padding_mask, "int32"), axis=1)
        if self.readout == "first":
            return ops.zeros_like(lengths)[:, None]
        offsets = ops.arange(-self.num_tokens, 0, dtype="int32")
        return ops.maximum(lengths[:, None] + offsets[None], 0)

    def call(self, hidden_states: Any, padding_mask: Any) -> Any:
        if self.readout == "pooled":
            return ops.expand_dims(hidden_states, 1)
        if self.readout == "mean":
            weights = ops.cast(padding_mask, hidden_states.dtype)[..., None]
            total = ops.sum(hidden_states * weights, axis=1, keepdims=True)
            return total / ops.sum(weights, axis=1, keepdims=True)
        indices = self.token_indices(padding_mask)
        return ops.take_along_axis(hidden_states, indices[..., None], axis=1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(readout=self.readout, num_tokens=self.num_tokens)
        return config
