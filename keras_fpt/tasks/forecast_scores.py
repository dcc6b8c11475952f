"""How simple rules forecast a task's examples."""

from typing import TYPE_CHECKING

import numpy as np

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
    return {
        name: -errors.mean(axis=1)
        for name, errors in _squared_errors(task, split).items()
    }


def naive_errors(task: "Task", split: str) -> dict[str, float]:
    """The errors of forecasting the last value.

    Args:
        task: a `Task` that is a forecast.
        split: string, one of its `held_out_splits`.

    Returns:
        Dict of `floor_mse` and `floor_mae`.
    """
    squared = _squared_errors(task, split)[NAIVE]
    return {
        "floor_mse": float(squared.mean()),
        "floor_mae": float(np.sqrt(squared).mean()),
    }


def _squared_errors(task: "Task", split: str) -> dict[str, np.ndarray]:
    """The errors of simple rules, `(examples, targets)`, by their names."""
    found: dict[str, list[np.ndarray]] = {n: [] for n in task.simple_rules}
    for x, y in task.held_out(split, _READ).as_numpy_iterator():
        for name, rule in task.simple_rules.items():
            errors = (rule(x).astype(np.float64) - y) ** 2
            found[name].append(errors.reshape(len(y), -1))
    return {name: np.concatenate(parts) for name, parts in found.items()}
