"""The scores of a run and of simple rules on each test example."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_fpt import tasks
from keras_fpt.files import npz
from keras_fpt.models import FPTClassifier
from keras_fpt.runs import answers_on_disk, target_results
from keras_fpt.runs.folder import TEST_EXAMPLES
from keras_fpt.tasks import Task, sequence_store

_RUN, _GROUPS, _RULE = "run", "groups", "rule: "
# Evaluations of models with random states differ a little. Predictions in
# another order than the labels are right only by chance.
_TOLERANCE = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class ExampleScores:
    """The score of each test example, in the order of the test split.

    A score is the share of an example's answers that is correct; where tokens
    have labels, see `keras_fpt.tasks.token_scores`; or, of a regression, the
    mean squared error of its targets, negative.

    Args:
        run: float array `(examples,)`, the run's scores.
        rules: dict from the names of simple rules to such arrays, see
            `keras_fpt.tasks.Task.floors`.
        groups: int array `(examples,)`, the group of each example; `None` if
            examples are not grouped.
    """

    run: np.ndarray
    rules: Mapping[str, np.ndarray]
    groups: np.ndarray | None = None

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Writes the file of a run's folder."""
        arrays = {_RUN: self.run}
        arrays |= {f"{_RULE}{name}": x for name, x in self.rules.items()}
        if self.groups is not None:
            arrays[_GROUPS] = self.groups
        npz.write(pathlib.Path(folder, TEST_EXAMPLES), arrays)


def predict(
    task: Task,
    model: FPTClassifier,
    batch_size: int,
    accuracy: float,
    callbacks: Sequence[Any] = (),
) -> Any:
    """Predicts the test examples.

    Args:
        task: a `Task`.
        model: its trained `FPTClassifier`.
        batch_size: int.
        accuracy: float, the accuracy of the model's evaluation.
        callbacks: sequence of Keras callbacks.

    Returns:
        Float array `(examples, answers, classes)` of logits, or
        `(examples, labels)` of several labels, or of numbers
        `(examples, targets)`, which may be on disk; `None` if they are not
        those of all test examples in their order, as where processes of
        TensorFlow share the batches.
    """
    logits = predict_split(task, "test", model, batch_size, callbacks)
    if task.is_regression:
        return logits if len(logits) == task.data.size("test") else None
    labels = task.test_labels()
    if task.is_multilabel or task.is_per_token:
        if logits.shape[:2] != labels.shape:
            return None
        has_label = labels >= 0
        is_right = _are_right(task, logits, labels)[has_label]
        return None if abs(is_right.mean() - accuracy) > _TOLERANCE else logits
    if logits.size != labels.size * task.num_classes:
        return None
    logits = logits.reshape(*labels.shape, task.num_classes)
    is_right = logits.argmax(axis=-1) == labels
    return None if abs(is_right.mean() - accuracy) > _TOLERANCE else logits


def predict_split(
    task: Task,
    split: str,
    model: FPTClassifier,
    batch_size: int,
    callbacks: Sequence[Any] = (),
) -> Any:
    """The logits of a held-out split's examples.

    Returns:
        Float array `(examples, ...)`; of forecasts that may not fit into
        memory, see `answers_on_disk.predict`.
    """
    x = task.data.splits[split].x if task.is_forecast else None
    if sequence_store.is_on_disk(x):
        order = task.data.order(split)
        return answers_on_disk.predict(
            model, task.data, x, order, batch_size, callbacks
        )
    dataset = task.held_out(split, batch_size)
    logits = model.predict(
        dataset.map(lambda x, y: x), verbose=0, callbacks=[*callbacks]
    )
    return keras.ops.convert_to_numpy(logits)


def measure(
    task: Task, logits: Any, quantiles: Sequence[float] = ()
) -> ExampleScores:
    """Compares predictions with the labels of the test examples.

    Args:
        task: a `Task`.
        logits: what `predict` returned.
        quantiles: sequence of floats, those that a regression predicts.
    """
    if task.is_regression:
        scores = np.concatenate(
            [
                _squared_errors(target_results.points(found, quantiles), truth)
                for found, truth in sequence_store.chunks_of(
                    logits, targets(task)
                )
            ]
        )
        scores = -scores
    else:
        labels = task.test_labels()
        is_right = _are_right(task, logits, labels)
        if task.is_per_token:
            scores = tasks.token_scores(is_right, labels >= 0)
        else:
            scores = is_right.mean(axis=1)
    return ExampleScores(scores, task.floors("test"), task.test_groups())


def targets(task: Task) -> Any:
    """The numbers of the test examples, which may be on disk.

    Args:
        task: a `Task` that is a regression.
    """
    if task.is_forecast:
        return task.data.splits["test"].y
    return task.test_labels()


def _squared_errors(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The mean squared error of each example, float64 `(examples,)`."""
    truth = truth.reshape(len(truth), -1).astype(np.float64)
    return ((answers.reshape(truth.shape) - truth) ** 2).mean(axis=1)


def _are_right(
    task: Task, logits: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Which of the labels `(examples, answers)` are answered rightly."""
    if task.is_multilabel:
        return (logits > 0) == labels
    return logits.argmax(axis=-1) == labels


def read(folder: str | os.PathLike[str]) -> ExampleScores | None:
    """Reads the file of a run's folder.

    Returns:
        `ExampleScores`; `None` if the run has not read its test split, or was
        trained by a version that did not write the file.

    Raises:
        ValueError: the file is damaged.
    """
    path = pathlib.Path(folder, TEST_EXAMPLES)
    values = npz.read(path)
    if values is None:
        return None
    run, groups = values.pop(_RUN, None), values.pop(_GROUPS, None)
    arrays = [x for x in (run, groups, *values.values()) if x is not None]
    if run is None or any(x.shape != (len(run),) for x in arrays):
        raise ValueError(
            f"`{path}` is damaged: expected arrays of one number for each "
            "test example."
        )
    return ExampleScores(
        run,
        {name.removeprefix(_RULE): x for name, x in values.items()},
        groups,
    )
