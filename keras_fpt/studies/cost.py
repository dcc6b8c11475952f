"""The wall time that a run takes, estimated from a few of its steps."""

import dataclasses
import itertools
import math
import statistics
import time
from typing import Any

import keras

from keras_fpt.runs import (
    VALIDATION_SUBSET_SIZE,
    ResolvedRun,
    build_model,
    recorder,
    train_subset_size,
)
from keras_fpt.tasks import Task

_STEPS = 6


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds that the parts of a run take.

    Args:
        start: float, from nothing to the end of the first step and the first
            evaluated batch: reading data, building, compilation.
        step: float, each further gradient step.
        batch: float, each further batch of an evaluation.
        features: float, computing frozen features before the first step.
    """

    start: float
    step: float
    batch: float
    features: float = 0.0

    def seconds(
        self, task: Task, batch_size: int, steps: int, test: bool
    ) -> float:
        """Seconds that a whole run takes.

        Args:
            task: the `Task`.
            batch_size: int.
            steps: int, gradient steps.
            test: bool, whether the run reads the test split.
        """
        between = recorder.steps_between_evaluations(steps)
        size = task.data.size("validation")
        examples = train_subset_size(task) + size
        evaluations = math.ceil(steps / between)
        examples += evaluations * min(size, VALIDATION_SUBSET_SIZE)
        total = self.start + self.features + steps * self.step
        total += self.batch * math.ceil(examples / batch_size)
        return total + test * self.test_seconds(task, batch_size, rebuild=False)

    def test_seconds(
        self, task: Task, batch_size: int, rebuild: bool = True
    ) -> float:
        """Seconds for the test split, and for further held-out ones.

        Args:
            task: the `Task`.
            batch_size: int.
            rebuild: bool, whether the model is built again for it.
        """
        size = sum(task.data.size(name) for name in task.held_out_splits[1:])
        return rebuild * self.start + self.batch * math.ceil(size / batch_size)


def measure(run: ResolvedRun) -> Cost:
    """Measures a run's `Cost` by starting it; no run folder is written.

    Args:
        run: a `ResolvedRun`.

    Raises:
        ValueError: the preset cannot be loaded, or does not fit the task.
    """
    keras.utils.set_random_seed(run.seed)
    began = time.perf_counter()
    model = build_model(run)
    splits = run.task.datasets(run.batch_size, run.seed)
    clock = _Clock()
    model.fit(
        splits.train,
        steps_per_epoch=_STEPS,
        shuffle=False,
        callbacks=[clock],
        verbose=0,
    )
    step = clock.median()
    model.evaluate(splits.validation.take(_STEPS), verbose=0, callbacks=[clock])
    batch = clock.median()
    spent = time.perf_counter() - began
    num_batches = min(_STEPS, len(splits.validation))
    start = max(0.0, spent - (_STEPS - 1) * step - (num_batches - 1) * batch)
    if run.config.cache_features:
        # Compared with the features, the output layer's time is negligible.
        size = math.ceil(run.task.data.size("train") / run.batch_size)
        return Cost(start, batch / 10, batch / 10, features=size * batch)
    return Cost(start, step, batch)


class _Clock(keras.callbacks.Callback):
    """Records the time at which each batch ended and its loss was known."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.ends = []

    def on_test_begin(self, logs: Any = None) -> None:
        self.ends = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        float(logs["loss"])
        self.ends.append(time.perf_counter())

    on_test_batch_end = on_train_batch_end

    def median(self) -> float:
        """Median seconds from the end of one batch to that of the next."""
        between = [b - a for a, b in itertools.pairwise(self.ends)]
        return statistics.median(between) if between else 0.0
