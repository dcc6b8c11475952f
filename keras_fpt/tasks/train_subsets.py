"""Limits a task's training examples, to see how many a model needs."""

import dataclasses

import numpy as np

from keras_fpt.tasks.stored import Stored
from keras_fpt.tasks.task import Task
from keras_fpt.tasks.user_data import sequences

SEED = 0


def with_train_examples(task: Task, count: int) -> Task:
    """A task with some of its training examples, and the same other splits.

    The examples of a smaller number are among those of a larger one. One
    example of each class comes first; the others follow so that each class
    keeps its share.

    Args:
        task: a `Task` whose examples are stored.
        count: int, how many. If there are no more, the task is returned as it
            is.

    Returns:
        A `Task`.

    Raises:
        ValueError: the task generates its examples, or there are fewer than
            one example for each class.
    """
    if not isinstance(task.data, Stored):
        raise ValueError(
            f"The task '{task.name}' generates new training examples for each "
            f"batch, so it cannot be limited to {count:,} of them. Leave out "
            "train_examples (--train-examples, --sizes)."
        )
    labels = task.data.labels("train")
    least = len(np.unique(labels)) if labels.ndim == 1 else 1
    if count < least:
        raise ValueError(
            f"Expected at least {least} training examples, one for each class "
            f"of '{task.name}', but received {count}."
        )
    if count >= len(labels):
        return task
    chosen = np.sort(nested_order(labels)[:count])
    data, splits = task.data, dict(task.data.splits)
    x, y, names, groups = splits["train"]
    x, y = sequences.select(x, chosen), y[chosen]
    if data.is_per_token:
        y = y[:, : sequences.longest(x)]
    splits["train"] = splits["train"]._replace(
        x=x,
        y=y,
        names=None if names is None else _chosen_names(names, chosen),
        groups=None if groups is None else groups[chosen],
    )
    # A whole series would be more than these examples.
    return dataclasses.replace(
        task,
        data=dataclasses.replace(data, read=lambda: splits),
        history=None,
    )


def nested_order(labels: np.ndarray) -> np.ndarray:
    """A seeded order in which the first examples have the shares of all.

    Args:
        labels: int array `(n,)`, or `(n, answers)`, whose order is random.

    Returns:
        int array `(n,)` of indices.
    """
    order = np.random.default_rng(SEED).permutation(len(labels))
    if labels.ndim > 1:
        return order
    place = np.empty(len(labels))
    for label in np.unique(labels):
        (rows,) = np.nonzero(labels[order] == label)
        # The share of the class that has come by then; the first one, before
        # any other's second.
        share = (np.arange(len(rows)) + 0.5) / len(rows)
        share[0] = -1
        place[order[rows]] = share
    return order[np.argsort(place[order], kind="stable")]


def _chosen_names(names: object, chosen: np.ndarray) -> list[str]:
    listed = list(names)  # type: ignore[call-overload]
    return [listed[i] for i in chosen]
