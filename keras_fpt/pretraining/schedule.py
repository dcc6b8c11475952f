"""The learning-rate schedule of pretraining."""

from typing import Any

import keras
from keras import ops


class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, a constant learning rate, linear decay to zero.

    Args:
        peak: float, the constant learning rate.
        warmup_steps: int.
        decay_start: int, the step at which the decay begins.
        total_steps: int, the step at which the learning rate is zero.

    Source: Hu et al., 2024, "MiniCPM", section 4.2.
    """

    def __init__(
        self,
        peak: float,
        warmup_steps: int,
        decay_start: int,
        total_steps: int,
    ) -> None:
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.decay_start = decay_start
        self.total_steps = total_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        warmup = (step + 1.0) / max(self.warmup_steps, 1)
        left = (self.total_steps - step) / max(
            self.total_steps - self.decay_start, 1
        )
        return self.peak * ops.clip(ops.minimum(warmup, left), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "decay_start": self.decay_start,
            "total_steps": self.total_steps,
        }
