"""Adam for weights that several runs have stacked along their first axis."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fpt.compat import optimizer_settings


class RunRates(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rates of several runs, a vector.

    Args:
        rates: sequence of floats and `LearningRateSchedule`s.
    """

    def __init__(self, rates: Sequence[Any]) -> None:
        self.rates = tuple(rates)

    def __call__(self, step: Any) -> Any:
        if not any(callable(rate) for rate in self.rates):
            return ops.convert_to_tensor(np.array(self.rates, "float32"))
        rates = [rate(step) if callable(rate) else rate for rate in self.rates]
        return ops.stack([ops.cast(rate, "float32") for rate in rates])

    def get_config(self) -> dict[str, Any]:
        return {"rates": self.rates}


class StackedAdam(keras.optimizers.Optimizer):
    """Updates each run's weights as a separate Adam would.

    Each run has its own learning rate and its gradients are clipped by their
    own global norm. One that becomes NaN does not affect the others. The
    moments of all weights are in one matrix each, with a row for each run, so
    that a step takes few operations.

    Args:
        rates: sequence of floats and `LearningRateSchedule`s, one for each run.
        beta_1, beta_2, epsilon, global_clipnorm: as of
            `keras.optimizers.Adam`.
    """

    def __init__(
        self,
        rates: Sequence[Any],
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        global_clipnorm: float | None = 1.0,
    ) -> None:
        super().__init__(RunRates(rates), name="stacked_adam")
        self.rates, self.size = tuple(rates), len(rates)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.clipnorm_of_run = global_clipnorm

    def build(self, variables: list) -> None:
        if self.built:
            return
        super().build(variables)
        sizes = [int(np.prod(v.shape[1:])) for v in variables]
        self.ends = [int(end) for end in np.cumsum(sizes)]
        shape, dtype = (self.size, self.ends[-1]), variables[0].dtype
        self.momentum, self.velocity = (
            self.add_variable(shape, "zeros", dtype, name=name)
            for name in ("momentum", "velocity")
        )

    def apply(self, grads: list, trainable_variables: Any = None) -> None:
        if trainable_variables is None:
            trainable_variables = optimizer_settings.trained_by(self)
        variables = list(trainable_variables)
        self.build(variables)
        dtype = self.momentum.dtype
        gradient = self.joined(
            [
                ops.zeros(v.shape, dtype) if g is None else ops.cast(g, dtype)
                for g, v in zip(grads, variables, strict=True)
            ]
        )
        if self.clipnorm_of_run is not None:
            gradient = gradient * _clip_scale(gradient, self.clipnorm_of_run)
        step = ops.cast(self.iterations + 1, dtype)
        bias_1 = 1 - ops.power(ops.cast(self.beta_1, dtype), step)
        bias_2 = 1 - ops.power(ops.cast(self.beta_2, dtype), step)
        rate = ops.cast(self.learning_rate, dtype)[:, None]
        momentum, velocity = self.momentum, self.velocity
        momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        velocity = velocity + (ops.square(gradient) - velocity) * (
            1 - self.beta_2
        )
        self.momentum.assign(momentum)
        self.velocity.assign(velocity)
        alpha = rate * ops.sqrt(bias_2) / bias_1
        change = momentum * alpha / (ops.sqrt(velocity) + self.epsilon)
        parts = self.separate(change, variables)
        for variable, part in zip(variables, parts, strict=True):
            variable.assign_sub(ops.cast(part, variable.dtype))
        self.iterations.assign_add(1)

    def joined(self, tensors: list) -> Any:
        """Tensors of the weights' shapes as one matrix, a row for each run."""
        rows = [ops.reshape(x, (self.size, -1)) for x in tensors]
        return ops.concatenate(rows, axis=1)

    def separate(self, matrix: Any, variables: list) -> list:
        """Reverses `joined`."""
        parts = ops.split(matrix, self.ends[:-1], axis=1)
        return [
            ops.reshape(part, variable.shape)
            for part, variable in zip(parts, variables, strict=True)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            "rates": self.rates,
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "global_clipnorm": self.clipnorm_of_run,
        }


def _clip_scale(gradient: Any, limit: float) -> Any:
    """The factor for each row that keeps its norm below a limit."""
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=1, keepdims=True))
    scale = limit * ops.minimum(1 / norm, 1 / limit)
    return scale + (norm - norm)  # NaN if the norm is not finite.
