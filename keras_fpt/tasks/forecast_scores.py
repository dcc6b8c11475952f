"""How simple rules forecast a task's examples."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_fpt.tasks import pairwise
from keras_fpt.tasks.task_floors import NAIVE

if TYPE_CHECKING:
    from keras_fpt.tasks.task import Task

# Examples that are read at a time.
_READ = 1000


def scores(task: "Task", split: str) -> dict[str, np.ndarray]:
    """The scores of a task's simple rules, by their names.

    Args:
        task: a `Task` that is a forecast.
        split: string, one of its `held_out_splits`.

    Returns:
        Dict of float arrays `(examples,)`, in the order of `Task.held_out`:
        the mean squared error of each example, negative.
    """
    found: dict[str, list[np.ndarray]] = {n: [] for n in task.simple_rules}
    for x, y in task.held_out(split, _READ).as_numpy_iterator():
        for name, rule in task.simple_rules.items():
            found[name].append(-_squared_errors(rule, x, y).mean(axis=1))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def naive_errors(task: "Task", split: str) -> dict[str, float]:
    """The errors of forecasting the last value.

    Args:
        task: a `Task` that is a forecast.
        split: string, one of its `held_out_splits`.

    Returns:
        Dict of `floor_mse` and `floor_mae`.
    """
    rule = task.simple_rules[NAIVE]
    count = task.data.size(split) * task.num_targets

    def mean_of(function: Callable[[np.ndarray], np.ndarray]) -> float:
        def parts() -> Iterator[np.ndarray]:
            for x, y in task.held_out(split, _READ).as_numpy_iterator():
                yield function(_squared_errors(rule, x, y)).reshape(-1, 1)

        return float(pairwise.sum_of_columns(parts(), count)[0] / count)

    return {"floor_mse": mean_of(np.asarray), "floor_mae": mean_of(np.sqrt)}


def _squared_errors(rule: Callable, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The errors of a rule, float64 `(examples, targets)`."""
    errors = (rule(x).astype(np.float64) - y) ** 2
    return errors.reshape(len(y), -1)
