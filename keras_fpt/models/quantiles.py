"""Predicted quantiles, and the loss that they minimize."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


def in_order(numbers: Any) -> Any:
    """Numbers that never decrease along the last axis.

    Args:
        numbers: float tensor. Its first entry stays; each other one becomes
            the distance to the one before, after a softplus.
    """
    first, distances = numbers[..., :1], ops.softplus(numbers[..., 1:])
    return ops.concatenate(
        [first, first + ops.cumsum(distances, axis=-1)], axis=-1
    )


def middle(quantiles: Sequence[float]) -> int:
    """The index of the quantile that is closest to the median."""
    return int(np.argmin(np.abs(np.asarray(quantiles) - 0.5)))


@keras.saving.register_keras_serializable(package="keras_fpt")
class QuantileLoss(keras.losses.Loss):
    """The pinball loss, whose minimum over constants is the quantile.

    It is `q * error` where the prediction is too low and `(q - 1) * error`
    where it is too high, averaged over targets and quantiles.

    Args:
        quantiles: sequence of floats between 0 and 1.
        **kwargs: arguments of `keras.losses.Loss`.

    Call arguments:
        y_true: float tensor `(batch, targets)`.
        y_pred: float tensor `(batch, targets, quantiles)`.

    Source: Koenker and Bassett, 1978, "Regression Quantiles".
    """

    def __init__(self, quantiles: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.quantiles = tuple(quantiles)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        error = ops.expand_dims(y_true, -1) - y_pred
        levels = ops.convert_to_tensor(self.quantiles, dtype=error.dtype)
        losses = ops.maximum(levels * error, (levels - 1) * error)
        return ops.mean(losses, axis=(-2, -1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "quantiles": list(self.quantiles)}
