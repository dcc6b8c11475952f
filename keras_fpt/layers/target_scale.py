"""Converts predictions to the units of the targets."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_fpt")
class TargetScale(keras.layers.Layer):
    """Converts standardized numbers to the units of the targets.

    It multiplies by the targets' standard deviation and adds their mean, of
    which neither trains. Until `adapt` is called, they are 1 and 0.

    Args:
        num_targets: int.
        axis: int, the axis of the targets.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        x: float tensor, such as `(batch, num_targets)`, or
            `(batch, num_targets, quantiles)`.

    Returns:
        Float tensor of the same shape.
    """

    def __init__(self, num_targets: int, axis: int = 1, **kwargs: Any) -> None:
        """Creates the layer; see the class for its arguments."""
        super().__init__(**kwargs)
        self.num_targets = num_targets
        self.axis = axis
        for name, initializer in (("mean", "zeros"), ("scale", "ones")):
            weight = self.add_weight(
                (num_targets,), initializer, trainable=False, name=name
            )
            setattr(self, name, weight)
        self.built = True

    @property
    def is_adapted(self) -> bool:
        """Whether there are statistics of some targets."""
        mean, scale = map(ops.convert_to_numpy, (self.mean, self.scale))
        return bool((mean != 0).any() or (scale != 1).any())

    def adapt(self, targets: np.ndarray) -> None:
        """Computes the mean and the standard deviation of some targets.

        Args:
            targets: float array `(n, num_targets)`. The deviation of a constant
                target is set to 1.
        """
        values = np.asarray(targets, "float64")
        # Halves, since sums of the largest numbers would overflow.
        scale = 2 * (values / 2).std(axis=0)
        is_constant = scale <= 1e-9 * np.abs(values).max(axis=0)
        self.assign(values.mean(axis=0), np.where(is_constant, 1.0, scale))

    def assign(self, mean: np.ndarray, scale: np.ndarray) -> None:
        """Sets the mean and the standard deviation of the targets.

        Args:
            mean, scale: float arrays `(num_targets,)`.
        """
        self.mean.assign(mean)
        self.scale.assign(scale)

    def standardize(self, targets: Any) -> Any:
        """Converts targets, or answers, to standardized numbers."""
        mean, scale = self._statistics(targets)
        return (ops.cast(targets, self.compute_dtype) - mean) / scale

    def call(self, x: Any) -> Any:
        mean, scale = self._statistics(x)
        return x * scale + mean

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"num_targets": self.num_targets, "axis": self.axis}
        return {**super().get_config(), **own}

    def _statistics(self, x: Any) -> tuple[Any, Any]:
        """The mean and the scale, in a shape that broadcasts to that of `x`."""
        shape = [1] * len(x.shape)
        shape[self.axis] = self.num_targets
        return ops.reshape(self.mean, shape), ops.reshape(self.scale, shape)
