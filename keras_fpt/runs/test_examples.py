"""Which test examples a run got right, and which simple rules did."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import keras
import numpy as np

from keras_fpt.files import npz
from keras_fpt.models import FPTClassifier
from keras_fpt.runs.folder import TEST_EXAMPLES
from keras_fpt.tasks import Task

_RUN, _GROUPS, _RULE = "run", "groups", "rule: "
# Evaluations of models with random states differ a little. Predictions in
# another order than the labels are right by chance alone.
_TOLERANCE = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class RightAnswers:
    """What is right on each test example, in the order of the test split.

    Args:
        run: float array `(examples,)`, the share of each example's answers
            that the run got right.
        rules: dict from the names of simple rules to such arrays, see
            `keras_fpt.tasks.Task.floors`.
        groups: int array `(examples,)`, the group of each example; `None` if
            each stands alone.
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


def measure(
    task: Task, model: FPTClassifier, batch_size: int, accuracy: float
) -> RightAnswers | None:
    """Predicts the test examples, and compares with their labels.

    Args:
        task: a `Task`.
        model: its trained `FPTClassifier`.
        batch_size: int.
        accuracy: float, what the model's evaluation found.

    Returns:
        `RightAnswers`; `None` if the predictions are not those of all test
        examples in their order, as where processes of TensorFlow share the
        batches.
    """
    dataset = task.held_out("test", batch_size)
    logits = model.predict(dataset.map(lambda x, y: x), verbose=0)
    labels = task.test_labels()
    answers = keras.ops.convert_to_numpy(logits).argmax(axis=-1)
    if answers.size != labels.size:
        return None
    is_right = answers.reshape(len(labels), -1) == labels
    if abs(is_right.mean() - accuracy) > _TOLERANCE:
        return None
    return RightAnswers(
        is_right.mean(axis=1),
        task.floors("test"),
        task.test_groups(),
    )


def read(folder: str | os.PathLike[str]) -> RightAnswers | None:
    """Reads the file of a run's folder.

    Returns:
        `RightAnswers`; `None` if the run has not read its test split, or was
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
    return RightAnswers(
        run,
        {name.removeprefix(_RULE): x for name, x in values.items()},
        groups,
    )
