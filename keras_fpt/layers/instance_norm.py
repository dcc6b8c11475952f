"""Standardizes each series separately."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_fpt")
class InstanceNorm(keras.layers.Layer):
    """Standardizes each channel of each series over its real steps.

    A channel becomes `(x - mean) / sqrt(variance + epsilon)`, in float32 at
    least. The variance is that of the differences from the mean, so that a
    large mean costs no digits of it. A constant channel becomes 0.

    Args:
        epsilon: float.

    Call arguments:
        steps: float tensor `(batch, steps, dim)`.
        padding_mask: int tensor `(batch, steps)`, 1 where a step is real, or
            `None` if all are.

    Returns:
        Tuple of the standardized steps, 0 where there is padding, and the mean
        and the scale (the square root above), both `(batch, 1, dim)`.

    Source: Kim et al., 2022, "Reversible Instance Normalization for Accurate
    Time-Series Forecasting against Distribution Shift" (RevIN), without its
    learned scale and shift, which the input layer after it has.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        """Creates the layer; see the class for its arguments."""
        super().__init__(autocast=False, **kwargs)
        self.epsilon = epsilon
        self.built = True  # It has no weights.

    def call(
        self, steps: Any, padding_mask: Any = None
    ) -> tuple[Any, Any, Any]:
        if keras.backend.standardize_dtype(steps.dtype) != "float64":
            steps = ops.cast(steps, "float32")
        real = None
        if padding_mask is not None:
            real = padding_mask[..., None] > 0
        mean = _mean(steps, real)
        rest = steps - mean
        # A sum over many steps has rounded the mean.
        correction = _mean(rest, real)
        mean, rest = mean + correction, rest - correction
        scale = ops.sqrt(_mean(ops.square(rest), real) + self.epsilon)
        standardized = rest / scale
        if real is not None:
            standardized = ops.where(real, standardized, 0)
        return standardized, mean, scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


def _mean(x: Any, real: Any) -> Any:
    """The mean over the steps where `real` is true, `(batch, 1, dim)`."""
    if real is None:
        return ops.mean(x, axis=1, keepdims=True)
    total = ops.sum(ops.where(real, x, 0), axis=1, keepdims=True)
    count = ops.sum(ops.cast(real, x.dtype), axis=1, keepdims=True)
    return total / ops.maximum(count, 1)
