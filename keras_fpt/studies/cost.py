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

    def evaluation_seconds(self, task: Task, batch_size: int) -> float:
        """Seconds of one of the evaluations within a run."""
        size = min(task.data.size("validation"), VALIDATION_SUBSET_SIZE)
        return self.batch * math.ceil(size / batch_size)

    def part_seconds(
        self, task: Task, batch_size: int, steps: int, evaluation_steps: int
    ) -> float:
        """Seconds of a part of a run, until it pauses.

        Args:
            task: the `Task`.
            batch_size: int, of evaluations.
            steps: int, gradient steps of the part.
            evaluation_steps: int, how many lie between two evaluations.
        """
        evaluations = math.ceil(steps / evaluation_steps)
        each = self.evaluation_seconds(task, batch_size)
        return self.start + steps * self.step + evaluations * each

    def pause_seconds(self, task: Task, batch_size: int) -> float:
        """Seconds of a test of a run that pauses.

        Answers are predicted once more for what is reported by class.
        """
        size = 2 * task.data.size("validation") + task.data.size("test")
        predicted = self.batch * math.ceil(size / batch_size)
        return predicted + self.test_seconds(task, batch_size, rebuild=False)

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
        total = self.part_seconds(task, batch_size, steps, between)
        size = train_subset_size(task) + task.data.size("validation")
        total += self.features + self.batch * math.ceil(size / batch_size)
        return total + test * self.test_seconds(task, batch_size, rebuild=False)

    def between(self, other: "Cost", share: float) -> "Cost":
        """A cost that lies on a line between this one and another.

        Args:
            other: a `Cost`.
            share: float, from 0 for this one to 1 for the other.
        """
        return Cost(
            *(
                (1 - share) * mine + share * theirs
                for mine, theirs in zip(
                    dataclasses.astuple(self),
                    dataclasses.astuple(other),
                    strict=True,
                )
            )
        )

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
    validation = run.task.held_out("validation", run.evaluation_batch_size)
    model.evaluate(validation.take(_STEPS), verbose=0, callbacks=[clock])
    batch = clock.median()
    spent = time.perf_counter() - began
    num_batches = min(_STEPS, len(validation))
    start = max(0.0, spent - (_STEPS - 1) * step - (num_batches - 1) * batch)
    if run.config.cache_features:
        # Compared with the features, the output layer is negligible.
        size = run.task.data.size("train") / run.evaluation_batch_size
        features = math.ceil(size) * batch
        return Cost(start, batch / 10, batch / 10, features)
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
