"""The wall time that runs take, estimated from a few of their steps."""

import dataclasses
import itertools
import logging
import math
import statistics
import time
from typing import Any, Self

import keras

from keras_fpt.runs import (
    VALIDATION_SUBSET_SIZE,
    ResolvedRun,
    build_model,
    errors,
    recorder,
    stacked_training,
    train_subset_size,
)
from keras_fpt.tasks import Task

LOGGER = logging.getLogger(__name__)
_STEPS = 6
# A stack whose gain is within what measurements vary by is not worth that its
# runs differ from single ones by rounding.
_WORTHWHILE = 0.8


@dataclasses.dataclass(frozen=True)
class StackCost:
    """What runs of one arm take that train in one step.

    Args:
        size: int, the number of runs in a stack, at most, and in the one that
            was measured.
        cost: the `Cost` of that stack.
        takes_seeds: bool, whether runs with different seeds are stacked, too.
    """

    size: int
    cost: "Cost"
    takes_seeds: bool


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds that the parts of a run take.

    Args:
        start: float, from nothing to the end of the first step and the first
            evaluated batch: reading data, building, compilation.
        step: float, each further gradient step.
        batch: float, each further batch of an evaluation.
        features: float, computing frozen features before the first step.
        build: float, the part of `start` that each run of a stack takes.
        stack: the `StackCost` of several such runs in one step; `None` where
            they train one by one.
    """

    start: float
    step: float
    batch: float
    features: float = 0.0
    build: float = 0.0
    stack: StackCost | None = None

    def largest_stack(self, by_seed: bool = False) -> int:
        """How many runs train in one step, at most; 1 is one by one.

        Args:
            by_seed: bool, whether they differ in their seeds.
        """
        if self.stack is None or (by_seed and not self.stack.takes_seeds):
            return 1
        return self.stack.size

    def measuring_seconds(self, size: int) -> float:
        """About how long it takes to measure a stack.

        Args:
            size: int, the number of its runs, each of which is like this one.
        """
        each = self.build + _STEPS * (self.step + self.batch)
        return self.start - self.build + size * each

    def is_faster_stacked(self, seconds: float = math.inf) -> bool:
        """Whether runs get clearly more steps in a stack than one by one.

        Args:
            seconds: float, the time for as many runs as a stack has, with
                their starts.
        """
        stack = self.stack
        if stack is None:
            return False
        alone = max(0.0, 1 / stack.size - self.start / seconds) / self.step
        together = max(0.0, 1 - stack.cost.start / seconds) / stack.cost.step
        return alone < _WORTHWHILE * together

    def parts_seconds(
        self,
        task: Task,
        batch_size: int,
        steps: int,
        evaluation_steps: int,
        runs: int,
        by_seed: bool = False,
    ) -> float:
        """`part_seconds` of several runs, in stacks where they can.

        A smaller stack than the one that was measured is taken to lie on a
        line between that one and a single run.

        Args:
            task, batch_size, steps, evaluation_steps: as of `part_seconds`.
            runs: int, how many.
            by_seed: bool, whether they differ in their seeds.
        """
        size, seconds = self.largest_stack(by_seed), 0.0
        while runs > 0:
            count, each = min(runs, size), self
            if self.stack is not None and count > 1:
                share = (count - 1) / (self.stack.size - 1)
                each = self.between(self.stack.cost, share)
            seconds += each.part_seconds(
                task, batch_size, steps, evaluation_steps
            )
            runs -= count
        return seconds

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

    def between(self, other: Self, share: float) -> Self:
        """A cost that lies on a line between this one and another.

        Args:
            other: a `Cost`.
            share: float, from 0 for this one to 1 for the other.
        """
        stack = self.stack
        if stack is not None and other.stack is not None:
            cost = stack.cost.between(other.stack.cost, share)
            stack = dataclasses.replace(stack, cost=cost)
        numbers = {
            name: (1 - share) * getattr(self, name)
            + share * getattr(other, name)
            for name in ("start", "step", "batch", "features")
        }
        return dataclasses.replace(self, **numbers, stack=stack)

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
    build = time.perf_counter() - began
    train = run.task.datasets(run.batch_size, run.seed).train
    found = _measure(run, model, train, began)
    if run.config.cache_features:
        # Compared with the features, the output layer is negligible.
        size = run.task.data.size("train") / run.evaluation_batch_size
        features = math.ceil(size) * found.batch
        return Cost(found.start, found.batch / 10, found.batch / 10, features)
    return dataclasses.replace(found, build=build)


def measure_stack(run: ResolvedRun, single: Cost, size: int) -> Cost:
    """A run's `Cost`, with that of a stack of such runs, where there is one.

    Args:
        run: a `ResolvedRun`.
        single: its `Cost` alone.
        size: int, the number of runs in the stack, from 2.
    """
    key = stacked_training.stack_key(run)
    if key is None:
        return single
    seeds = [
        dataclasses.replace(run.config, seed=run.seed + number)
        for number in range(size)
    ]
    runs = [dataclasses.replace(run, config=config) for config in seeds]
    takes_seeds = key == stacked_training.stack_key(runs[1])
    if not takes_seeds:
        runs = size * [run]
    began = time.perf_counter()
    try:
        with errors.translate_out_of_memory():
            models = [build_model(each) for each in runs]
            stack = stacked_training.make_stack(models, run.seed)
            batches = stacked_training.batches_of_all(runs, first_batch=0)
            found = _measure(run, stack, batches, began)
    except (stacked_training.CannotStackError, MemoryError) as error:
        LOGGER.info(f"Runs of {run.arm.name} train one by one. {error}")
        return single
    stacked = StackCost(size, found, takes_seeds)
    return dataclasses.replace(single, stack=stacked)


def _measure(run: ResolvedRun, model: Any, train: Any, began: float) -> Cost:
    """Measures the `Cost` of a model, or of a stack.

    Args:
        run: the `ResolvedRun`.
        model: the compiled model.
        train: its training data.
        began: float, `time.perf_counter()` before it was built.
    """
    clock = _Clock()
    model.fit(
        train,
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
        keras.ops.convert_to_numpy(logs["loss"])
        self.ends.append(time.perf_counter())

    on_test_batch_end = on_train_batch_end

    def median(self) -> float:
        """Median seconds from the end of one batch to that of the next."""
        between = [b - a for a, b in itertools.pairwise(self.ends)]
        return statistics.median(between) if between else 0.0
