"""The scores of simple rules, which a model must do better than."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from keras_fpt.tasks.task import Task

# The simple rules that every task has: for classes, for numbers, and for
# forecasts the last value and the value one season before.
MAJORITY = "majority class"
MEAN, MEDIAN = "mean of train", "median of train"
NAIVE, SEASONAL_NAIVE = "naive", "seasonal naive"
# The number of examples that are answered at a time.
_COUNTED = 1000


def floors(task: "Task", split: str) -> dict[str, np.ndarray]:
    """See `Task.floors`."""
    if task.is_regression:
        return _constant_scores(task, split)
    if task.is_per_token:
        labels = task.data.labels(split)[task.data.order(split)]
        is_right = labels == task.majority_class
        return {MAJORITY: token_scores(is_right, labels >= 0)}
    right: dict[str, list[np.ndarray]] = {MAJORITY: []}
    right |= {name: [] for name in task.simple_rules}
    for x, y in task.held_out(split, _COUNTED).as_numpy_iterator():
        answers: dict[str, Any] = {MAJORITY: task.majority_class}
        answers |= {name: rule(x) for name, rule in task.simple_rules.items()}
        for name, answer in answers.items():
            is_right = (answer == y).reshape(len(y), -1)
            right[name].append(is_right.mean(axis=1))
    return {name: np.concatenate(parts) for name, parts in right.items()}


def _constant_scores(task: "Task", split: str) -> dict[str, np.ndarray]:
    """The scores of answering with one number, for a regression."""
    train = task.data.labels("train").astype(np.float64)
    order = task.data.order(split)
    labels = task.data.labels(split)[order].astype(np.float64)
    answers = {MEAN: train.mean(axis=0), MEDIAN: np.median(train, axis=0)}
    return {
        name: -((labels - answer) ** 2).mean(axis=1)
        for name, answer in answers.items()
    }


def token_scores(is_right: np.ndarray, has_label: np.ndarray) -> np.ndarray:
    """The scores of examples whose tokens have labels.

    A score is how many labels are right, divided by how many an example has on
    average. So the mean over examples is the accuracy of all tokens, however
    long the examples are.

    Args:
        is_right: bool array `(examples, tokens)`.
        has_label: bool array likewise, which tokens have a label.

    Returns:
        Float array `(examples,)`.
    """
    mean = has_label.sum() / len(has_label)
    return (is_right & has_label).sum(axis=1) / mean


def target_floors(task: "Task", split: str) -> dict[str, float]:
    """See `Task.target_floors`."""
    train = task.data.labels("train").astype(np.float64)
    labels = task.data.labels(split).astype(np.float64)
    squared = (labels - train.mean(axis=0)) ** 2
    absolute = np.abs(labels - np.median(train, axis=0))
    return {
        "floor_rmse": float(np.sqrt(squared.mean())),
        "floor_mae": float(absolute.mean()),
    }
