"""What a run will cost in wall time, from a few of its steps."""

import dataclasses
import itertools
import math
import statistics
import time

import keras

from keras_fpt.runs import recorder
from keras_fpt.runs import train as run

_STEPS = 6


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds of the parts of a run.

    Args:
        start: float, from nothing to the end of the first step and the first
            evaluated batch: reading data, building, compilation.
        step: float, each further gradient step.
        batch: float, each further batch of an evaluation.
        features: float, what is computed once before the first step.
    """

    start: float
    step: float
    batch: float
    features: float = 0.0

    def seconds(self, task, batch_size, steps, test):
        """Of a whole run.

        Args:
            task: the `Task`.
            batch_size: int.
            steps: int, gradient steps.
            test: bool, whether the run reads the test split.
        """
        between = recorder.steps_between_evaluations(steps)
        size = task.data.size("validation")
        examples = run.train_subset_size(task) + size
        looks = math.ceil(steps / between)
        examples += looks * min(size, run.VALIDATION_SUBSET_SIZE)
        total = self.start + self.features + steps * self.step
        total += self.batch * math.ceil(examples / batch_size)
        return total + test * self.test_seconds(task, batch_size, again=False)

    def test_seconds(self, task, batch_size, again=True):
        """Of the test split, and of further held-out ones.

        Args:
            task: the `Task`.
            batch_size: int.
            again: bool, whether the model is built for it anew.
        """
        size = sum(task.data.size(name) for name in task.held_out_splits[1:])
        return again * self.start + self.batch * math.ceil(size / batch_size)


def measure(config, task):
    """Measures a run's `Cost` by beginning one, which leaves nothing behind.

    Args:
        config: a resolved `RunConfig`.
        task: its `Task`.

    Raises:
        ValueError: the preset cannot be had, or does not fit the task.
    """
    keras.utils.set_random_seed(config.seed)
    began = time.perf_counter()
    config.load_task()  # As each run does, which may read files.
    model = run.build_model(config, task)
    splits = task.datasets(config.batch_size, config.seed)
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
    seen = min(_STEPS, len(splits.validation))
    start = max(0.0, spent - (_STEPS - 1) * step - (seen - 1) * batch)
    if config.cache_features:
        # Beside features, what the output layer costs is nothing.
        size = math.ceil(task.data.size("train") / config.batch_size)
        return Cost(start, batch / 10, batch / 10, features=size * batch)
    return Cost(start, step, batch)


class _Clock(keras.callbacks.Callback):
    """When each batch ended, its loss at hand."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_test_begin(self, logs=None):
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        float(logs["loss"])
        self.ends.append(time.perf_counter())

    on_test_batch_end = on_train_batch_end

    def median(self):
        """Seconds from the end of one batch to that of the next."""
        between = [b - a for a, b in itertools.pairwise(self.ends)]
        return statistics.median(between) if between else 0.0
